//! 20,000 sends to Apache Kafka while processes are killed, and while a proxy spoils the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

mod storm;

use anyhow::Result;
use e2e::{ApacheKafka, Part, System};
use storm::spoil::Spoil;
use storm::{Faults, Sends, random};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// Kills one of three processes with SIGKILL and starts it again.
struct Kills(ApacheKafka);

impl Faults for Kills {
    async fn strike(&mut self, system: &mut System, _: &Sends) -> Result<&'static str> {
        let (part, name) = match random(0..3) {
            0 => {
                self.0.kill_9()?;
                self.0.restart().await?;
                return Ok("broker killed");
            }
            1 => (Part::Producer, "producer killed"),
            _ => (Part::Consumer, "consumer killed"),
        };
        system.kill_9(part)?;
        system.restart(part).await?;
        Ok(name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_are_killed() -> Result<()> {
    let kafka = ApacheKafka::start().await?;
    let mut system = System::with_broker(PROGRAM, kafka.address()).await?;
    storm::rage("processes killed, Apache Kafka", &mut system, &mut Kills(kafka)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_the_broker_is_spoilt() -> Result<()> {
    let (kafka, proxy) = ApacheKafka::behind_proxy(&[]).await?;
    let mut system = System::with_broker(PROGRAM, kafka.address()).await?;
    let mut spoil = Spoil::new(proxy);
    storm::rage("proxy between, Apache Kafka", &mut system, &mut spoil).await
}
