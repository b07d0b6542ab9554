//! 20,000 sends to Apache Kafka while processes are killed, and while a proxy spoils the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

mod storm;

use anyhow::Result;
use e2e::{ApacheKafka, System};
use storm::kills::{Killable, Kills};
use storm::spoil::Spoil;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

impl Killable for ApacheKafka {
    async fn kill_and_restart(&mut self, _: &mut System) -> Result<()> {
        self.kill_9()?;
        self.restart().await
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
