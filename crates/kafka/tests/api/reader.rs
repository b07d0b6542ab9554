//! Reading a partition.

use std::time::Duration;

use kafka::{Error, FetchError, Lane, Wait};
use models::{Offset, Record, Timestamp};
use tokio::time::{Instant, timeout};

use crate::batches::{Batch, Codec};
use crate::support::{
    MIB, TestBroker, eventually, fetched_eventually, record, record_of, soon, text_of,
};

#[tokio::test]
async fn a_waiting_fetch_wakes_with_the_record() {
    const ROUNDS: i64 = 10;
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let mut reader = broker.reader("t");
    reader.fetch(Offset(0), MIB, Wait::No).await.unwrap();
    // A fetch that only its longest wait ends would take a second each round.
    let rounds = async {
        for round in 0..ROUNDS {
            let producing = writer.produce(record("text"), Lane::Single, soon());
            let fetching = reader.fetch(Offset(round), MIB, Wait::ForRecords);
            let (fetched, produced) = tokio::join!(fetching, producing);
            let (fetched, offset) = (fetched.unwrap(), produced.unwrap());
            assert_eq!(fetched.records[0].0, offset);
            assert_eq!((fetched.next_offset.0, fetched.high_watermark.0), (round + 1, round + 1));
            assert!(fetched.is_end());
        }
    };
    timeout(Duration::from_secs(5), rounds).await.expect("woken by the records");
}

#[tokio::test]
async fn a_fetch_at_the_end_is_held_for_a_while_and_brings_nothing() {
    let broker = TestBroker::with_topic("t", &[]).await;
    broker.append("t", &["one"]).await;
    let mut reader = broker.reader("t");
    let began = Instant::now();
    let fetched = reader.fetch(Offset(1), MIB, Wait::ForRecords).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(fetched.records.is_empty() && fetched.is_end());
    assert_eq!((fetched.next_offset, fetched.high_watermark), (Offset(1), Offset(1)));
}

#[tokio::test]
async fn a_fetch_that_does_not_wait_answers_at_once() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut reader = broker.reader("t");
    let ten = async {
        for _ in 0..10 {
            let fetched = reader.fetch(Offset(0), MIB, Wait::No).await.unwrap();
            assert!(fetched.records.is_empty() && fetched.is_end());
        }
    };
    timeout(Duration::from_secs(5), ten).await.expect("none is held");
}

#[tokio::test]
async fn what_lies_outside_the_log_is_told_with_the_bounds() {
    let broker = TestBroker::with_topic("t", &[]).await;
    broker.append("t", &["one", "two"]).await;
    let mut reader = broker.reader("t");
    for (asked, wait) in [
        (3, Wait::No),
        (3, Wait::ForRecords),
        (i64::MAX, Wait::ForRecords),
        (-1, Wait::No),
        (i64::MIN, Wait::ForRecords),
    ] {
        let error = reader.fetch(Offset(asked), MIB, wait).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("offset {asked} is out of range: the partition has 0 to 2")
        );
    }
    let fetched = reader.fetch(Offset(0), MIB, Wait::No).await.unwrap();
    assert_eq!(fetched.records.len(), 2, "the reader goes on");
}

#[tokio::test]
async fn what_retention_has_cut_is_out_of_range() {
    let broker = TestBroker::start_with(|config| {
        config.limits.retention_interval = Duration::from_millis(50);
    })
    .await;
    let settings = [("segment.bytes", "1024"), ("retention.ms", "1000")];
    broker.wire().await.create_topic("t", 1, &settings).await;
    let old = Record { timestamp: Timestamp::from_ms_clamped(0), ..record_of(500) };
    broker.append_records("t", vec![old; 20]).await;
    let mut reader = broker.reader("t");
    eventually(soon(), async || reader.bounds().await.unwrap().0 > Offset(0)).await;
    let error = reader.fetch(Offset(0), MIB, Wait::ForRecords).await.unwrap_err();
    let FetchError::OutOfRange { asked, start, end } = error else { panic!("{error}") };
    assert_eq!((asked, end), (Offset(0), Offset(20)));
    assert!(start > asked && start <= end, "{start}");
}

#[tokio::test]
async fn bounds_are_the_first_offset_and_the_one_behind_the_last() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut reader = broker.reader("t");
    assert_eq!(reader.bounds().await.unwrap(), (Offset(0), Offset(0)));
    broker.append("t", &["one", "two", "three"]).await;
    assert_eq!(reader.bounds().await.unwrap(), (Offset(0), Offset(3)));
}

#[tokio::test]
async fn a_fetch_begins_at_the_offset_asked_for_even_inside_a_batch() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let both = tokio::join!(
        writer.produce(record("one"), Lane::Single, soon()),
        writer.produce(record("two"), Lane::Single, soon()),
    );
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (Offset(0), Offset(1)));
    let fetched = broker.reader("t").fetch(Offset(1), MIB, Wait::No).await.unwrap();
    let texts: Vec<_> = fetched.records.iter().map(|(o, it)| (o.0, text_of(it))).collect();
    assert_eq!(texts, [(1, "two".to_owned())]);
}

#[tokio::test]
async fn large_records_come_in_pieces_and_one_larger_than_asked_for_comes_whole() {
    let broker = TestBroker::with_topic("t", &[]).await;
    broker.append_records("t", vec![record_of(800_000); 5]).await;
    let mut reader = broker.reader("t");
    let mut offset = Offset(0);
    let mut fetches = 0;
    while offset < Offset(5) {
        let fetched = reader.fetch(offset, 100_000, Wait::No).await.unwrap();
        assert!(fetched.records.iter().all(|(_, it)| it.size_bytes() == 800_000));
        assert!(fetched.next_offset > offset, "it makes progress");
        assert_eq!(fetched.high_watermark, Offset(5));
        assert_eq!(fetched.is_end(), fetched.next_offset == Offset(5));
        offset = fetched.next_offset;
        fetches += 1;
    }
    assert_eq!(fetches, 5);
}

#[tokio::test]
async fn a_reader_is_back_when_its_broker_is() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    broker.append("t", &["one"]).await;
    let mut reader = broker.reader("t");
    assert_eq!(reader.fetch(Offset(0), MIB, Wait::No).await.unwrap().records.len(), 1);
    for round in 1..4 {
        broker.stop().await;
        let away = reader.fetch(Offset(round), MIB, Wait::ForRecords).await;
        assert!(matches!(away, Err(FetchError::Unavailable(_))), "{away:?}");
        assert!(reader.bounds().await.unwrap_err().is_retriable());
        broker.start_again().await;
        broker.append("t", &["next"]).await;
        let fetched = fetched_eventually(&mut reader, Offset(round)).await;
        assert_eq!(fetched.records[0].0, Offset(round));
    }
}

#[tokio::test]
async fn a_cancelled_fetch_takes_nothing_with_it() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut reader = broker.reader("t");
    reader.fetch(Offset(0), MIB, Wait::No).await.unwrap();
    for _ in 0..5 {
        let held = reader.fetch(Offset(0), MIB, Wait::ForRecords);
        assert!(timeout(Duration::from_millis(20), held).await.is_err());
    }
    broker.append("t", &["one"]).await;
    assert_eq!(fetched_eventually(&mut reader, Offset(0)).await.records.len(), 1);
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_told_and_not_made() {
    let broker = TestBroker::start().await;
    let mut reader = broker.reader("t");
    let error = reader.fetch(Offset(0), MIB, Wait::No).await.unwrap_err();
    let FetchError::Unavailable(Error::Answer { call, .. }) = error else { panic!("{error}") };
    assert_eq!(call, "Metadata of t");
    assert!(reader.bounds().await.is_err());
    assert_eq!(broker.wire().await.look_up("t").await, None);
}

#[tokio::test]
async fn many_records_and_few_come_over_two_connections_that_stay() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let many: Vec<_> = (0..200).map(|number| record(&number.to_string())).collect();
    broker.append_records("t", many).await;
    let mut reader = broker.reader("t");
    let mut next = Offset(0);
    let mut fetch = async |max_bytes, wait| {
        reader.connect().await.unwrap();
        let connected = reader.connections();
        let fetched = reader.fetch(next, max_bytes, wait).await.unwrap();
        assert_eq!(reader.connections(), connected, "it was connected before");
        let texts = fetched.records.iter().map(|(offset, it)| (*offset, text_of(it)));
        let expected = (next.0..fetched.next_offset.0).map(|n| (Offset(n), n.to_string()));
        assert!(texts.eq(expected), "{fetched:?}");
        next = fetched.next_offset;
        connected
    };
    assert_eq!(fetch(MIB, Wait::No).await, 1, "over the library's");
    broker.append_records("t", (200..300).map(|n| record(&n.to_string())).collect()).await;
    assert_eq!(fetch(MIB, Wait::No).await, 2, "many came: over our own");
    broker.append("t", &["300"]).await;
    for number in 301..305 {
        assert_eq!(fetch(MIB, Wait::ForRecords).await, 2, "few came, and both stay");
        broker.append("t", &[&number.to_string()]).await;
    }
}

#[tokio::test]
async fn records_that_the_library_cannot_read_are_read_all_the_same() {
    // Both are legal in Kafka.
    for (time, headers) in [(1_000, &[("trace", None)][..]), (i64::MAX, &[])] {
        let broker = TestBroker::with_topic("t", &[]).await;
        broker.wire().await.produce("t", "from java", time, headers).await;
        broker.append("t", &["ours"]).await;
        let all = broker.records("t").await;
        let [(_, java), (_, ours)] = &all[..] else { panic!("{all:?}") };
        assert_eq!((text_of(java).as_str(), text_of(ours).as_str()), ("from java", "ours"));
        let read: Vec<_> = java.headers.iter().map(|(k, v)| (k, v.len())).collect();
        assert_eq!(read, headers.iter().map(|(k, _)| (k.as_bytes(), 0)).collect::<Vec<_>>());
        assert_eq!(java.timestamp, Timestamp::from_ms_clamped(time));
        let mut reader = broker.reader("t");
        let fetched = reader.fetch(Offset(0), MIB, Wait::No).await.unwrap();
        assert_eq!((&fetched.records[0].1, fetched.unreadable.len()), (java, 0));
        assert_eq!(reader.connections(), 2, "the library's, and our own");
        reader.fetch(Offset(0), MIB, Wait::No).await.unwrap();
        assert_eq!(reader.connections(), 2, "it stays with what can read it");
    }
}

#[tokio::test]
async fn compressed_batches_are_read_also_after_a_restart() {
    let mut broker = TestBroker::with_topic("t", &[]).await;
    let mut wire = broker.wire().await;
    for codec in Codec::ALL {
        wire.append("t", Batch::of(0, &["one", "two", "three"]).compressed(codec).bytes()).await;
    }
    let expected = [["one", "two", "three"]; 5].concat();
    assert_eq!(broker.texts("t").await, expected);
    broker.stop().await;
    broker.start_again().await;
    assert_eq!(broker.texts("t").await, expected);
    // From inside a batch, too.
    let fetched = broker.reader("t").fetch(Offset(4), MIB, Wait::No).await.unwrap();
    assert_eq!(fetched.records[0].0, Offset(4));
    assert_eq!(text_of(&fetched.records[0].1), "two");
}

#[tokio::test]
async fn a_waiting_fetch_of_compressed_batches_wakes_with_the_record() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut wire = broker.wire().await;
    let batch = Batch::of(0, &["text"]).compressed(Codec::Zstd).bytes();
    wire.append("t", batch.clone()).await;
    let mut reader = broker.reader("t");
    reader.fetch(Offset(0), MIB, Wait::No).await.unwrap();
    let rounds = async {
        for round in 1..=10 {
            let fetching = reader.fetch(Offset(round), MIB, Wait::ForRecords);
            let (fetched, ()) = tokio::join!(fetching, wire.append("t", batch.clone()));
            assert_eq!(fetched.unwrap().records[0].0, Offset(round));
        }
    };
    timeout(Duration::from_secs(5), rounds).await.expect("woken by the records");
    let began = Instant::now();
    let fetched = reader.fetch(Offset(11), MIB, Wait::ForRecords).await.unwrap();
    assert!(fetched.records.is_empty() && fetched.is_end());
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

/// What a partition reads as whose records have these times, one batch each.
async fn read_times(times: &[i64]) -> Vec<Timestamp> {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut wire = broker.wire().await;
    for time in times {
        wire.produce("t", "text", *time, &[]).await;
    }
    let found = broker.records("t").await;
    found.iter().map(|(_, record)| record.timestamp).collect()
}

#[tokio::test]
async fn a_time_that_is_too_late_is_read_as_the_latest_there_is() {
    let times = [0, -1, 1_700_000_000_000, 253_402_300_799_999, 253_402_300_800_000];
    assert_eq!(read_times(&times).await, times.map(Timestamp::from_ms_clamped));
}

#[tokio::test]
async fn of_a_header_that_occurs_twice_the_last_counts() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let headers = [("a", Some("1")), ("", Some("nameless")), ("a", Some("2"))];
    broker.wire().await.produce("t", "text", 0, &headers).await;
    let fetched = broker.reader("t").fetch(Offset(0), MIB, Wait::No).await.unwrap();
    let (_, record) = &fetched.records[0];
    assert_eq!(record.headers.get("a"), Some(&b"2"[..]));
}
