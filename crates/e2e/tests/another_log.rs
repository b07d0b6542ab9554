//! The log changes behind the services' backs: the embedded broker comes back with an older copy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod fresh_fold;

use std::time::Duration;

use anyhow::Result;
use e2e::{Part, System};
use fresh_fold::{equal_to_a_fresh_fold, send_all, shown};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const STOPPING: Duration = Duration::from_secs(20);

/// Sends, takes a copy, sends more that only the services know of then.
async fn with_an_older_copy() -> Result<(System, e2e::Backup)> {
    let mut system = System::parts(PROGRAM).await?;
    send_all(&system, "kept", 50).await?;
    shown(&system, "kept 49").await?;
    system.stop(Part::Broker, STOPPING).await?;
    let copy = system.back_up_broker()?;
    system.restart(Part::Broker).await?;
    send_all(&system, "lost", 30).await?;
    shown(&system, "lost 29").await?;
    Ok((system, copy))
}

#[tokio::test]
async fn a_broker_restored_from_an_older_copy_under_running_services() -> Result<()> {
    let (mut system, copy) = with_an_older_copy().await?;
    system.stop(Part::Broker, STOPPING).await?;
    system.restore_broker(&copy)?;
    system.restart(Part::Broker).await?;
    send_all(&system, "new", 5).await?;
    shown(&system, "new 4").await?;
    equal_to_a_fresh_fold(&mut system, &["lost"]).await
}

#[tokio::test]
async fn a_broker_restored_from_an_older_copy_that_has_outgrown_what_was_read() -> Result<()> {
    let (mut system, copy) = with_an_older_copy().await?;
    system.stop(Part::Consumer, STOPPING).await?;
    system.stop(Part::Broker, STOPPING).await?;
    system.restore_broker(&copy)?;
    system.restart(Part::Broker).await?;
    send_all(&system, "new", 60).await?;
    system.restart(Part::Consumer).await?;
    shown(&system, "new 59").await?;
    equal_to_a_fresh_fold(&mut system, &["lost"]).await
}

#[tokio::test]
async fn a_broker_that_has_lost_all_it_had() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    send_all(&system, "old", 10).await?;
    shown(&system, "old 9").await?;
    system.stop(Part::Broker, STOPPING).await?;
    std::fs::remove_dir_all(system.data_dir.join("broker"))?;
    system.restart(Part::Broker).await?;
    send_all(&system, "new", 5).await?;
    shown(&system, "new 4").await?;
    equal_to_a_fresh_fold(&mut system, &["old"]).await
}
