//! 20,000 sends to the embedded broker while processes are killed, and while a proxy spoils the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

mod storm;

use anyhow::Result;
use e2e::{ChaosProxy, Part, System};
use storm::kills::Kills;
use storm::spoil::Spoil;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_are_killed() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    storm::rage("processes killed, embedded broker", &mut system, &mut Kills(Part::Broker)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_the_broker_is_spoilt() -> Result<()> {
    let (mut system, proxy): (System, ChaosProxy) = System::parts_behind_proxy(PROGRAM).await?;
    let mut spoil = Spoil::new(proxy);
    storm::rage("proxy between, embedded broker", &mut system, &mut spoil).await
}
