//! The store against an oracle: a fold written with maps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::collections::BTreeMap;

use inbox::{PartitionInbox, RecordHash, Store};
use models::{Offset, Partition, Record, UserId};
use proptest::prelude::*;
use support::oracle::Oracle;
use support::{Said, config, copy_of, log_of, rows_of, said, small_config, topic, users};
use tempfile::TempDir;

const PARTITION: Partition = Partition(3);

/// What happens to a store.
#[derive(Clone, Debug)]
enum Step {
    /// The next so many records are applied; so many before them are given once more.
    Apply {
        new: usize,
        again: usize,
    },
    /// A part of what was applied comes once more, and nothing else.
    Replay {
        from_permille: usize,
        records: usize,
    },
    /// `next_offset` moves over offsets that hold no record.
    Gap,
    Reopen,
    /// The folder is deleted.
    Lose,
    /// The writer finds another log: everything anew.
    Reset,
    /// The folder as `kill -9` leaves it; with a tail of the journal missing, as a power loss may.
    Crash {
        cut_permille: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12usize, 0..6usize).prop_map(|(new, again)| Step::Apply { new, again }),
        1 => (0..1000usize, 0..6usize)
            .prop_map(|(from_permille, records)| Step::Replay { from_permille, records }),
        1 => Just(Step::Gap),
        1 => Just(Step::Reopen),
        1 => Just(Step::Lose),
        1 => Just(Step::Reset),
        1 => Just(Step::Crash { cut_permille: 0 }),
        2 => (0..=1000usize).prop_map(|cut_permille| Step::Crash { cut_permille }),
    ]
}

/// A store, the log it is folded from, and how far.
struct World {
    log: Vec<(Offset, Record)>,
    /// How many records of the log were applied.
    at: usize,
    next_offset: Offset,
    /// How many records were applied at each `next_offset` that a batch ended with.
    past: BTreeMap<Offset, usize>,
    folder: TempDir,
    inbox: Option<PartitionInbox>,
}

impl World {
    fn new(log: Vec<(Offset, Record)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Some(open(&folder));
        let past = BTreeMap::new();
        Self { log, at: 0, next_offset: Offset(0), past, folder, inbox }
    }

    fn inbox(&mut self) -> &mut PartitionInbox {
        self.inbox.as_mut().unwrap()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Apply { new, again } => self.apply(new, again),
            Step::Replay { from_permille, records } => self.replay(from_permille, records),
            Step::Gap => self.gap(),
            Step::Reopen => {
                self.inbox = None;
                self.inbox = Some(open(&self.folder));
            }
            Step::Lose => {
                self.inbox = None;
                self.folder = tempfile::tempdir().unwrap();
                self.inbox = Some(open(&self.folder));
                self.fold_all_again();
            }
            Step::Reset => {
                self.inbox().reset().unwrap();
                self.fold_all_again();
            }
            Step::Crash { cut_permille } => self.crash(cut_permille),
        }
        self.check();
    }

    fn apply(&mut self, new: usize, again: usize) {
        let end = (self.at + new).min(self.log.len());
        let start = self.at.saturating_sub(again);
        let records = self.log[start..end].to_vec();
        if let Some((offset, _)) = records.last() {
            self.next_offset = self.next_offset.max(offset.next());
        }
        let next_offset = self.next_offset;
        let before = Oracle::of(&self.log[..self.at]);
        let after = Oracle::of(&self.log[..end]);
        let applied = self.inbox().apply(records, next_offset).unwrap();
        assert_eq!(applied.skipped, self.at - start);
        assert_eq!(applied.sent, after.total() - before.total());
        assert_eq!(applied.duplicates, after.duplicates - before.duplicates);
        assert_eq!(applied.undecodable, after.undecodable[before.undecodable.len()..]);
        assert_eq!(applied.next_offset, next_offset);
        self.at = end;
        self.past.insert(next_offset, end);
    }

    fn replay(&mut self, from_permille: usize, records: usize) {
        let from = self.at * from_permille / 1000;
        let records = self.log[from..(from + records).min(self.at)].to_vec();
        let Some((last, _)) = records.last() else { return };
        let (next_offset, skipped) = (last.next(), records.len());
        let applied = self.inbox().apply(records, next_offset).unwrap();
        assert_eq!((applied.sent, applied.skipped), (0, skipped));
        assert_eq!(applied.next_offset, self.next_offset);
    }

    fn gap(&mut self) {
        let Some((next, _)) = self.log.get(self.at) else { return };
        self.next_offset = *next;
        let next_offset = self.next_offset;
        self.inbox().apply(Vec::new(), next_offset).unwrap();
        self.past.insert(next_offset, self.at);
    }

    /// From the first record to where it was, in one batch.
    fn fold_all_again(&mut self) {
        assert_eq!(self.inbox().next_offset(), None);
        let (records, next_offset) = (self.log[..self.at].to_vec(), self.next_offset);
        self.past.clear();
        if next_offset > Offset(0) {
            self.inbox().apply(records, next_offset).unwrap();
            self.past.insert(next_offset, self.at);
        }
    }

    /// Goes on with a copy of the folder that lacks the journal's tail: it must show one of the
    /// batches that were applied, all of it, and be able to go on from there.
    fn crash(&mut self, cut_permille: usize) {
        self.folder = copy_of(&self.folder, cut_permille);
        self.inbox = Some(open(&self.folder));
        let found = self.inbox().next_offset();
        if cut_permille == 0 {
            assert_eq!(found, self.past.keys().next_back().copied(), "a kill lost a batch");
        }
        let (target, end) = (self.next_offset, self.at);
        self.next_offset = found.unwrap_or(Offset(0));
        self.at = found.map_or(0, |next_offset| self.past[&next_offset]);
        self.check();
        self.apply(end - self.at, 2);
        if target > self.next_offset {
            self.next_offset = target;
            self.inbox().apply(Vec::new(), target).unwrap();
            self.past.insert(target, self.at);
        }
    }

    fn check(&mut self) {
        let oracle = Oracle::of(&self.log[..self.at]);
        let reader = self.inbox().reader();
        let next_offset = self.inbox().next_offset();
        assert_eq!(next_offset.unwrap_or(Offset(0)), self.next_offset);
        let last = self.log[..self.at].last().map(|(at, record)| (*at, RecordHash::of(record)));
        let found = self.inbox().last_record().map(|last| (last.offset, last.hash));
        assert_eq!(found, last);
        for user in users() {
            let expected = oracle.newest_first(&user);
            let head = reader.head(&user).unwrap();
            assert_eq!((head.total_count, head.next_offset), (expected.len() as u64, next_offset));
            for limit in 0..=expected.len() + 1 {
                let page = reader.newest(&user, limit).unwrap();
                let entries: Vec<_> = page.entries.iter().map(support::seen).collect();
                assert_eq!(entries, expected[..limit.min(expected.len())]);
                assert_eq!(page.has_older, limit < expected.len());
                assert_eq!(page.next_offset, next_offset);
            }
        }
        let nobody: UserId = "nobody".parse().unwrap();
        assert!(reader.newest(&nobody, 9).unwrap().entries.is_empty());
    }
}

fn open(folder: &TempDir) -> PartitionInbox {
    Store::open(folder.path(), &config()).unwrap().partition(PARTITION, topic(1)).unwrap()
}

/// The rows of a store that these batches were applied to.
fn rows_after(batches: &[Vec<(Offset, Record)>], next_offset: Offset) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &small_config()).unwrap();
    let mut inbox = store.partition(PARTITION, topic(1)).unwrap();
    for batch in batches {
        if let Some((offset, _)) = batch.last() {
            inbox.apply(batch.clone(), offset.next()).unwrap();
        }
    }
    inbox.apply(Vec::new(), next_offset).unwrap();
    drop((inbox, store));
    rows_of(&folder)
}

fn log() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::vec(said(), 1..60)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn every_history_shows_what_the_oracle_shows(
        log in log(),
        steps in prop::collection::vec(step(), 1..16),
    ) {
        let mut world = World::new(log_of(&log));
        world.check();
        for step in &steps {
            world.take(step);
        }
    }

    #[test]
    fn batch_sizes_leave_no_trace_in_the_rows(
        log in log(),
        cuts in prop::collection::vec(1..9usize, 60),
    ) {
        let log = log_of(&log);
        let next_offset = Offset(log.last().unwrap().0.0 + 5);
        let mut rest = &log[..];
        let mut batches = Vec::new();
        for cut in cuts {
            let (batch, others) = rest.split_at(cut.min(rest.len()));
            batches.push(batch.to_vec());
            rest = others;
        }
        let rows = rows_after(std::slice::from_ref(&log), next_offset);
        prop_assert!(!rows.is_empty());
        prop_assert_eq!(rows, rows_after(&batches, next_offset));
    }
}
