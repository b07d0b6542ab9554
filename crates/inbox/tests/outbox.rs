//! Effects: from the record to whoever sees to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use inbox::{DrainProgress, Effect, InboxError, PartitionInbox, Store};
use models::{MAX_RECORD_BYTES, Offset, Partition, Record, UnreadableRange};
use support::{AWAY, batch, config, is_home, sent, small_config, topic};
use tempfile::TempDir;

fn open(folder: &TempDir) -> PartitionInbox {
    Store::open(folder.path(), &config()).unwrap().partition(Partition(3), topic(1)).unwrap()
}

fn record(to: usize, message: &str) -> Record {
    Record::of_sent(&sent(1, to, message)).unwrap()
}

/// Records without a value at these offsets.
fn noise(offsets: std::ops::Range<i64>) -> Vec<(Offset, Record)> {
    let record = |n| (Offset(n), Record { value: None, ..record(0, "") });
    offsets.map(record).collect()
}

#[test]
fn a_hundred_thousand_bad_records_are_counted_in_one_line_and_leave_in_small_parts() {
    const RECORDS: i64 = 100_000;
    const PART: usize = 64 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let mut inbox = open(&folder);
    let applied = inbox.apply(batch(noise(0..RECORDS), Offset(RECORDS)), &is_home).unwrap();
    let (reason, dead) = applied.dead.first_key_value().unwrap();
    assert_eq!((applied.dead.len(), *reason), (1, "no_value"));
    assert_eq!((dead.count, dead.first), (RECORDS as usize, Offset(0)));
    drop(inbox);
    let inbox = open(&folder);
    let outbox = inbox.outbox();
    let mut left = outbox.waiting();
    assert_eq!(left.rows, RECORDS as u64);
    while let Some(drain) = outbox.next(PART).unwrap() {
        let (first, rows) = (drain.effects[0].0, drain.effects.len() as u64);
        assert_eq!(first.0 as u64, RECORDS as u64 - left.rows);
        drain.remove().unwrap();
        let now = outbox.waiting();
        assert_eq!(left.rows - now.rows, rows);
        assert!(left.bytes - now.bytes <= PART as u64);
        left = now;
    }
    assert_eq!((left.rows, left.bytes), (0, 0));
    assert_eq!(outbox.progress().unwrap().next_offset, Offset(RECORDS));
}

#[test]
fn an_effect_larger_than_what_is_asked_for_comes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut inbox = open(&folder);
    inbox.apply(batch(noise(0..3), Offset(9)), &is_home).unwrap();
    let drain = inbox.outbox().next(0).unwrap().unwrap();
    let offsets: Vec<_> = drain.effects.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [Offset(0)]);
    assert_eq!(drain.progress, DrainProgress { next_offset: Offset(1), last_record: None });
}

#[test]
fn a_record_too_large_to_be_relayed_is_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let mut inbox = open(&folder);
    let room = MAX_RECORD_BYTES - record(AWAY, "").size_bytes();
    let large = record(AWAY, &"x".repeat(room));
    let small = record(AWAY, &"x".repeat(room - 100));
    let records = vec![(Offset(0), large.clone()), (Offset(1), small)];
    let applied = inbox.apply(batch(records, Offset(2)), &is_home).unwrap();
    assert_eq!((applied.relayed, applied.dead["too_large_to_relay"].count), (1, 1));
    let drain = inbox.outbox().next(usize::MAX).unwrap().unwrap();
    let Effect::DeadLetter { record, .. } = &drain.effects[0].1 else { panic!("relayed") };
    assert_eq!(*record, Some(large));
    let Effect::Relay { record } = &drain.effects[1].1 else { panic!("not relayed") };
    assert!(record.size_bytes() <= MAX_RECORD_BYTES);
}

#[test]
fn an_unreadable_range_is_in_order_or_refused_and_a_part_that_was_applied_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut inbox = open(&folder);
    let mut apply = |ranges: &[(i64, i64)], at: i64, next_offset: i64| {
        let mut batch = batch(noise(at..at + 1), Offset(next_offset));
        batch.unreadable = ranges.iter().map(|range| unreadable(*range)).collect();
        inbox.apply(batch, &is_home).map(|applied| applied.dead)
    };
    for (ranges, wrong) in [
        (&[(1, 2), (2, 3)][..], 2),
        (&[(4, 5)], 5),
        (&[(5, 6)], 5),
        (&[(3, 2)], 3),
        (&[(8, 10)], 8),
    ] {
        let error = apply(ranges, 5, 10).unwrap_err();
        assert!(
            matches!(error, InboxError::OutOfOrder { offset, .. } if offset == Offset(wrong)),
            "{ranges:?}: {error}"
        );
    }
    assert_eq!(apply(&[(3, 4), (6, 7)], 5, 8).unwrap()["unreadable_batch"].count, 2);
    assert!(apply(&[(3, 4), (6, 7)], 5, 8).unwrap().is_empty());
    assert_eq!(apply(&[(6, 9)], 5, 10).unwrap()["unreadable_batch"].first, Offset(8));
    let effects = inbox.outbox().next(usize::MAX).unwrap().unwrap().effects;
    let of = |(offset, effect): &(Offset, Effect)| match effect {
        Effect::DeadLetter { last, .. } => (offset.0, last.0),
        Effect::Relay { .. } => panic!("a relay"),
    };
    assert_eq!(effects.iter().map(of).collect::<Vec<_>>(), [(3, 4), (5, 5), (6, 7), (8, 9)]);
}

fn unreadable((first, last): (i64, i64)) -> UnreadableRange {
    UnreadableRange { first: Offset(first), last: Offset(last), reason: "why".to_owned() }
}

#[test]
fn two_that_drain_at_a_time_count_each_effect_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut inbox = open(&folder);
    inbox.apply(batch(noise(0..3), Offset(3)), &is_home).unwrap();
    let outbox = inbox.outbox();
    let (one, two) = (outbox.next(0).unwrap().unwrap(), outbox.next(usize::MAX).unwrap().unwrap());
    two.remove().unwrap();
    one.remove().unwrap();
    assert_eq!(outbox.waiting(), inbox::Waiting::default());
    assert!(outbox.next(0).unwrap().is_none());
}

#[test]
fn an_outbox_of_a_partition_opened_anew_is_not_open_and_its_drains_remove_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &config()).unwrap();
    let mut inbox = store.partition(Partition(3), topic(1)).unwrap();
    inbox.apply(batch(noise(0..3), Offset(3)), &is_home).unwrap();
    let outbox = inbox.outbox();
    let drain = outbox.next(usize::MAX).unwrap().unwrap();
    drop(inbox);
    let inbox = store.partition(Partition(3), topic(1)).unwrap();
    drain.remove().unwrap();
    assert_eq!((outbox.progress(), inbox.outbox().waiting().rows), (None, 3));
    let result = outbox.next(0);
    assert!(matches!(result.err(), Some(InboxError::NotOpen { partition: Partition(3) })));
}

#[test]
fn draining_beside_the_writer_gives_each_effect_once() {
    const BATCHES: i64 = 200;
    const BATCH: i64 = 50;
    let folder = tempfile::tempdir().unwrap();
    // Tables are written and merged all the time: each publishes what it finds in memory.
    let store = Store::open(folder.path(), &small_config()).unwrap();
    let mut inbox = store.partition(Partition(3), topic(1)).unwrap();
    let outbox = inbox.outbox();
    std::thread::scope(|scope| {
        let draining = scope.spawn(move || {
            let mut next = Offset(0);
            while next < Offset(BATCHES * BATCH) {
                let Some(drain) = outbox.next(2000).unwrap() else { continue };
                for (offset, _) in &drain.effects {
                    assert_eq!(*offset, next);
                    next = next.next();
                }
                // A batch is there as a whole or not at all.
                assert!(drain.progress.next_offset == next);
                drain.remove().unwrap();
            }
            outbox.waiting()
        });
        for at in (0..BATCHES).map(|n| n * BATCH) {
            inbox.apply(batch(noise(at..at + BATCH), Offset(at + BATCH)), &is_home).unwrap();
        }
        assert_eq!(draining.join().unwrap(), inbox::Waiting::default());
    });
}
