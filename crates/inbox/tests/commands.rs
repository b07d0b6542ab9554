//! What commands do to an inbox and its counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use inbox::{Gap, PartitionInbox, Query, ReplayBounds, Store, StoreConfig};
use models::{Change, Changed, Erased, NotificationId, Offset, Record, Selection, Timestamp};
use support::world::PARTITION;
use support::{batch, config, event_id, is_home, sent, topic, users};
use tempfile::TempDir;

const FIRST: i64 = 10;

/// An inbox, and what was done to it.
struct Story {
    inbox: PartitionInbox,
    next: Offset,
    _folder: TempDir,
}

impl Story {
    /// The first user has three notifications, at the offsets 10 to 12 with the ids 10 to 12.
    fn begins() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &config()).unwrap();
        let inbox = store.partition(PARTITION, topic(1)).unwrap();
        let mut story = Self { inbox, next: Offset(FIRST), _folder: folder };
        for _ in 0..3 {
            story.receives();
        }
        story
    }

    fn receives(&mut self) {
        let n = self.next.0 as u128;
        self.apply(Record::of_sent(&sent(n, 0, "hi")).unwrap());
    }

    fn apply(&mut self, record: Record) {
        let records = vec![(self.next, record)];
        self.next = self.next.next();
        self.inbox.apply(batch(records, self.next), &is_home).unwrap();
    }

    fn change(&mut self, selection: Selection, change: Change) -> Record {
        let (id, user_id) = (NotificationId::new(), users()[0].clone());
        let (changed_at, reason, fingerprint) = (time(self.next.0), None, None);
        let changed = Changed { id, user_id, changed_at, selection, change, reason, fingerprint };
        let record = Record::of_changed(&changed).unwrap();
        self.apply(record.clone());
        record
    }

    /// Total, unread and unseen.
    fn counts(&self) -> (u64, u64, u64) {
        let head = self.inbox.reader().head(&users()[0]).unwrap();
        (head.total_count, head.unread_count, head.unseen_count)
    }

    /// The offset of each notification, newest first, and since when it is read and archived.
    fn entries(&self) -> Vec<(i64, Option<Timestamp>, Option<Timestamp>)> {
        let page = self.inbox.reader().page(&users()[0], &Query::newest(99)).unwrap();
        page.entries
            .iter()
            .map(|entry| (entry.offset.0, entry.read_at, entry.archived_at))
            .collect()
    }
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms_clamped(ms)
}

fn ids(ids: &[u128]) -> Selection {
    Selection::Ids(ids.iter().map(|id| event_id(*id)).collect())
}

fn before(offset: i64) -> Selection {
    Selection::Before(Offset(offset))
}

#[test]
fn what_is_read_or_archived_stays_so_since_the_first_time_until_it_is_taken_back() {
    let mut story = Story::begins();
    story.change(ids(&[10, 11]), Change::Read(true)); // at 13
    story.change(before(12), Change::Read(true));
    story.change(ids(&[11, 12]), Change::Archived(true)); // at 15
    let (read, archived) = (Some(time(13)), Some(time(15)));
    assert_eq!(story.entries(), [(12, None, archived), (11, read, archived), (10, read, None)]);
    assert_eq!(story.counts(), (3, 0, 3));
    story.change(before(99), Change::Read(false));
    assert_eq!(story.entries(), [(12, None, archived), (11, None, archived), (10, None, None)]);
    assert_eq!(story.counts(), (3, 1, 3));
    story.change(ids(&[12]), Change::Archived(false));
    assert_eq!(story.counts(), (3, 2, 3));
}

#[test]
fn what_is_unseen_came_since_the_list_was_opened() {
    let mut story = Story::begins();
    story.change(before(12), Change::Seen);
    assert_eq!(story.counts(), (3, 3, 1));
    story.receives(); // at 14
    story.change(ids(&[10, 12]), Change::Deleted);
    assert_eq!(story.counts(), (2, 2, 1));
    story.change(before(11), Change::Seen);
    assert_eq!(story.counts(), (2, 2, 1), "opened later already");
    story.change(before(99), Change::Seen);
    story.receives();
    assert_eq!(story.counts(), (3, 3, 1), "nothing behind the command was seen");
}

#[test]
fn a_late_copy_of_a_command_or_of_what_it_deleted_changes_nothing() {
    let mut story = Story::begins();
    let read = story.change(before(99), Change::Read(true));
    story.change(before(99), Change::Read(false));
    story.change(ids(&[10]), Change::Deleted);
    let (entries, counts) = (story.entries(), story.counts());
    story.apply(read);
    story.apply(Record::of_sent(&sent(10, 0, "hi")).unwrap());
    assert_eq!((story.entries(), story.counts()), (entries, counts));
}

#[test]
fn nobody_changes_the_inbox_of_another() {
    let mut story = Story::begins();
    for selection in [ids(&[10, 11, 12]), before(99)] {
        let (id, user_id) = (NotificationId::new(), users()[1].clone());
        let (changed_at, reason, fingerprint) = (time(0), None, None);
        let change = Change::Deleted;
        let changed = Changed { id, user_id, changed_at, selection, change, reason, fingerprint };
        story.apply(Record::of_changed(&changed).unwrap());
    }
    assert_eq!(story.counts(), (3, 3, 3));
}

#[test]
fn an_erased_inbox_begins_anew_behind_the_erasure() {
    let mut story = Story::begins();
    let (id, user_id, fingerprint) = (NotificationId::new(), users()[0].clone(), None);
    let (erased_at, before) = (time(0), Offset(99));
    let erased = Erased { id, user_id, erased_at, before, fingerprint };
    story.apply(Record::of_erased(&erased).unwrap());
    assert_eq!((story.counts(), story.entries().len()), ((0, 0, 0), 0));
    story.receives();
    assert_eq!((story.counts(), story.entries()), ((1, 1, 1), vec![(14, None, None)]));
}

#[test]
fn a_batch_of_commands_on_a_long_inbox_is_written_in_parts_and_comes_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { block_entries: 1, ..config() };
    let store = Store::open(folder.path(), &config).unwrap();
    let mut inbox = store.partition(PARTITION, topic(1)).unwrap();
    let user_id = users()[0].clone();
    let sends = (0..2_000).map(|n| Record::of_sent(&sent(n, 0, "hi")).unwrap());
    let commands = (0..121).map(|n| {
        let (id, before) = (NotificationId::new(), Offset(n * 20));
        let changed_at = Timestamp::from_ms_clamped(n);
        let (selection, change) = (Selection::Before(before), Change::Read(n % 2 == 0));
        let (user_id, reason, fingerprint) = (user_id.clone(), None, None);
        Record::of_changed(&Changed {
            id,
            user_id,
            changed_at,
            selection,
            change,
            reason,
            fingerprint,
        })
        .unwrap()
    });
    let records: Vec<_> = (0..).map(Offset).zip(sends.chain(commands)).collect();
    let applied = inbox.apply(batch(records, Offset(2_121)), &is_home).unwrap();
    assert_eq!((applied.sent, applied.commands), (2_000, 121));
    assert_eq!(inbox.next_offset(), Some(Offset(2_121)));
    assert_eq!(inbox.last_record().unwrap().offset, Offset(2_120));
    let head = inbox.reader().head(&user_id).unwrap();
    // The last one, at 2,400, reads all.
    assert_eq!((head.total_count, head.unread_count), (2_000, 0));
    let page = inbox.reader().page(&user_id, &Query::newest(5_000)).unwrap();
    let read_at = |n: usize| page.entries[1_999 - n].read_at.unwrap().as_ms();
    // Those below 2,380 were made unread by the one before.
    assert_eq!((read_at(0), read_at(1_999)), (120, 120));
}

#[test]
fn commands_older_than_those_that_are_kept_are_a_gap_and_the_newer_ones_are_told() {
    let mut story = Story::begins();
    let some: Vec<_> = (0..1_000).collect();
    // 16 KB each. Where they take more than 64 KiB, all but 32 KiB go.
    for _ in 0..5 {
        story.change(ids(&some), Change::Read(true)); // at 13 to 17
    }
    let replay = |first| {
        let bounds = ReplayBounds { limit: 9, max_bytes: 1_000 };
        let replay = story.inbox.reader().replay(&users()[0], Offset(first), bounds).unwrap();
        (replay.gap, replay.events.len())
    };
    let too_old = (Some(Gap::TooOld), 0);
    assert_eq!([10, 13, 15].map(replay), [too_old; 3]);
    assert_eq!([16, 17, 18].map(replay), [(None, 2), (None, 1), (None, 0)]);
}

#[test]
fn a_log_that_was_cut_behind_what_was_read_goes_on_where_it_begins() {
    let mut story = Story::begins();
    assert!(story.inbox.retain(Offset(20)).unwrap());
    assert_eq!(story.counts(), (0, 0, 0));
    story.inbox.apply(batch(Vec::new(), Offset(20)), &is_home).unwrap();
    assert!(!story.inbox.retain(Offset(20)).unwrap());
    while story.inbox.sweep(2).unwrap() {}
    story.next = Offset(20);
    story.receives();
    assert_eq!((story.counts(), story.entries()), ((1, 1, 1), vec![(20, None, None)]));
}
