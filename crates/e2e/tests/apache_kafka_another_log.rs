//! The log changes behind the services' backs: a topic made anew, an election that loses records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod fresh_fold;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Admin, ApacheKafka, ApacheKafkaCluster, System, eventually};
use fresh_fold::{equal_to_a_fresh_fold, send_all, shown};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const TOPIC: &str = "notifications";

/// The home of user 1, by Java's rule and six partitions.
const HOME_OF_1: i32 = 3;

/// How long a cluster may take to see that a node is away, or back.
const RECOVERY: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_topic_deleted_and_made_anew_under_running_services() -> Result<()> {
    let kafka = ApacheKafka::start().await?;
    let mut system = System::with_broker(PROGRAM, kafka.address()).await?;
    send_all(&system, "old", 30).await?;
    shown(&system, "old 29").await?;
    let admin = kafka.admin();
    admin.delete_topic(TOPIC).await?;
    admin.create_topic(TOPIC, 6, 1, &[]).await?;
    send_all(&system, "new", 40).await?;
    shown(&system, "new 39").await?;
    equal_to_a_fresh_fold(&mut system, &["old"]).await
}

#[tokio::test]
async fn an_unclean_election() -> Result<()> {
    let mut cluster = ApacheKafkaCluster::start(3).await?;
    let admin = cluster.admin()?;
    // With two replicas of which one is enough, killing both in turn loses what the second lacked.
    admin.create_topic(TOPIC, 6, 2, &["min.insync.replicas=1"]).await?;
    let leader = led(&admin, &[], 2).await?;
    let state = admin.partition(TOPIC, HOME_OF_1).await?;
    let follower = state.in_sync.into_iter().find(|node| *node != leader).unwrap();
    let mut system = System::with_broker(PROGRAM, &cluster.addresses()).await?;
    send_all(&system, "kept", 20).await?;

    cluster.kill_9(follower)?;
    led(&admin, &[follower], 1).await?;
    send_all(&system, "lost", 20).await?;
    shown(&system, "lost 19").await?;
    cluster.kill_9(leader)?;
    cluster.restart(follower).await?;
    eventually(RECOVERY, async || {
        let state = admin.partition(TOPIC, HOME_OF_1).await?;
        ensure!(state.leader.is_none(), "{state:?}");
        Ok(())
    })
    .await?;
    for partition in 0..6 {
        if admin.partition(TOPIC, partition).await?.leader.is_none() {
            admin.elect_unclean_leader(TOPIC, partition).await?;
        }
    }
    assert_eq!(led(&admin, &[leader], 1).await?, follower);

    // More than were lost, so that the new log outgrows the old one.
    send_all(&system, "new", 50).await?;
    shown(&system, "new 49").await?;
    equal_to_a_fresh_fold(&mut system, &["lost"]).await?;
    cluster.restart(leader).await?;
    led(&admin, &[], 2).await?;
    equal_to_a_fresh_fold(&mut system, &["lost"]).await
}

/// Waits until the home of user 1 has a leader other than these, and so many nodes are in sync.
async fn led(admin: &Admin, not_by: &[i32], in_sync: usize) -> Result<i32> {
    eventually(RECOVERY, async || {
        let state = admin.partition(TOPIC, HOME_OF_1).await?;
        let leader = state.leader.context("no leader")?;
        ensure!(!not_by.contains(&leader) && state.in_sync.len() == in_sync, "{state:?}");
        Ok(leader)
    })
    .await
}
