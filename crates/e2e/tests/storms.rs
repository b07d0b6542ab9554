//! 20,000 sends to the embedded broker while processes are killed, and while a proxy spoils the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

mod storm;

use anyhow::Result;
use e2e::{ChaosProxy, Part, System};
use storm::spoil::Spoil;
use storm::{Faults, Sends, random};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// Kills one of three processes with SIGKILL and starts it again.
struct Kills;

impl Faults for Kills {
    async fn strike(&mut self, system: &mut System, _: &Sends) -> Result<&'static str> {
        let (part, name) = match random(0..3) {
            0 => (Part::Broker, "broker killed"),
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
    let mut system = System::parts(PROGRAM).await?;
    storm::rage("processes killed, embedded broker", &mut system, &mut Kills).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_the_broker_is_spoilt() -> Result<()> {
    let (mut system, proxy): (System, ChaosProxy) = System::parts_behind_proxy(PROGRAM).await?;
    let mut spoil = Spoil::new(proxy);
    storm::rage("proxy between, embedded broker", &mut system, &mut spoil).await
}
