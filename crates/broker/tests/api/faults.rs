//! Faults on purpose.

use std::io::ErrorKind;
use std::time::Duration;

use broker::{ApiKey, Faults, ResponseError};
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest,
    ProduceResponse,
};
use kafka_protocol::protocol::Decodable;

use crate::support::{
    LONG, TestBroker, Wire, batch, batch_of, eventually, fetch, only_partition, produce, topic,
};

async fn start() -> (TestBroker, Wire, Faults) {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    let faults = broker.faults();
    (broker, wire, faults)
}

/// The next offset of the topic, by way of a connection of its own.
async fn next_offset(broker: &TestBroker) -> i64 {
    broker.connect().await.fetch(&fetch("t", 0)).await.high_watermark
}

fn has_no_answer(wire: &Wire) -> bool {
    let read = wire.stream.try_read(&mut [0]);
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[tokio::test]
async fn a_stall_holds_the_answers_of_one_kind_of_request_until_it_is_released() {
    let (broker, mut wire, faults) = start().await;
    faults.stall(ApiKey::Produce);
    wire.send(9, &produce("t", batch(&["x"]))).await;
    eventually(LONG, async || faults.held() == 1).await;
    assert_eq!(next_offset(&broker).await, 1, "the append is done, and fetches are answered");
    assert!(has_no_answer(&wire));
    faults.release();
    assert_eq!(only_partition(wire.receive::<ProduceRequest>(9).await).base_offset, 0);
    assert_eq!(wire.produce("t", batch(&["y"])).await.base_offset, 1);
    assert_eq!(faults.held(), 0);
}

#[tokio::test]
async fn a_stall_of_all_ends_when_the_broker_stops() {
    let (mut broker, mut wire, faults) = start().await;
    let mut other = broker.connect().await;
    faults.stall_all();
    wire.send(9, &produce("t", batch(&["x"]))).await;
    other.send(12, &MetadataRequest::default()).await;
    eventually(LONG, async || faults.held() == 2).await;
    assert!(has_no_answer(&wire) && has_no_answer(&other));
    broker.stop().await;
    assert_eq!(only_partition(wire.receive::<ProduceRequest>(9).await).error_code, 0);
    assert_eq!(other.receive::<MetadataRequest>(12).await.brokers.len(), 1);
}

#[tokio::test]
async fn a_cut_request_is_not_done_and_its_connection_ends() {
    let (broker, mut wire, faults) = start().await;
    faults.cut(ApiKey::Produce, 2);
    for _ in 0..2 {
        let mut cut = broker.connect().await;
        cut.send(9, &produce("t", batch(&["x"]))).await;
        assert_eq!(cut.receive_frame().await, None);
    }
    assert_eq!(wire.fetch(&fetch("t", 0)).await.high_watermark, 0);
    assert_eq!(wire.produce("t", batch(&["x"])).await.base_offset, 0);
}

#[tokio::test]
async fn a_produce_is_answered_an_error_as_often_as_asked() {
    let (broker, mut wire, faults) = start().await;
    for error in [ResponseError::NotLeaderOrFollower, ResponseError::RequestTimedOut] {
        faults.fail_produce(error, 2);
        for expected in [error.code(), error.code(), 0] {
            assert_eq!(wire.produce("t", batch(&["x"])).await.error_code, expected);
        }
    }
    assert_eq!(next_offset(&broker).await, 2);
}

#[tokio::test]
async fn a_fetch_is_answered_an_error_at_once_in_every_version() {
    let (_broker, mut wire, faults) = start().await;
    let patient = fetch("t", 0).with_max_wait_ms(60_000);
    faults.fail_fetch(ResponseError::KafkaStorageError, 9);
    for version in 4..=12 {
        let response = wire.call(version, &patient).await;
        let found = &response.responses[0].partitions[0];
        assert_eq!(found.error_code, ResponseError::KafkaStorageError.code());
        assert!(found.records.as_ref().is_none_or(|records| records.is_empty()));
    }
    assert_eq!(wire.fetch(&fetch("t", 0)).await.error_code, 0);
}

#[tokio::test]
async fn a_throttled_produce_is_appended_and_answered_with_its_throttle_time() {
    let (_broker, mut wire, faults) = start().await;
    faults.throttle_produce(Duration::from_millis(1_500), 1);
    for (offset, throttle_ms) in [(0, 1_500), (1, 0)] {
        let response = wire.call(9, &produce("t", batch(&["x"]))).await;
        assert_eq!(response.throttle_time_ms, throttle_ms);
        assert_eq!(only_partition(response).base_offset, offset);
    }
}

#[tokio::test]
async fn a_lost_answer_is_of_a_request_that_was_done() {
    let (broker, mut wire, faults) = start().await;
    let init = InitProducerIdRequest::default().with_transactional_id(None);
    let id = *wire.call(4, &init).await.producer_id;
    let numbered = || produce("t", batch_of(&["x"], (id, 0, 0)));
    faults.lose_answer(ApiKey::Produce, 1);
    wire.send(9, &numbered()).await;
    assert_eq!(wire.receive_frame().await, None);
    let mut wire = broker.connect().await;
    assert_eq!(only_partition(wire.call(9, &numbered()).await).base_offset, 0);
    assert_eq!(wire.fetch(&fetch("t", 0)).await.high_watermark, 1, "the repeat was found");
    faults.lose_answer(ApiKey::CreateTopics, 1);
    let create = CreateTopicsRequest::default().with_topics(vec![topic("u", 1, &[])]);
    wire.send(7, &create).await;
    assert_eq!(wire.receive_frame().await, None);
    let again = broker.connect().await.call(7, &create).await;
    assert_eq!(again.topics[0].error_code, ResponseError::TopicAlreadyExists.code());
}

#[tokio::test]
async fn a_request_meets_one_fault_at_a_time() {
    let (broker, _wire, faults) = start().await;
    faults.throttle_produce(Duration::from_secs(1), 1);
    faults.lose_answer(ApiKey::Produce, 1);
    faults.fail_produce(ResponseError::NotLeaderOrFollower, 1);
    faults.cut(ApiKey::Produce, 1);
    let mut met = Vec::new();
    for _ in 0..5 {
        let mut wire = broker.connect().await;
        wire.send(9, &produce("t", batch(&["x"]))).await;
        met.push(wire.receive_frame().await.map(|mut frame| {
            let _header = frame.split_to(5);
            let response = ProduceResponse::decode(&mut frame, 9).unwrap();
            (response.throttle_time_ms, only_partition(response).error_code)
        }));
    }
    let failed = Some((0, ResponseError::NotLeaderOrFollower.code()));
    assert_eq!(met, [None, failed, None, Some((1_000, 0)), Some((0, 0))]);
    assert_eq!(next_offset(&broker).await, 3, "also what is in the lost answer");
}

#[tokio::test]
async fn nothing_goes_wrong_any_more_once_the_faults_are_cleared() {
    let (_broker, mut wire, faults) = start().await;
    faults.stall(ApiKey::Fetch);
    wire.send(12, &fetch("t", 0)).await;
    eventually(LONG, async || faults.held() == 1).await;
    faults.stall_all();
    faults.cut(ApiKey::Produce, u32::MAX);
    faults.lose_answer(ApiKey::Produce, u32::MAX);
    faults.fail_produce(ResponseError::UnknownServerError, u32::MAX);
    faults.throttle_produce(Duration::MAX, u32::MAX);
    faults.clear();
    assert_eq!(wire.receive::<FetchRequest>(12).await.error_code, 0);
    let response = wire.call(9, &produce("t", batch(&["x"]))).await;
    assert_eq!(response.throttle_time_ms, 0);
    assert_eq!(only_partition(response).error_code, 0);
}
