//! Looking at an installation without changing it.

use kafka::{TopicsConfig, ends, ensure, inspect, produce_quotas, reach};
use models::{LAYOUT_KEY, Offset, Record, Timestamp, seed_users};

use crate::support::{TestBroker, record};

fn config() -> TopicsConfig {
    TopicsConfig { topic: "n".into(), partitions_at_creation: 6, partitioner: None }
}

async fn installed() -> TestBroker {
    let broker = TestBroker::start().await;
    let now = Timestamp::from_ms_clamped(1_700_000_000_000);
    ensure(&broker.cluster(), &config(), &seed_users(), now).await.unwrap();
    broker
}

#[tokio::test]
async fn an_installation_is_shown_as_it_is() {
    let broker = installed().await;
    let found = inspect(&broker.cluster(), &config()).await.unwrap();
    assert_eq!((found.brokers, found.layout), (1, Ok(Some(6))));
    let notifications = found.notifications.unwrap();
    assert_eq!(
        (notifications.name.as_str(), notifications.partitions, notifications.replication),
        ("n", 6, 1)
    );
    assert_eq!(Some(notifications.topic_id), broker.wire().await.look_up("n").await.map(|it| it.0));
    assert_eq!(notifications.settings["segment.ms"], "86400000");
    assert!(notifications.without_leader.is_empty() && notifications.out_of_sync.is_empty());
    assert_eq!(found.users.unwrap().settings["cleanup.policy"], "compact");
    assert_eq!(found.dead_letters.unwrap().name, "n.dlq");
}

#[tokio::test]
async fn what_is_missing_is_said_and_not_made() {
    let broker = TestBroker::start().await;
    for _ in 0..2 {
        let found = inspect(&broker.cluster(), &config()).await.unwrap();
        assert!(found.notifications.is_none() && found.users.is_none());
        assert!(found.dead_letters.is_none());
        assert_eq!(found.layout, Ok(None));
    }
    for topic in ["n", "n.users", "n.dlq"] {
        assert!(broker.wire().await.look_up(topic).await.is_none(), "{topic}");
    }
}

#[tokio::test]
async fn a_layout_that_is_missing_is_not_written() {
    let broker = TestBroker::start().await;
    let mut wire = broker.wire().await;
    wire.create_topic("n", 6, &[]).await;
    wire.create_topic("n.users", 1, &[("cleanup.policy", "compact")]).await;
    let found = inspect(&broker.cluster(), &config()).await.unwrap();
    assert_eq!(found.layout, Ok(None));
    assert_eq!(broker.records("n.users").await, []);
}

#[tokio::test]
async fn a_layout_that_services_refuse_is_said_in_their_words() {
    let other = r#"{"format":2,"partitions":6,"partitioner":"java"}"#;
    for (partitions, layout, reason) in [
        (8, r#"{"format":1,"partitions":6,"partitioner":"java"}"#, "topic n has 8 partitions"),
        (6, other, "the topics of n have format 2"),
        (6, "nonsense", "the record $layout of topic n.users cannot be read"),
    ] {
        let broker = TestBroker::start().await;
        let mut wire = broker.wire().await;
        wire.create_topic("n", partitions, &[]).await;
        wire.create_topic("n.users", 1, &[("cleanup.policy", "compact")]).await;
        let layout = Record { key: Some(LAYOUT_KEY.into()), ..record(layout) };
        broker.append_records("n.users", vec![layout]).await;
        let found = inspect(&broker.cluster(), &config()).await.unwrap();
        let refusal = found.layout.unwrap_err();
        assert!(refusal.starts_with(reason), "{refusal}");
    }
}

#[tokio::test]
async fn the_ends_of_partitions_are_those_of_their_logs() {
    let broker = TestBroker::with_topic("t", &[]).await;
    broker.append("t", &["a", "b"]).await;
    assert_eq!(ends(&broker.cluster(), "t", 1).await.unwrap(), [(Offset(0), Offset(2))]);
    assert!(ends(&broker.cluster(), "t", 2).await.is_err());
}

#[tokio::test]
async fn a_broker_that_cannot_tell_its_quotas_has_none_to_tell() {
    let broker = TestBroker::start().await;
    assert_eq!(produce_quotas(&broker.cluster(), "test").await.unwrap(), None);
}

#[tokio::test]
async fn a_broker_is_reached_at_its_very_address() {
    let mut broker = TestBroker::start().await;
    let cluster = broker.cluster();
    reach(&cluster.brokers[0], &cluster).await.unwrap();
    broker.stop().await;
    let error = reach(&cluster.brokers[0], &cluster).await.unwrap_err();
    assert!(error.to_string().contains(&cluster.brokers[0]), "{error}");
    assert!(inspect(&cluster, &config()).await.is_err());
}
