//! What a fetch returns, and when.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::{DeleteTopicsRequest, FetchRequest};
use tokio::time::Instant;

use crate::support::{LONG, TestBroker, Wire, batch, eventually, fetch, name};

fn code(error: ResponseError) -> i16 {
    error.code()
}

async fn with_three_batches() -> (TestBroker, Wire) {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    for values in [["a", "b"], ["c", "d"], ["e", "f"]] {
        assert_eq!(wire.produce("t", batch(&values)).await.error_code, 0);
    }
    (broker, wire)
}

/// Base offsets of the batches in a response.
fn base_offsets(records: Option<bytes::Bytes>) -> Vec<i64> {
    let mut records = records.unwrap();
    let mut found = Vec::new();
    while !records.is_empty() {
        found.push(i64::from_be_bytes(records[..8].try_into().unwrap()));
        let length = i32::from_be_bytes(records[8..12].try_into().unwrap());
        records = records.slice(12 + usize::try_from(length).unwrap()..);
    }
    found
}

#[tokio::test]
async fn whole_batches_are_returned_from_the_one_that_holds_the_offset() {
    let (_broker, mut wire) = with_three_batches().await;
    for (offset, expected) in [(0, vec![0, 2, 4]), (3, vec![2, 4]), (5, vec![4]), (6, vec![])] {
        let found = wire.fetch(&fetch("t", offset)).await;
        assert_eq!((found.error_code, found.high_watermark, found.log_start_offset), (0, 6, 0));
        assert_eq!(found.last_stable_offset, 6);
        assert_eq!(base_offsets(found.records), expected);
    }
}

#[tokio::test]
async fn a_small_limit_still_returns_one_batch() {
    let (_broker, mut wire) = with_three_batches().await;
    let mut small = fetch("t", 2);
    small.topics[0].partitions[0].partition_max_bytes = 1;
    assert_eq!(base_offsets(wire.fetch(&small).await.records), [2]);
    let small = fetch("t", 2).with_max_bytes(1);
    assert_eq!(base_offsets(wire.fetch(&small).await.records), [2]);
    let two = batch(&["a", "b"]).len() as i32 * 2;
    assert_eq!(base_offsets(wire.fetch(&fetch("t", 0).with_max_bytes(two)).await.records), [0, 2]);
}

#[tokio::test]
async fn what_is_wrong_is_answered_at_once() {
    let (_broker, mut wire) = with_three_batches().await;
    let began = Instant::now();
    let patient = |request: FetchRequest| request.with_max_wait_ms(15_000);
    let beyond = wire.fetch(&patient(fetch("t", 7))).await;
    assert_eq!(beyond.error_code, code(ResponseError::OffsetOutOfRange));
    assert_eq!((beyond.high_watermark, beyond.log_start_offset), (6, 0));
    let unknown = wire.fetch(&patient(fetch("nope", 0))).await;
    assert_eq!(unknown.error_code, code(ResponseError::UnknownTopicOrPartition));
    let mut newer = patient(fetch("t", 6));
    newer.topics[0].partitions[0].current_leader_epoch = 1;
    let newer = wire.fetch(&newer).await;
    assert_eq!(newer.error_code, code(ResponseError::UnknownLeaderEpoch));
    let session = wire.call(12, &fetch("t", 0).with_session_id(5)).await;
    assert_eq!(session.error_code, code(ResponseError::FetchSessionIdNotFound));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn several_partitions_are_answered_in_one_response() {
    let (_broker, mut wire) = with_three_batches().await;
    wire.create_topic("u", &[]).await;
    wire.produce("u", batch(&["x"])).await;
    let mut request = fetch("t", 0);
    let other = FetchPartition::default().with_partition(9);
    request.topics[0].partitions.push(other);
    request.topics.extend(fetch("u", 0).topics);
    let response = wire.call(12, &request).await;
    let [t, u] = &response.responses[..] else { panic!("two topics") };
    assert_eq!((&t.topic, &u.topic), (&name("t"), &name("u")));
    assert_eq!(base_offsets(t.partitions[0].records.clone()), [0, 2, 4]);
    assert_eq!(t.partitions[1].error_code, code(ResponseError::UnknownTopicOrPartition));
    assert_eq!(base_offsets(u.partitions[0].records.clone()), [0]);
}

#[tokio::test]
async fn a_fetch_waits_for_the_bytes_it_asks_for() {
    let (broker, mut writer) = with_three_batches().await;
    let mut reader = broker.connect().await;
    let size = batch(&["a", "b"]).len() as i32;
    let wants_two = fetch("t", 6).with_min_bytes(2 * size).with_max_wait_ms(15_000);
    reader.send(12, &wants_two).await;
    for values in [["g", "h"], ["i", "j"]] {
        writer.produce("t", batch(&values)).await;
    }
    let response = reader.receive::<FetchRequest>(12).await;
    assert_eq!(base_offsets(response.responses[0].partitions[0].records.clone()), [6, 8]);
}

#[tokio::test]
async fn a_waiting_fetch_learns_that_its_topic_is_deleted() {
    let (broker, mut admin) = with_three_batches().await;
    let mut reader = broker.connect().await;
    reader.send(12, &fetch("t", 6).with_max_wait_ms(15_000)).await;
    let began = Instant::now();
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![name("t")]);
    assert_eq!(admin.call(5, &delete).await.responses[0].error_code, 0);
    let response = reader.receive::<FetchRequest>(12).await;
    let gone = code(ResponseError::UnknownTopicOrPartition);
    assert_eq!(response.responses[0].partitions[0].error_code, gone);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn retention_moves_the_log_start_and_a_reader_before_it_is_told() {
    let broker = TestBroker::start_with(|config| {
        config.limits.retention_interval = Duration::from_millis(5);
    })
    .await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[("retention.ms", "1000")]).await;
    wire.produce("t", batch(&["from", "1970"])).await;
    eventually(LONG, async || wire.fetch(&fetch("t", 2)).await.log_start_offset == 2).await;
    let found = wire.fetch(&fetch("t", 0)).await;
    assert_eq!(found.error_code, code(ResponseError::OffsetOutOfRange));
    assert_eq!((found.high_watermark, found.log_start_offset), (2, 2));
    assert_eq!(wire.produce("t", batch(&["next"])).await.base_offset, 2);
}
