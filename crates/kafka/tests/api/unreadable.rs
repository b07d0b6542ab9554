//! Reading what the library cannot read, and what nobody can.

use bytes::BytesMut;
use kafka::{Error, FetchError, Fetched, Reader, Topic, Wait};
use models::{Offset, Partition, Timestamp, TopicId, UnreadableRange};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use crate::batches::{Batch, Codec, LOG_APPEND_TIME, Raw, TRANSACTIONAL, put_varint, raw};
use crate::fake::Fake;
use crate::support::{MIB, text_of};

/// Offsets and texts of what a fetch brought.
pub(crate) fn texts(fetched: &Fetched) -> Vec<(i64, String)> {
    fetched.records.iter().map(|(offset, record)| (offset.0, text_of(record))).collect()
}

pub(crate) async fn fetch(reader: &mut Reader, offset: i64) -> Fetched {
    reader.fetch(Offset(offset), MIB, Wait::No).await.unwrap()
}

pub(crate) fn found(texts: &[(i64, &str)]) -> Vec<(i64, String)> {
    texts.iter().map(|(offset, text)| (*offset, (*text).to_owned())).collect()
}

#[tokio::test]
async fn markers_of_transactions_are_passed_over_and_aborted_records_are_not() {
    let fake = Fake::with(&[
        Batch::of(0, &["plain"]),
        Batch::of(1, &["committed"]).with(TRANSACTIONAL),
        Batch::marker(2, true),
        Batch::of(3, &["aborted"]).with(TRANSACTIONAL),
        Batch::marker(4, false),
    ])
    .await;
    let mut reader = fake.reader();
    let fetched = fetch(&mut reader, 0).await;
    assert_eq!(texts(&fetched), found(&[(0, "plain"), (1, "committed"), (3, "aborted")]));
    assert_eq!((fetched.next_offset, fetched.is_end()), (Offset(5), true));
    let fetched = fetch(&mut reader, 4).await;
    assert_eq!((texts(&fetched), fetched.next_offset), (vec![], Offset(5)));
    assert_eq!(fake.served().fetches, [4, 12, 12], "the library's once, then our own");
}

#[tokio::test]
async fn what_compaction_left_empty_is_passed_over() {
    let all_gone = Batch { last_offset_delta: 4, ..Batch::new(0, &[]) };
    let some_gone =
        Batch { last_offset_delta: 9, ..Batch::new(5, &[raw(2, "seven"), raw(5, "ten")]) };
    let fake = Fake::with(&[all_gone, some_gone]).await;
    let mut reader = fake.reader();
    let fetched = fetch(&mut reader, 0).await;
    assert_eq!(texts(&fetched), found(&[(7, "seven"), (10, "ten")]));
    // The library says where the last record ends, which is not where the batch does.
    let fetched = fetch(&mut reader, fetched.next_offset.0).await;
    assert_eq!((texts(&fetched), fetched.next_offset), (vec![], Offset(15)));
    assert!(fetched.is_end());
}

#[tokio::test]
async fn an_empty_answer_below_the_end_is_asked_again_in_full() {
    let fake = Fake::with(&[Batch { last_offset_delta: 4, ..Batch::new(0, &[]) }]).await;
    let fetched = fetch(&mut fake.reader(), 0).await;
    assert_eq!((fetched.records.len(), fetched.next_offset), (0, Offset(5)));
    assert_eq!(fake.served().fetches, [4, 12]);
}

#[tokio::test]
async fn the_producers_time_counts_also_where_the_broker_noted_its_own() {
    let batch = Batch { base_timestamp: 5_000, ..Batch::of(0, &["text"]) };
    for confuses_the_library in [false, true] {
        let fake = Fake::with(&[batch.clone().with(LOG_APPEND_TIME)]).await;
        fake.served().confuses_the_library = confuses_the_library;
        let fetched = fetch(&mut fake.reader(), 0).await;
        assert_eq!(fetched.records[0].1.timestamp, Timestamp::from_ms_clamped(5_000));
    }
}

#[tokio::test]
async fn a_last_batch_that_is_cut_off_is_left_for_the_next_fetch() {
    let last = Batch::of(1, &["two"]).compressed(Codec::Gzip);
    for cut in 1..last.bytes().len() {
        let fake = Fake::with(&[Batch::of(0, &["one"]), last.clone()]).await;
        fake.served().log[1].1.truncate(cut);
        fake.served().confuses_the_library = true;
        let fetched = fetch(&mut fake.reader(), 0).await;
        assert_eq!(texts(&fetched), found(&[(0, "one")]), "cut at {cut}");
        assert_eq!(fetched.next_offset, Offset(1));
    }
}

#[tokio::test]
async fn damage_on_the_way_is_an_error_and_passes_nothing_over() {
    let batches = [Batch::of(0, &["one"]), Batch::of(1, &["two"])];
    // In the length, the format, the checksum, and what it protects.
    for at in [9, 16, 20, 30, 65] {
        let fake = Fake::with(&batches).await;
        let mut damaged = BytesMut::from(&fake.served().log[1].1[..]);
        damaged[at] ^= 0xff;
        let whole = std::mem::replace(&mut fake.served().log[1].1, damaged.freeze());
        let mut reader = fake.reader();
        let fetched = fetch(&mut reader, 0).await;
        assert_eq!((texts(&fetched), fetched.next_offset), (found(&[(0, "one")]), Offset(1)));
        for _ in 0..2 {
            let error = reader.fetch(Offset(1), MIB, Wait::No).await.unwrap_err();
            let FetchError::Unavailable(Error::Malformed { call, .. }) = &error else {
                panic!("{error}");
            };
            assert_eq!(call, "fetch t-0 at 1");
        }
        fake.served().log[1].1 = whole;
        assert_eq!(texts(&fetch(&mut reader, 1).await), found(&[(1, "two")]), "{at}");
    }
}

#[tokio::test]
async fn a_batch_that_was_written_unreadable_is_passed_over_and_told() {
    let good = || Batch::of(5, &["one", "two"]);
    let payload = |payload: &[u8]| Batch { payload: payload.to_vec(), ..good() };
    let claims_headers = {
        // Its attributes, both deltas, no key, no value, and very many headers.
        let mut body = vec![0, 0, 0, 1, 1];
        put_varint(&mut body, i64::from(i32::MAX));
        let mut payload = Vec::new();
        put_varint(&mut payload, body.len() as i64);
        [payload, body].concat()
    };
    let same_offset = Batch { last_offset_delta: 1, ..Batch::new(5, &[raw(0, "a"), raw(0, "b")]) };
    let beyond = Batch { last_offset_delta: 1, ..Batch::new(5, &[raw(0, "a"), raw(7, "b")]) };
    for (batch, reason) in [
        (Batch { record_count: 3, ..good() }, "its record 3 cannot be read"),
        (Batch { record_count: i32::MAX, ..good() }, "its record 3 cannot be read"),
        (Batch { record_count: 1, ..good() }, "it goes on behind its last record"),
        (Batch { record_count: -1, ..good() }, "it goes on behind its last record"),
        (payload(b"\xff\xff\xff"), "its record 1 cannot be read"),
        (payload(&[0xff; 40]), "its record 1 cannot be read"),
        (payload(&claims_headers), "its record 1 cannot be read"),
        (same_offset, "its record 2 has an offset that cannot be"),
        (beyond, "its record 2 has an offset that cannot be"),
        (good().with(5), "its compression 5 is unknown"),
    ] {
        let batches = [Batch::of(4, &["before"]), batch, Batch::of(7, &["behind"])];
        let fake = Fake::with(&batches).await;
        fake.served().confuses_the_library = true;
        let fetched = fetch(&mut fake.reader(), 0).await;
        assert_eq!(texts(&fetched), found(&[(4, "before"), (7, "behind")]), "{reason}");
        let reason = reason.to_owned();
        let unreadable = UnreadableRange { first: Offset(5), last: Offset(6), reason };
        assert_eq!(fetched.unreadable, [unreadable]);
        assert_eq!(fetched.next_offset, Offset(8));
    }
}

#[tokio::test]
async fn of_an_unreadable_batch_only_what_was_asked_for_counts() {
    let batch = Batch { payload: vec![0xff; 40], ..Batch::of(0, &["one", "two", "three"]) };
    let fake = Fake::with(&[batch]).await;
    let fetched = fetch(&mut fake.reader(), 1).await;
    let reason = "its record 1 cannot be read".to_owned();
    let unreadable = UnreadableRange { first: Offset(1), last: Offset(2), reason };
    assert_eq!((fetched.unreadable, fetched.next_offset), (vec![unreadable], Offset(3)));
}

#[tokio::test]
async fn a_headers_name_that_is_no_text_is_read_as_it_is() {
    let record = Raw { headers: vec![(b"a\xff".to_vec(), None)], ..raw(0, "text") };
    let fake = Fake::with(&[Batch::new(0, &[record])]).await;
    let fetched = fetch(&mut fake.reader(), 0).await;
    let names: Vec<_> = fetched.records[0].1.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [b"a\xff"]);
}

#[tokio::test]
async fn a_throttled_fetch_is_asked_again_when_the_broker_wants_it() {
    let fake = Fake::with(&[Batch::of(0, &["text"])]).await;
    fake.served().confuses_the_library = true;
    fake.served().throttled_fetches = (3, 20);
    let began = std::time::Instant::now();
    // The library waits and asks again by itself, before its answer is looked at.
    let fetched = fetch(&mut fake.reader(), 0).await;
    assert_eq!(texts(&fetched), found(&[(0, "text")]));
    assert!(began.elapsed().as_millis() >= 60);
    fake.served().throttled_fetches = (u32::MAX, 500);
    let mut cluster = fake.cluster();
    cluster.request_timeout = std::time::Duration::from_millis(700);
    let mut reader = Reader::new(cluster, "t", Partition(0));
    let error = reader.fetch(Offset(0), MIB, Wait::No).await.unwrap_err();
    assert!(matches!(error, FetchError::Unavailable(Error::Timeout { .. })), "{error}");
}

#[tokio::test]
async fn an_offset_out_of_range_is_only_believed_of_a_fresh_connection() {
    for confuses_the_library in [false, true] {
        let fake = Fake::with(&[Batch::of(0, &["one", "two"])]).await;
        fake.served().confuses_the_library = confuses_the_library;
        let mut reader = fake.reader();
        fetch(&mut reader, 0).await;
        let before = reader.connections();
        fake.served().refused_fetches = 1;
        let fetched = fetch(&mut reader, 1).await;
        assert_eq!(texts(&fetched), found(&[(1, "two")]));
        assert!(reader.connections() > before, "it can be asked whether it is the same log");
        let error = reader.fetch(Offset(3), MIB, Wait::No).await.unwrap_err();
        assert_eq!(error.to_string(), "offset 3 is out of range: the partition has 0 to 2");
    }
}

#[tokio::test]
async fn another_topic_of_the_same_name_is_told_where_the_offset_is_beyond_its_end() {
    let fake = Fake::with(&[Batch::of(0, &["one", "two"])]).await;
    let topic = Topic { name: "t".into(), id: Some(TopicId(Uuid::from_u128(1))) };
    let mut reader = Reader::new(fake.cluster(), topic, Partition(0));
    fetch(&mut reader, 0).await;
    fake.served().topic_id = Uuid::from_u128(2);
    fake.served().high_watermark = 1;
    let error = reader.fetch(Offset(2), MIB, Wait::No).await.unwrap_err();
    let FetchError::Unavailable(error) = error else { panic!("{error}") };
    assert!(error.is_other_topic(), "{error}");
}

fn any_record() -> impl Strategy<Value = Raw> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    let name = prop::sample::select(vec!["", "a", "b", "ce_id"]);
    let header = (name.prop_map(|it| it.as_bytes().to_vec()), bytes());
    let time = prop_oneof![3 => -100_000..100_000_i64, 1 => any::<i64>()];
    (time, bytes(), bytes(), prop::collection::vec(header, 0..4)).prop_map(
        |(timestamp_delta, key, value, headers)| Raw {
            offset_delta: 0,
            timestamp_delta,
            key,
            value,
            headers,
        },
    )
}

/// A batch with gaps between its records, or none in it at all.
fn any_batch() -> impl Strategy<Value = Batch> {
    let records = prop::collection::vec((any_record(), 0..3_i64), 0..6);
    let codec = prop::option::weighted(0.2, prop::sample::select(Codec::ALL.to_vec()));
    (records, 0..3_i32, codec, prop::bool::weighted(0.1)).prop_map(
        |(records, gap, codec, marks)| {
            if marks {
                return Batch::marker(0, true);
            }
            let mut next = 0;
            let records: Vec<_> = records
                .into_iter()
                .map(|(record, gap)| {
                    let offset_delta = next + gap;
                    next = offset_delta + 1;
                    Raw { offset_delta, ..record }
                })
                .collect();
            let batch = Batch::new(0, &records);
            let batch = Batch { last_offset_delta: batch.last_offset_delta + gap, ..batch };
            codec.map_or(batch.clone(), |codec| batch.compressed(codec))
        },
    )
}

fn any_log() -> impl Strategy<Value = Vec<Batch>> {
    prop::collection::vec((any_batch(), 0..3_i64), 1..5).prop_map(|batches| {
        let mut next = 0;
        let place = |(batch, gap): (Batch, i64)| {
            let batch = Batch { base_offset: next + gap, ..batch };
            next = batch.last_offset() + 1;
            batch
        };
        batches.into_iter().map(place).collect()
    })
}

/// All that a reader finds, and where it ends.
async fn read_all(reader: &mut Reader) -> Fetched {
    let mut all = fetch(reader, 0).await;
    while !all.is_end() {
        let more = fetch(reader, all.next_offset.0).await;
        assert!(more.next_offset > all.next_offset, "it makes progress");
        all.records.extend(more.records);
        all.unreadable.extend(more.unreadable);
        all.next_offset = more.next_offset;
    }
    all
}

/// Runs a property that has to wait.
fn check<T: std::fmt::Debug>(
    cases: u32,
    strategy: impl Strategy<Value = T>,
    property: impl AsyncFn(&Fake, T),
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fake = runtime.block_on(Fake::start());
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let run = |value| {
        runtime.block_on(property(&fake, value));
        Ok(())
    };
    runner.run(&strategy, run).unwrap();
}

#[test]
fn both_ways_read_the_same() {
    check(150, any_log(), async |fake, log| {
        let expected: i32 =
            log.iter().filter(|it| it.attributes & 0x20 == 0).map(|it| it.record_count).sum();
        fake.served().hold(&log);
        fake.served().confuses_the_library = false;
        let through_the_library = read_all(&mut fake.reader()).await;
        fake.served().confuses_the_library = true;
        let through_the_wire = read_all(&mut fake.reader()).await;
        assert_eq!(through_the_library, through_the_wire);
        assert_eq!(through_the_wire.records.len(), usize::try_from(expected).unwrap());
    });
}

#[test]
fn damage_never_panics_and_passes_nothing_over() {
    let damage = (any_log(), any::<prop::sample::Index>(), 1..=255_u8);
    check(300, damage, async |fake, (log, at, flip)| {
        fake.served().hold(&log);
        fake.served().confuses_the_library = true;
        let whole = read_all(&mut fake.reader()).await;
        let sizes: Vec<_> = log.iter().map(|it| it.bytes().len()).collect();
        let mut at = at.index(sizes.iter().sum());
        let mut batch = 0;
        while at >= sizes[batch] {
            at -= sizes[batch];
            batch += 1;
        }
        // Of the offset and the leader's epoch there is no checksum.
        if at < 8 || (12..16).contains(&at) {
            return;
        }
        let mut damaged = BytesMut::from(&fake.served().log[batch].1[..]);
        damaged[at] ^= flip;
        fake.served().log[batch].1 = damaged.freeze();
        let mut reader = fake.reader();
        let mut next_offset = Offset(0);
        let mut records = Vec::new();
        // Up to the damage everything is read, and nothing from there on.
        while let Ok(fetched) = reader.fetch(next_offset, MIB, Wait::No).await {
            assert_eq!(fetched.unreadable, []);
            assert!(fetched.next_offset > next_offset);
            records.extend(fetched.records);
            next_offset = fetched.next_offset;
        }
        assert!(next_offset <= Offset(log[batch].base_offset));
        let before = whole.records.iter().filter(|(offset, _)| *offset < next_offset);
        assert_eq!(records, before.cloned().collect::<Vec<_>>());
    });
}
