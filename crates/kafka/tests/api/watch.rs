//! Noticing that the topics are no longer what they were.

use std::sync::Mutex;

use kafka::{Drift, Topics, TopicsConfig, ensure, watch};
use models::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::support::{LONG, TestBroker, cluster};

async fn laid_out() -> (TestBroker, Topics) {
    let broker = TestBroker::start().await;
    let config = TopicsConfig { topic: "n".into(), partitions_at_creation: 2, partitioner: None };
    let now = Timestamp::from_ms_clamped(0);
    let topics = ensure(&broker.cluster(), &config, &[], now).await.unwrap();
    (broker, topics)
}

/// What the first look reports.
async fn first_look(broker: &TestBroker, topics: &Topics) -> Option<Drift> {
    let stop = CancellationToken::new();
    let seen = Mutex::new(None);
    let report = |drift: Option<&Drift>| {
        *seen.lock().unwrap() = Some(drift.cloned());
        stop.cancel();
    };
    let cluster = broker.cluster();
    let watching = watch(&cluster, topics, &stop, report);
    tokio::time::timeout(LONG, watching).await.expect("it looks at once");
    seen.into_inner().unwrap().expect("a report")
}

#[tokio::test]
async fn topics_that_are_as_they_were_are_reported_as_such() {
    let (broker, topics) = laid_out().await;
    assert_eq!(first_look(&broker, &topics).await, None);
}

#[tokio::test]
async fn another_number_of_partitions_is_reported() {
    let (broker, topics) = laid_out().await;
    let before = Topics { partitions: 1, ..topics };
    let drift = first_look(&broker, &before).await;
    assert_eq!(drift, Some(Drift::Partitions { expected: 1, found: 2 }));
}

#[tokio::test]
async fn a_deleted_topic_is_reported() {
    let (broker, topics) = laid_out().await;
    broker.wire().await.delete_topic("n").await;
    let drift = first_look(&broker, &topics).await;
    assert_eq!(drift, Some(Drift::Recreated { expected: topics.topic_id, found: None }));
}

#[tokio::test]
async fn a_cluster_without_any_of_the_topics_ends_the_watch() {
    let (broker, topics) = laid_out().await;
    let other = TestBroker::start().await;
    let stop = CancellationToken::new();
    let seen = Mutex::new(None);
    let report = |drift: Option<&Drift>| *seen.lock().unwrap() = drift.cloned();
    let cluster = other.cluster();
    let watching = watch(&cluster, &topics, &stop, report);
    tokio::time::timeout(LONG, watching).await.expect("nobody has to stop it");
    assert_eq!(*seen.lock().unwrap(), Some(Drift::NoTopics));
    drop(broker);
}

#[tokio::test]
async fn a_topic_made_anew_ends_the_watch() {
    let (broker, topics) = laid_out().await;
    let mut wire = broker.wire().await;
    wire.delete_topic("n").await;
    wire.create_topic("n", 2, &[]).await;
    let (new, _) = wire.look_up("n").await.unwrap();
    let stop = CancellationToken::new();
    let seen = Mutex::new(None);
    let report = |drift: Option<&Drift>| *seen.lock().unwrap() = drift.cloned();
    let cluster = broker.cluster();
    let watching = watch(&cluster, &topics, &stop, report);
    tokio::time::timeout(LONG, watching).await.expect("nobody has to stop it");
    let expected = topics.topic_id;
    assert_eq!(*seen.lock().unwrap(), Some(Drift::Recreated { expected, found: Some(new) }));
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_no_drift() {
    let (_broker, topics) = laid_out().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = cluster(&listener.local_addr().unwrap().to_string());
    let stop = CancellationToken::new();
    let watching = watch(&cluster, &topics, &stop, |drift| panic!("{drift:?}"));
    let closing = async {
        drop(listener.accept().await.unwrap());
        stop.cancel();
    };
    let both = async { tokio::join!(watching, closing) };
    tokio::time::timeout(LONG, both).await.expect("it looks, and then ends");
}
