//! Idempotent producers, with requests made by hand.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, TransactionalId};

use crate::support::{KEEP, TestBroker, Wire, batch_of, only_partition, produce, text};

const GAP: i16 = ResponseError::OutOfOrderSequenceNumber.code();
const STALE: i16 = ResponseError::InvalidProducerEpoch.code();

async fn start() -> (TestBroker, Wire, i64) {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[KEEP]).await;
    let id = producer_id(&mut wire).await;
    (broker, wire, id)
}

async fn producer_id(wire: &mut Wire) -> i64 {
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let response = wire.call(4, &request).await;
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    *response.producer_id
}

/// Error code and base offset of a batch with these values.
async fn offer(wire: &mut Wire, values: &[&str], producer: (i64, i16, i32)) -> (i16, i64) {
    let response = wire.produce("t", batch_of(values, producer)).await;
    (response.error_code, response.base_offset)
}

#[tokio::test]
async fn a_repeat_is_answered_with_its_first_offset() {
    let (mut broker, mut wire, id) = start().await;
    assert_eq!(offer(&mut wire, &["a", "b"], (id, 0, 0)).await, (0, 0));
    assert_eq!(offer(&mut wire, &["c"], (id, 0, 2)).await, (0, 2));
    broker.restart().await;
    let mut wire = broker.connect().await;
    assert_eq!(offer(&mut wire, &["a", "b"], (id, 0, 0)).await, (0, 0));
    assert_eq!(offer(&mut wire, &["c"], (id, 0, 2)).await, (0, 2));
    assert_eq!(offer(&mut wire, &["e"], (id, 0, 4)).await, (GAP, -1));
    assert_eq!(offer(&mut wire, &["d"], (id, 0, 3)).await, (0, 3));
}

#[tokio::test]
async fn a_new_epoch_fences_the_old_one() {
    let (_broker, mut wire, id) = start().await;
    assert_eq!(offer(&mut wire, &["a"], (id, 0, 0)).await, (0, 0));
    assert_eq!(offer(&mut wire, &["b"], (id, 1, 1)).await, (GAP, -1));
    assert_eq!(offer(&mut wire, &["b"], (id, 1, 0)).await, (0, 1));
    assert_eq!(offer(&mut wire, &["c"], (id, 0, 1)).await, (STALE, -1));
}

#[tokio::test]
async fn pipelined_requests_are_appended_and_answered_in_order() {
    let (_broker, mut wire, id) = start().await;
    for sequence in 0..100 {
        wire.send(9, &produce("t", batch_of(&["x"], (id, 0, sequence)))).await;
    }
    for expected in 0..100 {
        let (_, response) = wire.receive_any::<ProduceRequest>(9).await;
        let partition = only_partition(response);
        assert_eq!((partition.error_code, partition.base_offset), (0, expected));
    }
}

#[tokio::test]
async fn a_repeat_in_the_same_sync_is_found() {
    let (_broker, mut wire, id) = start().await;
    for sequence in [0, 0, 1, 0] {
        wire.send(9, &produce("t", batch_of(&["x"], (id, 0, sequence)))).await;
    }
    for expected in [0, 0, 1, 0] {
        let (_, response) = wire.receive_any::<ProduceRequest>(9).await;
        assert_eq!(only_partition(response).base_offset, expected);
    }
}

#[tokio::test]
async fn an_id_is_handed_out_once_also_after_a_restart() {
    let (mut broker, mut wire, first) = start().await;
    let second = producer_id(&mut wire).await;
    broker.restart().await;
    let third = producer_id(&mut broker.connect().await).await;
    assert!(first < second && second < third);
}

#[tokio::test]
async fn a_transactional_producer_is_refused() {
    let (_broker, mut wire, id) = start().await;
    let refused = ResponseError::TransactionalIdAuthorizationFailed.code();
    let transactional = Some(TransactionalId(text("tx")));
    let init = InitProducerIdRequest::default().with_transactional_id(transactional.clone());
    assert_eq!(wire.call(4, &init).await.error_code, refused);
    let request = produce("t", batch_of(&["x"], (id, 0, 0)));
    let response = wire.call(9, &request.with_transactional_id(transactional)).await;
    assert_eq!(only_partition(response).error_code, refused);
}
