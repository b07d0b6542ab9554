//! That Apache Kafka under test can be made to fail: behind a proxy, by its settings, as a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Admin, ApacheKafka, ApacheKafkaCluster, PartitionState, System, eventually, kcat};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long a record may take from Kafka to an inbox.
const SOON: Duration = Duration::from_secs(10);

/// How long a cluster may take to see that a node is away, or back: it misses a node after 9 s.
const RECOVERY: Duration = Duration::from_secs(60);

async fn produce(brokers: &str, topic: &str, line: &str) -> Result<()> {
    let arguments = ["-P", "-t", topic, "-p", "0", "-X", "acks=all"];
    kcat(brokers, &arguments, &format!("{line}\n")).await?;
    Ok(())
}

async fn consume(brokers: &str, topic: &str) -> Result<String> {
    let arguments = ["-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q"];
    Ok(kcat(brokers, &arguments, "").await?.stdout)
}

/// Waits until a partition has a leader other than these, and so many nodes are in sync.
async fn led(admin: &Admin, topic: &str, not_by: &[i32], in_sync: usize) -> Result<i32> {
    eventually(RECOVERY, async || {
        let state = admin.partition(topic, 0).await?;
        let leader = state.leader.context("no leader")?;
        ensure!(!not_by.contains(&leader) && state.in_sync.len() == in_sync, "{state:?}");
        Ok(leader)
    })
    .await
}

#[tokio::test]
async fn a_cluster_goes_on_without_its_leader_and_takes_it_back() -> Result<()> {
    let mut cluster = ApacheKafkaCluster::start(3).await?;
    let (brokers, admin) = (cluster.addresses(), cluster.admin()?);
    admin.create_topic("lines", 1, 3, &["min.insync.replicas=2"]).await?;
    let first = led(&admin, "lines", &[], 3).await?;
    produce(&brokers, "lines", "before").await?;

    cluster.kill_9(first)?;
    led(&admin, "lines", &[first], 2).await?;
    produce(&brokers, "lines", "without it").await?;
    assert_eq!(consume(&brokers, "lines").await?, "before\nwithout it\n");

    cluster.restart(first).await?;
    led(&admin, "lines", &[], 3).await?;
    produce(&brokers, "lines", "with it").await?;
    assert_eq!(consume(&brokers, "lines").await?, "before\nwithout it\nwith it\n");
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_elected_unclean_lacks_what_was_acknowledged() -> Result<()> {
    let mut cluster = ApacheKafkaCluster::start(3).await?;
    let (brokers, admin) = (cluster.addresses(), cluster.admin()?);
    admin.create_topic("lines", 1, 2, &["min.insync.replicas=1"]).await?;
    let leader = led(&admin, "lines", &[], 2).await?;
    let PartitionState { in_sync, .. } = admin.partition("lines", 0).await?;
    let follower = in_sync.into_iter().find(|node| *node != leader).unwrap();
    produce(&brokers, "lines", "both have it").await?;

    cluster.kill_9(follower)?;
    led(&admin, "lines", &[follower], 1).await?;
    produce(&brokers, "lines", "the leader has it").await?;
    cluster.kill_9(leader)?;
    cluster.restart(follower).await?;
    eventually(RECOVERY, async || {
        let state = admin.partition("lines", 0).await?;
        ensure!(state.leader.is_none(), "{state:?}");
        Ok(())
    })
    .await?;

    admin.elect_unclean_leader("lines", 0).await?;
    assert_eq!(led(&admin, "lines", &[leader], 1).await?, follower);
    assert_eq!(consume(&brokers, "lines").await?, "both have it\n");
    cluster.restart(leader).await?;
    led(&admin, "lines", &[], 2).await?;
    assert_eq!(consume(&brokers, "lines").await?, "both have it\n");
    Ok(())
}

#[tokio::test]
async fn a_node_behind_a_proxy_loses_an_answer_and_the_inbox_shows_the_message_once() -> Result<()>
{
    let (kafka, proxy) = ApacheKafka::behind_proxy(&[]).await?;
    let system = System::with_broker(PROGRAM, kafka.address()).await?;
    proxy.lose_answers(1);
    let sent = system.send(2, 1, "Bruno started following you.").await?;
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(proxy.counts().answers_lost, 1);
    assert_eq!(system.send(3, 1, "Rick too.").await?.status, 200);
    eventually(SOON, async || {
        let inbox = system.inbox(1).await?;
        ensure!(inbox.body.contains("Rick too."), "{inbox:?}");
        assert_eq!(inbox.body.matches("Bruno started").count(), 1, "{inbox:?}");
        Ok(())
    })
    .await?;
    let arguments = ["-C", "-t", "notifications", "-p", "3", "-o", "beginning", "-e", "-q"];
    let log = kcat(kafka.address(), &arguments, "").await?.stdout;
    assert_eq!(log.matches("Bruno started").count(), 2, "{log}");

    proxy.refuse();
    proxy.cut();
    let refused = system.send(2, 1, "lost or late").await?;
    assert_eq!(refused.status, 503, "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn settings_and_quotas_are_changed() -> Result<()> {
    let kafka = ApacheKafka::start_with(&["message.max.bytes=1000"]).await?;
    let admin = kafka.admin();
    admin.create_topic("lines", 1, 1, &[]).await?;
    let long = "x".repeat(2000);
    assert!(produce(kafka.address(), "lines", &long).await.is_err());
    admin.alter_topic("lines", &["max.message.bytes=10000", "retention.ms=60000"]).await?;
    produce(kafka.address(), "lines", &long).await?;

    let one = Some("one");
    admin.set_quotas(None, &["producer_byte_rate=1000", "consumer_byte_rate=2000"]).await?;
    admin.set_quotas(one, &["producer_byte_rate=3000"]).await?;
    let quotas = quotas(&kafka).await?;
    let all = "default client-id are consumer_byte_rate=2000.0, producer_byte_rate=1000.0";
    assert!(quotas.contains(all), "{quotas}");
    assert!(quotas.contains("client-id 'one' are producer_byte_rate=3000.0"), "{quotas}");
    admin.remove_quotas(None, &["producer_byte_rate", "consumer_byte_rate"]).await?;
    admin.remove_quotas(one, &["producer_byte_rate"]).await?;
    let quotas = self::quotas(&kafka).await?;
    assert!(!quotas.contains("byte_rate"), "{quotas}");
    Ok(())
}

async fn quotas(kafka: &ApacheKafka) -> Result<String> {
    let describe =
        ["--bootstrap-server", kafka.address(), "--describe", "--entity-type", "clients"];
    Ok(kafka.tools().tool("kafka.admin.ConfigCommand", &describe).await?.stdout)
}
