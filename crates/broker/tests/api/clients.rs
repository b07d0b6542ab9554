//! rskafka, the client library of the product.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{TimeZone, Utc};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use tokio::time::{Instant, timeout};

use crate::support::{LONG, TestBroker};

fn record(value: &str, timestamp_ms: i64) -> Record {
    Record {
        key: Some(b"key".to_vec()),
        value: Some(value.into()),
        headers: BTreeMap::from([("header".to_owned(), b"x".to_vec())]),
        timestamp: Utc.timestamp_millis_opt(timestamp_ms).unwrap(),
    }
}

async fn partition(broker: &TestBroker, create: bool) -> PartitionClient {
    let client = ClientBuilder::new(vec![broker.addr()]).build().await.unwrap();
    if create {
        let controller = client.controller_client().unwrap();
        controller.create_topic("events", 2, 1, 5_000).await.unwrap();
    }
    client.partition_client("events", 0, UnknownTopicHandling::Error).await.unwrap()
}

async fn values(partition: &PartitionClient, mut offset: i64) -> Vec<String> {
    let mut values = Vec::new();
    loop {
        let (records, high_watermark) =
            partition.fetch_records(offset, 1..1_000_000, 1_000).await.unwrap();
        for found in records {
            assert_eq!(found.offset, offset);
            offset += 1;
            values.push(String::from_utf8(found.record.value.unwrap()).unwrap());
        }
        if offset == high_watermark {
            return values;
        }
    }
}

#[tokio::test]
async fn records_come_back_also_after_a_restart() {
    let mut broker = TestBroker::start().await;
    let client = partition(&broker, true).await;
    // Old records would not outlive the restart.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut expected = Vec::new();
    for at in 0..5 {
        let sent: Vec<_> = (0..3).map(|part| format!("{at}.{part}")).collect();
        let records = sent.iter().map(|value| record(value, now + at)).collect();
        let offsets = client.produce(records, Compression::NoCompression).await.unwrap();
        assert_eq!(offsets.first().copied(), Some(expected.len() as i64));
        expected.extend(sent);
    }
    assert_eq!(values(&client, 0).await, expected);
    assert_eq!(values(&client, 7).await, expected[7..]);
    broker.restart().await;
    let client = partition(&broker, false).await;
    assert_eq!(values(&client, 0).await, expected);
    assert_eq!(client.get_offset(OffsetAt::Earliest).await.unwrap(), 0);
    assert_eq!(client.get_offset(OffsetAt::Latest).await.unwrap(), 15);
    let second = Utc.timestamp_millis_opt(now + 1).unwrap();
    assert_eq!(client.get_offset(OffsetAt::Timestamp(second)).await.unwrap(), 3);
}

#[tokio::test]
async fn a_waiting_fetch_wakes_on_a_produce() {
    let broker = TestBroker::start().await;
    let writer = partition(&broker, true).await;
    let reader = partition(&broker, false).await;
    for round in 0..20 {
        let began = Instant::now();
        let fetching = reader.fetch_records(round, 1..1_000_000, 15_000);
        let producing = writer.produce(vec![record("x", 1)], Compression::NoCompression);
        let (fetched, produced) =
            timeout(LONG, async { tokio::join!(fetching, producing) }).await.unwrap();
        assert_eq!(produced.unwrap(), [round]);
        assert_eq!(fetched.unwrap().0.len(), 1);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_fetch_without_records_waits_its_time_only() {
    let broker = TestBroker::start().await;
    let reader = partition(&broker, true).await;
    let (records, high_watermark) =
        timeout(LONG, reader.fetch_records(0, 1..1_000, 50)).await.unwrap().unwrap();
    assert_eq!((records.len(), high_watermark), (0, 0));
}

#[tokio::test]
async fn a_deleted_topic_is_gone() {
    let broker = TestBroker::start().await;
    let client = ClientBuilder::new(vec![broker.addr()]).build().await.unwrap();
    let controller = client.controller_client().unwrap();
    controller.create_topic("events", 2, 1, 5_000).await.unwrap();
    assert_eq!(client.list_topics().await.unwrap().len(), 1);
    controller.delete_topic("events", 5_000).await.unwrap();
    assert!(client.list_topics().await.unwrap().is_empty());
    controller.create_topic("events", 1, 1, 5_000).await.unwrap();
    let partition =
        client.partition_client("events", 0, UnknownTopicHandling::Error).await.unwrap();
    assert_eq!(partition.get_offset(OffsetAt::Latest).await.unwrap(), 0);
}
