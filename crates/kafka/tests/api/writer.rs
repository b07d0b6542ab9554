//! Writing a partition.

use bytes::Bytes;
use kafka::{Lane, ProduceError, Writer, WriterConfig, WriterMetrics};
use models::{Headers, MAX_RECORD_BYTES, Offset, Partition, Record};
use std::time::Duration;
use tokio::time::Instant;

use crate::support::{
    Begun, LONG, TestBroker, begin, eventually, record, record_of, soon, text_of, writer,
};

type Produced = Result<Offset, ProduceError>;

/// Puts records into a lane, in this order, without waiting for any of them.
pub(crate) async fn begin_all(
    writer: &Writer,
    lane: Lane,
    records: Vec<Record>,
) -> Vec<Begun<Produced>> {
    let mut begun = Vec::new();
    for record in records {
        let writer = writer.clone();
        let producing = async move { writer.produce(record, lane, soon()).await };
        begun.push(begin(producing).await.unwrap_or_else(|result| panic!("{result:?}")));
    }
    begun
}

pub(crate) async fn offsets(begun: Vec<Begun<Produced>>) -> Vec<i64> {
    let mut offsets = Vec::new();
    for waiting in begun {
        offsets.push(waiting.await.unwrap().0);
    }
    offsets
}

fn numbered(count: usize) -> Vec<Record> {
    (0..count).map(|number| record(&number.to_string())).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn ten_thousand_sends_at_once_keep_their_order_and_are_told_their_offsets() {
    const COUNT: usize = 10_000;
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let begun = begin_all(&writer, Lane::Single, numbered(COUNT)).await;
    // The first is on its way at once.
    assert_eq!(writer.waiting().0, COUNT - 1);
    assert_eq!(offsets(begun).await, (0..COUNT as i64).collect::<Vec<_>>());
    assert_eq!(writer.waiting(), (0, 0));
    assert_eq!(broker.texts("t").await, numbers(COUNT));
}

#[tokio::test]
async fn key_value_headers_and_time_arrive_as_they_were_given() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let full = Record {
        key: Some(b"\x00\xff".as_slice().into()),
        headers: Headers::of(&[("a", b"1"), ("b", b"")]),
        ..record("text")
    };
    let empty = Record { key: Some(Bytes::new()), value: Some(Bytes::new()), ..record("") };
    let tombstone = Record { value: None, ..full.clone() };
    let sent = vec![full, empty, tombstone];
    broker.append_records("t", sent.clone()).await;
    let found: Vec<_> = broker.records("t").await.into_iter().map(|(_, record)| record).collect();
    assert_eq!(found, sent);
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_single_sends_need_not_wait_for_all_of_it() {
    const COUNT: usize = 2_000;
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let batch = begin_all(&writer, Lane::Batch, vec![record_of(1_000); COUNT]).await;
    let single = begin_all(&writer, Lane::Single, vec![record("single")]).await;
    let batch = offsets(batch).await;
    assert_eq!(batch.first(), Some(&0), "on its way at once");
    assert_eq!(offsets(single).await, [1], "before the rest of the batch");
    assert_eq!(batch[1..], (2..=COUNT as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn records_of_every_size_arrive() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let sizes = [0, 1, 7_400, 7_500, 7_600, 8_000, 50_000, 96_000, 500_000, MAX_RECORD_BYTES];
    let begun =
        begin_all(&writer, Lane::Single, sizes.iter().map(|bytes| record_of(*bytes)).collect());
    assert_eq!(offsets(begun.await).await, (0..sizes.len() as i64).collect::<Vec<_>>());
    let found = broker.records("t").await;
    let found: Vec<_> = found.iter().map(|(_, record)| record.size_bytes()).collect();
    assert_eq!(found, sizes);
}

#[tokio::test]
async fn one_byte_too_many_is_refused_before_it_is_sent() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let result =
        writer.produce(record_of(MAX_RECORD_BYTES + 1), Lane::Single, soon()).await.unwrap_err();
    assert!(matches!(result, ProduceError::TooLarge { size_bytes: 900_001 }), "{result}");
    assert_eq!(broker.records("t").await, []);
}

#[tokio::test]
async fn at_the_bound_the_newcomer_is_told_busy_and_the_rest_is_written() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let config = WriterConfig { max_queued_bytes: 100_000 };
    let (writer, _task) = writer(broker.cluster(), "t", config);
    // The first is on its way at once; eleven more have room.
    let begun = begin_all(&writer, Lane::Single, vec![record_of(9_000); 12]).await;
    for lane in [Lane::Single, Lane::Batch] {
        let late = writer.produce(record_of(9_000), lane, soon()).await;
        assert!(matches!(late, Err(ProduceError::Busy)), "{late:?}");
    }
    assert_eq!(offsets(begun).await.len(), 12);
    assert_eq!(writer.produce(record("room"), Lane::Single, soon()).await.unwrap(), Offset(12));
}

#[tokio::test]
async fn a_batch_takes_half_of_the_room_and_no_more() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let config = WriterConfig { max_queued_bytes: 100_000 };
    let (writer, _task) = writer(broker.cluster(), "t", config);
    // The first is on its way at once; five more have room.
    let batch = begin_all(&writer, Lane::Batch, vec![record_of(9_000); 6]).await;
    let late = writer.produce(record_of(9_000), Lane::Batch, soon()).await;
    assert!(matches!(late, Err(ProduceError::Busy)), "{late:?}");
    let single = begin_all(&writer, Lane::Single, vec![record_of(9_000); 5]).await;
    assert_eq!(offsets(single).await, [1, 2, 3, 4, 5]);
    assert_eq!(offsets(batch).await, [0, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn a_record_the_broker_refuses_does_not_fail_its_neighbours() {
    let broker = TestBroker::with_topic("t", &[("max.message.bytes", "2000")]).await;
    let (writer, _task) = broker.writer("t");
    let mut records = numbered(20);
    records.insert(10, record_of(5_000));
    let mut begun = begin_all(&writer, Lane::Single, records).await;
    let refused = begun.remove(10);
    assert_eq!(offsets(begun).await, (0..20).collect::<Vec<_>>());
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.to_string(), "the broker refuses the record: MessageTooLarge");
    assert_eq!(broker.texts("t").await, numbers(20));
}

#[tokio::test]
async fn what_is_too_large_only_together_is_written_one_by_one() {
    let broker = TestBroker::with_topic("t", &[("max.message.bytes", "2000")]).await;
    let (writer, _task) = broker.writer("t");
    let begun = begin_all(&writer, Lane::Single, vec![record_of(1_500); 8]).await;
    assert_eq!(offsets(begun).await, (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_waits_while_the_broker_restarts_is_written_in_order() {
    const COUNT: usize = 1_000;
    let mut broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    writer.produce(record("first"), Lane::Single, soon()).await.unwrap();
    broker.stop().await;
    let begun = begin_all(&writer, Lane::Single, numbered(COUNT)).await;
    broker.start_again().await;
    assert_eq!(offsets(begun).await, (1..=COUNT as i64).collect::<Vec<_>>());
    let texts = broker.texts("t").await;
    assert_eq!(texts[1..], numbers(COUNT));
}

#[tokio::test]
async fn restarts_under_load_lose_nothing_and_keep_the_order() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let mut begun = Vec::new();
    for round in 0..4 {
        let records = (0..500).map(|number| record(&(round * 500 + number).to_string()));
        begun.extend(begin_all(&writer, Lane::Single, records.collect()).await);
        // Some of the round is written, some is in flight, some waits.
        eventually(soon(), async || writer.waiting().0 < 400).await;
        broker.stop().await;
        broker.start_again().await;
    }
    let offsets = offsets(begun).await;
    let found = broker.records("t").await;
    for (number, offset) in offsets.iter().enumerate() {
        let at = usize::try_from(*offset).unwrap();
        assert_eq!(text_of(&found[at].1), number.to_string(), "at its own offset");
    }
    // A retry may append again, but only the records that were in flight, all of them, in order.
    assert!(offsets.is_sorted(), "the order is kept");
    let mut seen: Vec<_> = found.iter().map(|(_, record)| text_of(record)).collect();
    seen.sort_by_key(|text| text.parse::<usize>().unwrap());
    seen.dedup();
    assert_eq!(seen, numbers(2_000), "nothing is lost");
}

#[tokio::test]
async fn a_send_that_was_told_too_late_is_not_written_when_the_broker_is_back() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    writer.produce(record("first"), Lane::Single, soon()).await.unwrap();
    broker.stop().await;
    let began = Instant::now();
    let deadline = began + Duration::from_millis(300);
    let late = writer.produce(record("late"), Lane::Single, deadline).await;
    assert!(matches!(late, Err(ProduceError::DeadlinePassed { .. })), "{late:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    broker.start_again().await;
    writer.produce(record("next"), Lane::Single, soon()).await.unwrap();
    assert_eq!(broker.texts("t").await, ["first", "next"]);
}

#[tokio::test]
async fn nobody_is_told_that_a_record_may_be_written_that_never_left() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    broker.stop().await;
    let (writer, _task) = broker.writer("t");
    let deadline = Instant::now() + Duration::from_millis(300);
    let late = writer.produce(record("late"), Lane::Single, deadline).await;
    let never_left = matches!(late, Err(ProduceError::DeadlinePassed { may_be_written: false }));
    assert!(never_left, "no connection was ever open: {late:?}");
}

#[tokio::test]
async fn a_deadline_that_has_passed_already_writes_nothing() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let late = writer.produce(record("late"), Lane::Single, Instant::now()).await;
    assert!(matches!(late, Err(ProduceError::DeadlinePassed { .. })), "{late:?}");
    writer.produce(record("next"), Lane::Single, soon()).await.unwrap();
    assert_eq!(broker.texts("t").await, ["next"]);
}

#[tokio::test]
async fn a_closed_writer_writes_what_waits_takes_nothing_new_and_ends() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, task) = broker.writer("t");
    let begun = begin_all(&writer, Lane::Single, numbered(100)).await;
    let batch = begin_all(&writer, Lane::Batch, vec![record("batch")]).await;
    writer.close();
    let late = writer.produce(record("late"), Lane::Single, soon()).await;
    assert!(matches!(late, Err(ProduceError::Stopped)), "{late:?}");
    assert_eq!(offsets(begun).await, (0..100).collect::<Vec<_>>());
    assert_eq!(offsets(batch).await, [100]);
    tokio::time::timeout(LONG, task).await.unwrap().unwrap();
    assert_eq!(broker.records("t").await.len(), 101);
}

#[tokio::test]
async fn a_closed_writer_whose_broker_is_away_ends_with_the_last_deadline() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    broker.stop().await;
    let (writer, task) = broker.writer("t");
    let deadline = Instant::now() + Duration::from_millis(500);
    let producing = writer.produce(record("late"), Lane::Single, deadline);
    let closing = async { writer.close() };
    let (late, ()) = tokio::join!(producing, closing);
    assert!(matches!(late, Err(ProduceError::DeadlinePassed { .. })), "{late:?}");
    tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_waited_for_and_never_made() {
    let broker = TestBroker::start().await;
    let (writer, _task) = broker.writer("t");
    let begun = begin_all(&writer, Lane::Single, vec![record("early")]).await;
    let deadline = Instant::now() + Duration::from_millis(700);
    let late = writer.produce(record("late"), Lane::Single, deadline).await;
    assert!(matches!(late, Err(ProduceError::DeadlinePassed { .. })), "{late:?}");
    let mut wire = broker.wire().await;
    assert_eq!(wire.look_up("t").await, None);
    wire.create_topic("t", 1, &[]).await;
    assert_eq!(offsets(begun).await, [0]);
    assert_eq!(broker.texts("t").await, ["early"]);
}

#[tokio::test]
async fn records_are_counted_once_they_are_acknowledged() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut registry = prometheus_client::registry::Registry::default();
    let metrics = WriterMetrics::default();
    metrics.register(&mut registry);
    let config = WriterConfig::default();
    let (writer, task) = Writer::new(broker.cluster(), "t", Partition(0), &config, metrics);
    tokio::spawn(task);
    offsets(begin_all(&writer, Lane::Single, numbered(50)).await).await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in ["produced_records_total 50", "produce_requests_total 2", "produce_retries_total 0"]
    {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
}
