//! What a store does with epochs, versions, handles, other processes and failing disks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use fjall::{Database, KeyspaceCreateOptions};
use inbox::{FOLD_VERSION, InboxError, PartitionInbox, PartitionReader, Query, Store, StoreConfig};
use models::{Offset, Partition, Record};
use support::{batch, config, is_home, rows_of, sent, small_config, topic, users};
use tempfile::TempDir;

fn open(folder: &TempDir) -> Store {
    Store::open(folder.path(), &config()).unwrap()
}

/// Records at these offsets, each with an id of its own, for the users in turn.
fn records(offsets: std::ops::Range<i64>) -> Vec<(Offset, Record)> {
    let record = |n: i64| Record::of_sent(&sent((n + 2) as u128, n as usize % 4, "hi")).unwrap();
    offsets.map(|n| (Offset(n), record(n))).collect()
}

fn apply(inbox: &mut PartitionInbox, offsets: std::ops::Range<i64>) {
    let batch = batch(records(offsets.clone()), Offset(offsets.end));
    inbox.apply(batch, &is_home).unwrap();
}

/// The notifications of the first user.
fn count(reader: &PartitionReader) -> usize {
    reader.page(&users()[0], &Query::newest(1_000_000)).unwrap().entries.len()
}

fn is_not_open<T>(result: Result<T, InboxError>) -> bool {
    matches!(result, Err(InboxError::NotOpen { partition: Partition(1) }))
}

#[test]
fn another_epoch_of_the_partition_is_dropped_and_other_partitions_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for partition in [1, 10, 11] {
        apply(&mut store.partition(Partition(partition), topic(1)).unwrap(), 0..8);
    }
    assert_eq!(store.partition(Partition(1), topic(2)).unwrap().next_offset(), None);
    assert_eq!(store.partition(Partition(1), topic(1)).unwrap().next_offset(), None);
    for partition in [10, 11] {
        let inbox = store.partition(Partition(partition), topic(1)).unwrap();
        assert_eq!(inbox.next_offset(), Some(Offset(8)));
        assert_eq!(count(&inbox.reader()), 2);
    }
}

#[test]
fn a_store_of_another_fold_or_one_that_skipped_what_this_one_knows_starts_from_nothing() {
    let [version_1, version_2] = FOLD_VERSION.to_be_bytes();
    let skipped_with_no_type_known = [&[version_1, version_2, 0, 0][..], &[0; 48]].concat();
    for meta in [vec![0xff, 0xff, 1, 2, 3], skipped_with_no_type_known] {
        let folder = tempfile::tempdir().unwrap();
        apply(&mut open(&folder).partition(Partition(1), topic(1)).unwrap(), 0..8);
        write_meta(&folder, &meta);
        let mut inbox = open(&folder).partition(Partition(1), topic(1)).unwrap();
        assert_eq!(inbox.next_offset(), None);
        assert_eq!(count(&inbox.reader()), 0);
        apply(&mut inbox, 0..8);
        assert_eq!(count(&inbox.reader()), 2);
    }
}

#[test]
fn a_damaged_meta_row_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    apply(&mut open(&folder).partition(Partition(1), topic(1)).unwrap(), 0..8);
    write_meta(&folder, &[0, FOLD_VERSION as u8, 2]);
    let result = open(&folder).partition(Partition(1), topic(1));
    assert!(matches!(result.err(), Some(InboxError::UnreadableRow { keyspace: "heads", .. })));
}

fn heads_of(database: &Database) -> fjall::Keyspace {
    let prefix = format!("1.{}.heads.", topic(1));
    let names = database.list_keyspace_names();
    let name = names.iter().find(|name| name.starts_with(&prefix)).unwrap();
    database.keyspace(name, KeyspaceCreateOptions::default).unwrap()
}

#[test]
fn after_a_reset_a_crash_brings_nothing_of_the_former_log_back() {
    for cut_permille in [0, 100, 500, 1000] {
        let folder = tempfile::tempdir().unwrap();
        apply(&mut open(&folder).partition(Partition(1), topic(1)).unwrap(), 0..8);
        // In another session than the one that made the keyspaces.
        let mut inbox = open(&folder).partition(Partition(1), topic(1)).unwrap();
        inbox.reset().unwrap();
        apply(&mut inbox, 0..2);
        inbox.store().unwrap();
        let crashed = support::copy_of(&folder, cut_permille);
        let found = open(&crashed).partition(Partition(1), topic(1)).unwrap();
        // Of the two records after the reset the first user has one.
        let expected = match found.next_offset() {
            None => 0,
            Some(next_offset) => {
                assert_eq!(next_offset, Offset(2), "cut {cut_permille}");
                1
            }
        };
        assert_eq!(count(&found.reader()), expected, "cut {cut_permille}");
    }
}

fn write_meta(folder: &TempDir, row: &[u8]) {
    let database = Database::builder(folder.path()).open().unwrap();
    let heads = heads_of(&database);
    heads.insert([0], row).unwrap();
}

#[test]
fn a_drop_that_a_crash_cut_short_leaves_nothing_to_be_found() {
    let folder = tempfile::tempdir().unwrap();
    apply(&mut open(&folder).partition(Partition(1), topic(1)).unwrap(), 0..8);
    let database = Database::builder(folder.path()).open().unwrap();
    let heads = heads_of(&database);
    database.delete_keyspace(heads).unwrap();
    drop(database);
    let inbox = open(&folder).partition(Partition(1), topic(1)).unwrap();
    assert_eq!(inbox.next_offset(), None);
    assert_eq!(count(&inbox.reader()), 0);
}

#[test]
fn a_partition_has_one_writer_and_readers_belong_to_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut inbox = store.partition(Partition(1), topic(1)).unwrap();
    apply(&mut inbox, 0..8);
    let second = store.clone().partition(Partition(1), topic(2));
    assert!(matches!(second.err(), Some(InboxError::AlreadyOpen { partition: Partition(1) })));
    let reader = inbox.reader();
    drop(inbox);
    assert_eq!((count(&reader), reader.next_offset()), (2, Some(Offset(8))));
    let inbox = store.partition(Partition(1), topic(1)).unwrap();
    assert!(is_not_open(reader.page(&users()[0], &Query::newest(1))));
    assert!(is_not_open(reader.head(&users()[0])));
    assert_eq!(count(&inbox.reader()), 2);
}

#[test]
fn a_reader_follows_its_writer_through_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let mut inbox = open(&folder).partition(Partition(1), topic(1)).unwrap();
    apply(&mut inbox, 0..8);
    let reader = inbox.reader();
    let page = reader.page(&users()[0], &Query::newest(9)).unwrap();
    inbox.reset().unwrap();
    assert_eq!((inbox.next_offset(), inbox.last_record()), (None, None));
    assert_eq!((count(&reader), reader.next_offset()), (0, None));
    apply(&mut inbox, 4..5);
    assert_eq!((count(&reader), reader.next_offset()), (1, Some(Offset(5))));
    assert_eq!(reader.head(&users()[0]).unwrap().total_count, 1);
    // What was read before is still there.
    let offsets: Vec<_> = page.entries.iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, [Offset(4), Offset(0)]);
    assert!(page.entries[1].json.starts_with(b"{\"from\":"));
}

#[test]
fn records_out_of_order_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut inbox = open(&folder).partition(Partition(1), topic(1)).unwrap();
    apply(&mut inbox, 0..4);
    let mut reversed = records(4..8);
    reversed.swap(1, 3);
    let twice = [records(4..5), records(4..5)].concat();
    for (records, next_offset, wrong) in
        [(reversed, 8, 6), (twice, 8, 4), (records(4..8), 7, 7), (records(-1..3), 8, -1)]
    {
        let result = inbox.apply(batch(records, Offset(next_offset)), &is_home);
        let Err(InboxError::OutOfOrder { offset, .. }) = result else { panic!("{result:?}") };
        assert_eq!(offset, Offset(wrong));
        assert_eq!((inbox.next_offset(), count(&inbox.reader())), (Some(Offset(4)), 1));
    }
    apply(&mut inbox, 4..8);
    assert_eq!(count(&inbox.reader()), 2);
}

#[test]
fn a_store_in_use_is_told_from_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let reader = store.partition(Partition(1), topic(1)).unwrap().reader();
    drop(store);
    let in_use = Store::open(folder.path(), &config()).err();
    assert!(matches!(in_use, Some(InboxError::InUse { path }) if path == folder.path()));
    drop(reader);
    drop(open(&folder));
    std::fs::write(folder.path().join("version"), "???").unwrap();
    let damaged = Store::open(folder.path(), &config()).err();
    assert!(matches!(damaged, Some(InboxError::Damaged { .. })));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Store::open(&file, &config()).err(), Some(InboxError::Open { .. })));
}

#[test]
fn a_store_whose_making_was_killed_is_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lock"), "").unwrap();
    std::fs::create_dir(folder.path().join("keyspaces")).unwrap();
    std::fs::write(folder.path().join("0.jnl"), [0; 64]).unwrap();
    apply(&mut open(&folder).partition(Partition(1), topic(1)).unwrap(), 0..8);
    let inbox = open(&folder).partition(Partition(1), topic(1)).unwrap();
    assert_eq!(count(&inbox.reader()), 2);
}

#[test]
fn small_limits_in_the_configuration_are_raised_to_what_works() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        cache_bytes: 0,
        write_buffer_bytes: 0,
        journal_bytes: 0,
        worker_threads: 0,
        block_entries: 0,
        open_files: 0,
    };
    let store = Store::open(folder.path(), &config).unwrap();
    let mut inbox = store.partition(Partition(1), topic(1)).unwrap();
    apply(&mut inbox, 0..400);
    assert_eq!(count(&inbox.reader()), 100);
    store.persist().unwrap();
}

#[test]
fn what_cannot_be_stored_is_not_applied() {
    let folder = tempfile::tempdir().unwrap();
    // Large enough that the first batch stays in memory.
    let config = StoreConfig { worker_threads: 1, write_buffer_bytes: 8192, ..small_config() };
    let store = Store::open(folder.path(), &config).unwrap();
    let mut inbox = store.partition(Partition(1), topic(1)).unwrap();
    let reader = inbox.reader();
    apply(&mut inbox, 0..4);
    // The next table has no folder to be written to; after that fjall refuses every write.
    std::fs::remove_dir_all(folder.path().join("keyspaces")).unwrap();
    let next = |at: i64| batch(records(at..at + 4), Offset(at + 4));
    let failed_at = (4..100_000).step_by(4).find(|at| {
        inbox.apply(next(*at), &is_home).unwrap();
        let result = inbox.begin_store().unwrap().run();
        assert!(result.is_ok() || matches!(result, Err(InboxError::Failed { .. })));
        result.is_err()
    });
    let at = failed_at.expect("the database noticed that its folder is gone");
    assert_eq!(inbox.next_offset(), Some(Offset(at)));
    assert_eq!(inbox.last_record().unwrap().offset, Offset(at - 1));
    let head = reader.head(&users()[0]).unwrap();
    assert_eq!((head.total_count, head.next_offset), (at as u64 / 4, Some(Offset(at))));
    assert!(is_not_open(inbox.store()));
    // What comes behind what was lost is not applied on top of what is there.
    assert!(is_not_open(inbox.apply(next(at + 4), &is_home)));
    assert_eq!(inbox.next_offset(), Some(Offset(at)));
    assert!(matches!(store.persist(), Err(InboxError::Persist { .. })));
}

#[test]
fn a_page_never_shows_a_part_of_a_batch() {
    const BATCH: i64 = 100;
    let folder = tempfile::tempdir().unwrap();
    // Tables are written and merged all the time: each publishes what it finds in memory.
    let store = Store::open(folder.path(), &small_config()).unwrap();
    let mut inbox = store.partition(Partition(1), topic(1)).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for user in users() {
            let (reader, is_done) = (inbox.reader(), &is_done);
            scope.spawn(move || {
                while !is_done.load(Ordering::Relaxed) {
                    let page = reader.page(&user, &Query::newest(usize::MAX)).unwrap();
                    let next_offset = page.head.next_offset.unwrap_or(Offset(0)).0;
                    assert_eq!(page.entries.len() as i64, next_offset / 4);
                    let head = reader.head(&user).unwrap();
                    let next_offset = head.next_offset.unwrap_or(Offset(0)).0;
                    assert_eq!(head.total_count as i64, next_offset / 4);
                }
            });
        }
        for at in (0..200).map(|n| n * BATCH) {
            apply(&mut inbox, at..at + BATCH);
        }
        is_done.store(true, Ordering::Relaxed);
    });
    drop((inbox, store));
    // Each has a row and an id; four make a block; four heads, and the meta row.
    let sent = 200 * BATCH as usize;
    assert_eq!(rows_of(&folder).len(), 2 * sent + sent / 4 + 4 + 1);
}
