//! Batches that wait for room before a partition.

use std::time::Duration;

use kafka::{End, Lane, ProduceError, WriterConfig};
use models::{Offset, Partition};
use tokio::time::Instant;

use crate::support::{LONG, TestBroker, begin, eventually, record, record_of, soon, writer};
use crate::writer::{begin_all, offsets};

#[tokio::test]
async fn a_batch_that_waits_for_room_never_takes_more_than_half_and_is_written_in_order() {
    const COUNT: usize = 200;
    let mut broker = TestBroker::with_topic("t", &[]).await;
    broker.stop().await;
    let config = WriterConfig { max_queued_bytes: 100_000 };
    let (writer, _task) = writer(broker.cluster(), "t", config);
    let other = writer.clone();
    let records = (0..COUNT).map(|number| record(&format!("{number:0>5000}"))).collect();
    let mut batch = tokio::spawn(async move { other.begin_batch(records, soon()).await });
    // Five of the first request, and as many as there is room for.
    eventually(soon(), async || writer.waiting().1 > 40_000).await;
    assert!(writer.waiting().1 <= 50_000, "{:?}", writer.waiting());
    let single = begin_all(&writer, Lane::Single, vec![record("single")]).await;
    assert!(!batch.is_finished(), "most of it has no room yet");
    broker.start_again().await;
    let begun = tokio::time::timeout(LONG, &mut batch).await.unwrap().unwrap();
    let mut offsets = offsets(single).await;
    for begun in begun {
        offsets.push(begun.outcome().await.unwrap().0);
    }
    assert!(offsets[1..].is_sorted(), "{offsets:?}");
    offsets.sort_unstable();
    assert_eq!(offsets, (0..=COUNT as i64).collect::<Vec<_>>());
    assert_eq!(writer.waiting(), (0, 0));
}

#[tokio::test]
async fn batches_wait_for_room_in_the_order_in_which_they_came() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    broker.stop().await;
    let config = WriterConfig { max_queued_bytes: 30_000 };
    let (writer, _task) = writer(broker.cluster(), "t", config);
    let mut batches = Vec::new();
    for number in 0..4 {
        let writer = writer.clone();
        let records = (0..3).map(|_| record(&format!("{number}{:0>9000}", ""))).collect();
        let batch = async move { writer.begin_batch(records, soon()).await };
        batches.push(begin(batch).await.unwrap_or_else(|_| panic!("there is no room for it")));
    }
    broker.start_again().await;
    let mut all = Vec::new();
    for batch in batches {
        for begun in batch.await {
            all.push(begun.outcome().await.unwrap().0);
        }
    }
    assert_eq!(all, (0..12).collect::<Vec<_>>());
}

#[tokio::test]
async fn records_of_a_batch_that_find_no_room_in_time_are_told_so_and_never_written() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    broker.stop().await;
    let config = WriterConfig { max_queued_bytes: 30_000 };
    let (writer, _task) = writer(broker.cluster(), "t", config);
    let deadline = Instant::now() + Duration::from_millis(300);
    let records = vec![record_of(9_000), record_of(16_000), record_of(9_000), record_of(900_001)];
    let mut outcomes = Vec::new();
    for begun in writer.begin_batch(records, deadline).await {
        outcomes.push(begun.outcome().await);
    }
    assert!(
        matches!(
            outcomes.as_slice(),
            [
                Err(ProduceError::DeadlinePassed { may_be_written: false }),
                // It could never have room.
                Err(ProduceError::Busy),
                Err(ProduceError::DeadlinePassed { may_be_written: false }),
                Err(ProduceError::TooLarge { size_bytes: 900_001 }),
            ]
        ),
        "{outcomes:?}"
    );
    broker.start_again().await;
    writer.produce(record("next"), Lane::Single, soon()).await.unwrap();
    assert_eq!(broker.texts("t").await, ["next"]);
}

#[tokio::test]
async fn a_batch_that_waits_for_room_at_a_closed_writer_ends() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    broker.stop().await;
    let config = WriterConfig { max_queued_bytes: 30_000 };
    let (writer, _task) = writer(broker.cluster(), "t", config);
    let other = writer.clone();
    let handing_over = async move { other.begin_batch(vec![record_of(9_000); 3], soon()).await };
    let waiting = begin(handing_over).await.unwrap_or_else(|_| panic!("there is no room for it"));
    writer.close();
    broker.start_again().await;
    let mut outcomes = Vec::new();
    for begun in waiting.await {
        outcomes.push(begun.outcome().await);
    }
    assert!(matches!(outcomes.first(), Some(Ok(Offset(0)))), "{outcomes:?}");
    assert!(matches!(outcomes.last(), Some(Err(ProduceError::Stopped))), "{outcomes:?}");
}

#[tokio::test]
async fn the_end_of_a_partition_is_told_again_and_again_also_after_a_restart() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    let mut end = End::new(broker.cluster(), "t", Partition(0));
    for count in 0..3 {
        assert_eq!(end.offset().await.unwrap(), Offset(count));
        broker.append("t", &["text"]).await;
    }
    broker.stop().await;
    assert!(end.offset().await.is_err());
    broker.start_again().await;
    assert_eq!(end.offset().await.unwrap(), Offset(3));
}
