//! Making topics, and refusing those that do not fit.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use kafka::{Partitioner, Topics, TopicsConfig, TopicsError, connect, ensure};
use models::{DirectoryChange, LAYOUT_KEY, Record, Timestamp, User, seed_users};
use tokio_util::sync::CancellationToken;

use crate::support::{LONG, TestBroker, cluster, record};

fn now() -> Timestamp {
    Timestamp::from_ms_clamped(1_700_000_000_000)
}

fn config() -> TopicsConfig {
    TopicsConfig { topic: "n".into(), partitions_at_creation: 6, partitioner: None }
}

impl TestBroker {
    async fn ensure(&self) -> Result<Topics, TopicsError> {
        self.ensure_as(&config()).await
    }

    async fn ensure_as(&self, config: &TopicsConfig) -> Result<Topics, TopicsError> {
        ensure(&self.cluster(), config, &seed_users(), now()).await
    }

    /// The reason for which the topics are refused.
    async fn refusal(&self, config: &TopicsConfig) -> String {
        match self.ensure_as(config).await {
            Err(TopicsError::Unsuitable(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    async fn users(&self) -> Vec<User> {
        let mut users = BTreeMap::new();
        for (_, record) in self.records("n.users").await {
            match DirectoryChange::decode(&record) {
                Some(DirectoryChange::Present(user)) => users.insert(user.id.clone(), user),
                Some(DirectoryChange::Removed(id)) => users.remove(&id),
                None => None,
            };
        }
        users.into_values().collect()
    }

    async fn layouts(&self) -> Vec<String> {
        let records = self.records("n.users").await;
        let is_layout = |it: &Record| it.key.as_deref() == Some(LAYOUT_KEY.as_bytes());
        let layouts = records.into_iter().filter(|(_, record)| is_layout(record));
        layouts.map(|(_, it)| String::from_utf8(it.value.unwrap().into()).unwrap()).collect()
    }
}

fn layout(value: Option<&str>) -> Record {
    let value = value.map(|value| value.to_owned().into());
    Record { key: Some(LAYOUT_KEY.into()), value, ..record("") }
}

const LAYOUT: &str = r#"{"format":1,"partitions":6,"partitioner":"java"}"#;
const DAYS_90_MS: &str = "7776000000";

#[tokio::test]
async fn three_topics_are_made_with_the_settings_of_the_log() {
    let broker = TestBroker::start().await;
    let topics = broker.ensure().await.unwrap();
    let mut wire = broker.wire().await;
    let (topic_id, partitions) = wire.look_up("n").await.unwrap();
    assert_eq!(
        topics,
        Topics {
            notifications: "n".into(),
            users: "n.users".into(),
            dead_letters: "n.dlq".into(),
            topic_id,
            partitions: 6,
            partitioner: Partitioner::Java,
            purged_after: Some(Duration::from_secs(91 * 24 * 60 * 60)),
        }
    );
    assert_eq!(partitions, 6);
    assert_eq!(wire.look_up("n.users").await.unwrap().1, 1);
    assert_eq!(wire.look_up("n.dlq").await.unwrap().1, 1);
    for (topic, settings) in [
        (
            "n",
            &[
                ("cleanup.policy", "delete"),
                ("message.timestamp.type", "CreateTime"),
                ("retention.ms", DAYS_90_MS),
                ("segment.ms", "86400000"),
                ("min.insync.replicas", "1"),
            ][..],
        ),
        ("n.users", &[("cleanup.policy", "compact"), ("min.insync.replicas", "1")]),
        ("n.dlq", &[("cleanup.policy", "delete"), ("retention.ms", DAYS_90_MS)]),
    ] {
        let found = wire.settings(topic).await;
        for (name, value) in settings {
            assert_eq!(found[*name], *value, "{name} of {topic}");
        }
    }
}

#[tokio::test]
async fn a_new_installation_has_the_layout_and_the_tutorials_users() {
    let broker = TestBroker::start().await;
    broker.ensure().await.unwrap();
    assert_eq!(broker.layouts().await, [LAYOUT]);
    let users = broker.users().await;
    let users: Vec<_> = users.iter().map(|it| (it.id.as_str(), it.name.as_str())).collect();
    assert_eq!(users, [("1", "Emma"), ("2", "Bruno"), ("3", "Rick"), ("4", "Lena")]);
}

#[tokio::test]
async fn the_second_time_nothing_changes() {
    let broker = TestBroker::start().await;
    let first = broker.ensure().await.unwrap();
    let records = broker.records("n.users").await;
    // Neither what is asked for at creation nor the seeds count for topics that are there.
    let other = TopicsConfig { partitions_at_creation: 3, ..config() };
    assert_eq!(broker.ensure_as(&other).await.unwrap(), first);
    assert_eq!(broker.records("n.users").await, records);
}

#[tokio::test]
async fn topics_know_when_a_record_is_gone_for_good() {
    for (retention_ms, purged_after) in [
        ("60000", Some(Duration::from_millis(60_000 + 5_000))),
        ("0", Some(Duration::from_secs(5))),
        ("-1", None),
    ] {
        let broker = TestBroker::start().await;
        let settings = [("retention.ms", retention_ms), ("segment.ms", "5000")];
        broker.wire().await.create_topic("n", 1, &settings).await;
        assert_eq!(broker.ensure().await.unwrap().purged_after, purged_after, "{retention_ms}");
    }
}

#[tokio::test]
async fn processes_that_start_at_once_agree() {
    for _ in 0..5 {
        let broker = TestBroker::start().await;
        let (a, b, c) = tokio::join!(broker.ensure(), broker.ensure(), broker.ensure());
        let topics = a.unwrap();
        assert_eq!(b.unwrap(), topics);
        assert_eq!(c.unwrap(), topics);
        let layouts = broker.layouts().await;
        assert!(!layouts.is_empty() && layouts.iter().all(|it| it == LAYOUT), "{layouts:?}");
        assert_eq!(broker.users().await, seed_users());
    }
}

#[tokio::test]
async fn two_processes_that_disagree_never_both_go_on() {
    for _ in 0..5 {
        let broker = TestBroker::start().await;
        let sarama = TopicsConfig { partitioner: Some(Partitioner::Sarama), ..config() };
        let java = TopicsConfig { partitioner: Some(Partitioner::Java), ..config() };
        let (a, b) = tokio::join!(broker.ensure_as(&java), broker.ensure_as(&sarama));
        assert!(a.is_err() || b.is_err(), "{a:?} {b:?}");
        for error in [a.err(), b.err()].into_iter().flatten() {
            assert!(matches!(error, TopicsError::Unsuitable(_)), "{error}");
        }
    }
}

#[tokio::test]
async fn the_partitioner_of_new_topics_can_be_chosen_and_is_remembered() {
    let broker = TestBroker::start().await;
    let sarama = TopicsConfig { partitioner: Some(Partitioner::Sarama), ..config() };
    assert_eq!(broker.ensure_as(&sarama).await.unwrap().partitioner, Partitioner::Sarama);
    assert_eq!(broker.ensure().await.unwrap().partitioner, Partitioner::Sarama);
}

#[tokio::test]
async fn another_partitioner_is_refused_and_the_flag_named() {
    let broker = TestBroker::start().await;
    broker.ensure().await.unwrap();
    let sarama = TopicsConfig { partitioner: Some(Partitioner::Sarama), ..config() };
    assert_eq!(
        broker.refusal(&sarama).await,
        "the topics of n were laid out with the partitioner java, not sarama: change --partitioner"
    );
}

#[tokio::test]
async fn topics_whose_settings_lose_records_are_refused() {
    for (topic, settings, reason) in [
        ("n", ("cleanup.policy", "compact"), "topic n is compacted"),
        ("n", ("cleanup.policy", "compact,delete"), "topic n is compacted"),
        ("n.users", ("cleanup.policy", "delete"), "topic n.users is not compacted"),
    ] {
        let broker = TestBroker::start().await;
        broker.wire().await.create_topic(topic, 1, &[settings]).await;
        let refusal = broker.refusal(&config()).await;
        assert!(refusal.starts_with(reason), "{settings:?}: {refusal}");
        assert!(refusal.contains("cleanup.policy"), "{refusal}");
        assert_eq!(broker.records("n.users").await, [], "nothing was written");
    }
}

#[tokio::test]
async fn a_compacted_topic_is_refused_however_its_policy_is_written() {
    for policy in [" compact", "delete, compact", "compact , delete"] {
        let broker = TestBroker::start().await;
        broker.wire().await.create_topic("n", 1, &[("cleanup.policy", policy)]).await;
        let refusal = broker.refusal(&config()).await;
        assert!(refusal.starts_with("topic n is compacted"), "{policy:?}: {refusal}");
    }
}

#[tokio::test]
async fn topics_that_somebody_else_made_are_laid_out_as_they_are() {
    let broker = TestBroker::start().await;
    broker.wire().await.create_topic("n", 2, &[]).await;
    assert_eq!(broker.ensure().await.unwrap().partitions, 2);
    assert_eq!(broker.layouts().await, [LAYOUT.replace('6', "2")]);
}

#[tokio::test]
async fn another_number_of_partitions_than_the_layout_has_is_refused() {
    let broker = TestBroker::start().await;
    broker.ensure().await.unwrap();
    let mut wire = broker.wire().await;
    wire.delete_topic("n").await;
    wire.create_topic("n", 8, &[]).await;
    let refusal = broker.refusal(&config()).await;
    assert!(refusal.starts_with("topic n has 8 partitions, but was laid out with 6"), "{refusal}");
}

#[tokio::test]
async fn a_layout_that_makes_no_sense_is_refused() {
    const UNREADABLE: &str = "the record $layout of topic n.users cannot be read";
    for (value, reason) in [
        (Some(""), UNREADABLE),
        (Some("nonsense"), UNREADABLE),
        (Some("{}"), UNREADABLE),
        (Some(r#"{"format":1,"partitions":6,"partitioner":"other"}"#), UNREADABLE),
        (Some(r#"{"format":1,"partitions":"6","partitioner":"java"}"#), UNREADABLE),
        (None, UNREADABLE),
        (
            Some(r#"{"format":2,"partitions":6,"partitioner":"java"}"#),
            "the topics of n have format 2, this program knows 1",
        ),
        (
            Some(r#"{"format":1,"partitions":0,"partitioner":"java"}"#),
            "topic n has 6 partitions, but was laid out with 0",
        ),
    ] {
        let broker = TestBroker::start().await;
        broker.wire().await.create_topic("n.users", 1, &[("cleanup.policy", "compact")]).await;
        broker.append_records("n.users", vec![layout(value)]).await;
        let refusal = broker.refusal(&config()).await;
        assert!(refusal.starts_with(reason), "{value:?}: {refusal}");
    }
}

#[tokio::test]
async fn two_different_layouts_are_refused_whichever_is_asked_for() {
    let broker = TestBroker::start().await;
    broker.ensure().await.unwrap();
    let other = LAYOUT.replace("java", "sarama");
    broker.append_records("n.users", vec![layout(Some(&other))]).await;
    for partitioner in [None, Some(Partitioner::Java), Some(Partitioner::Sarama)] {
        let refusal = broker.refusal(&TopicsConfig { partitioner, ..config() }).await;
        assert!(
            refusal.starts_with("topic n.users has two different $layout records"),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn the_same_layout_twice_is_one_layout() {
    let broker = TestBroker::start().await;
    let topics = broker.ensure().await.unwrap();
    broker.append_records("n.users", vec![layout(Some(LAYOUT))]).await;
    assert_eq!(broker.ensure().await.unwrap(), topics);
}

#[tokio::test]
async fn a_users_topic_that_is_not_empty_gets_no_seeds() {
    let broker = TestBroker::start().await;
    broker.wire().await.create_topic("n.users", 1, &[("cleanup.policy", "compact")]).await;
    let eve = User { id: "7".parse().unwrap(), name: "Eve".into() };
    let record = DirectoryChange::Present(eve.clone()).to_record(now()).unwrap();
    broker.append_records("n.users", vec![record]).await;
    broker.ensure().await.unwrap();
    assert_eq!(broker.layouts().await, [LAYOUT]);
    assert_eq!(broker.users().await, [eve]);
}

#[tokio::test]
async fn installations_share_a_cluster() {
    let broker = TestBroker::start().await;
    let other = TopicsConfig { topic: "other".into(), partitions_at_creation: 3, ..config() };
    let (n, other) = (broker.ensure().await.unwrap(), broker.ensure_as(&other).await.unwrap());
    assert_eq!((n.partitions, other.partitions), (6, 3));
    assert_ne!(n.topic_id, other.topic_id);
    assert_eq!(broker.ensure().await.unwrap(), n);
}

#[tokio::test]
async fn a_broker_that_is_away_is_unavailable_and_the_error_names_it() {
    let mut broker = TestBroker::start().await;
    broker.stop().await;
    let Err(TopicsError::Unavailable(error)) = broker.ensure().await else {
        panic!("not unavailable");
    };
    assert!(error.is_retriable());
    assert!(error.to_string().contains(&broker.cluster().brokers[0]), "{error}");
}

#[tokio::test]
async fn the_first_broker_that_answers_is_enough() {
    let mut away = TestBroker::start().await;
    away.stop().await;
    let broker = TestBroker::start().await;
    let mut cluster = away.cluster();
    cluster.brokers.extend(broker.cluster().brokers);
    ensure(&cluster, &config(), &[], now()).await.unwrap();
}

#[tokio::test]
async fn connecting_waits_for_the_broker_and_says_so() {
    let mut broker = TestBroker::start().await;
    broker.stop().await;
    let (cluster, config, stop) = (broker.cluster(), config(), CancellationToken::new());
    let failures = Cell::new(0);
    let connecting =
        connect(&cluster, &config, &[], now, &stop, |_| failures.set(failures.get() + 1));
    let starting = async {
        crate::support::eventually(crate::support::soon(), async || failures.get() > 1).await;
        broker.start_again().await;
    };
    let both = async { tokio::join!(connecting, starting) };
    let (topics, ()) = tokio::time::timeout(LONG, both).await.unwrap();
    assert_eq!(topics.unwrap().unwrap().partitions, 6);
}

#[tokio::test]
async fn connecting_ends_when_told_to_and_at_what_trying_again_does_not_change() {
    let stop = CancellationToken::new();
    let connecting = async |cluster| {
        let config = config();
        let trying = connect(&cluster, &config, &[], now, &stop, |_| stop.cancel());
        tokio::time::timeout(Duration::from_secs(10), trying).await.unwrap()
    };
    // The first failure stops it. Nothing listens on port 1.
    assert!(connecting(cluster("127.0.0.1:1")).await.unwrap().is_none());

    let stop = CancellationToken::new();
    let broker = TestBroker::start().await;
    broker.wire().await.create_topic("n", 1, &[("cleanup.policy", "compact")]).await;
    let (cluster, config) = (broker.cluster(), config());
    let refused = connect(&cluster, &config, &[], now, &stop, |error| panic!("{error}")).await;
    assert!(matches!(refused, Err(TopicsError::Unsuitable(_))), "{refused:?}");
}
