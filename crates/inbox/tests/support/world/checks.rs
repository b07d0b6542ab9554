//! What must be true of a store and its log after every step.

use inbox::{Query, RecordHash};
use models::{Timestamp, UserId};

use super::super::log::{Item, batch_of};
use super::super::oracle::Oracle;
use super::super::pages::{queries, walk};
use super::super::{is_home, seen, users};
use super::{World, held, open};

impl World {
    /// A store that is folded from what the log still holds shows the same, byte for byte.
    pub(crate) fn check_against_one_folded_anew(&mut self) {
        let first = self.first_retained();
        let retained = &self.log[first..self.now.at];
        let cut = Oracle::of(&self.log[self.base..first]);
        let is_copy = |item: &Item| match item {
            Item::Record(offset, record) => cut.knows(*offset, record),
            Item::Unreadable(_) => false,
        };
        let Some(next_offset) = self.now.next_offset else { return };
        // The one exception: retention has cut a notification, and not yet a late copy of it.
        if retained.iter().any(is_copy) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut anew = open(&folder);
        anew.apply(batch_of(retained, next_offset), &is_home).unwrap();
        let (one, other) = (self.inbox().reader(), anew.reader());
        for user in users() {
            let query = Query::newest(usize::MAX);
            assert_eq!(one.page(&user, &query).unwrap(), other.page(&user, &query).unwrap());
        }
    }

    pub(crate) fn check(&mut self) {
        assert_eq!(self.inbox().next_offset(), self.now.next_offset);
        let last =
            self.log[self.base..self.now.at.max(self.base)].iter().rev().find_map(
                |item| match item {
                    Item::Record(offset, record) => Some((*offset, RecordHash::of(record))),
                    Item::Unreadable(_) => None,
                },
            );
        let found = self.inbox().last_record().map(|last| (last.offset, last.hash));
        assert_eq!(found, last);
        self.check_inboxes();
        self.check_mirrors();
        let (outbox, waiting) = (self.inbox().outbox(), self.waiting());
        assert_eq!(held(&outbox), waiting);
        assert_eq!(outbox.waiting().rows, waiting.len() as u64);
        assert_eq!(outbox.waiting().bytes == 0, waiting.is_empty());
        let is_done = waiting.is_empty() && self.now.next_offset.is_some();
        assert_eq!(outbox.progress(), is_done.then(|| self.progress()));
    }

    /// Clients that were there all the time, and one that was away since one of the steps.
    fn check_mirrors(&mut self) {
        let reader = self.inbox().reader();
        let step = self.past_mirrors.len();
        self.mirrors.check(&reader, 1 + step % 5);
        if let Some(past) = self.past_mirrors.get(step / 2) {
            let past = past.clone();
            past.cut();
            past.check(&reader, 1 + step % 4);
        }
        self.past_mirrors.push(self.mirrors.clone());
    }

    fn check_inboxes(&mut self) {
        let mut oracle = Oracle::of(&self.log[self.base..self.now.at.max(self.base)]);
        oracle.cut(self.log_start);
        let reader = self.inbox().reader();
        let next_offset = self.now.next_offset;
        for (user, n) in users().iter().zip(self.past.len()..) {
            let head = oracle.head(user, next_offset);
            assert_eq!(reader.head(user).unwrap(), head);
            for query in queries(n) {
                let expected = oracle.asked_for(user, &query);
                assert_eq!(walk(&reader, user, query, &head), expected);
            }
            for expected in oracle.newest_first(user) {
                let found = reader.one(user, expected.id).unwrap();
                assert_eq!(found.as_ref().map(seen), Some(expected));
            }
        }
        for stranger in ["nobody", "away"] {
            let stranger: UserId = stranger.parse().unwrap();
            assert!(reader.page(&stranger, &Query::newest(9)).unwrap().entries.is_empty());
        }
        let now = Timestamp::from_ms_clamped(1_800_000_000_000 + 20);
        let due: Vec<_> = reader.due(now, 99).unwrap().into_iter().map(|due| due.offset).collect();
        let expected: Vec<_> = oracle.due(now).into_iter().map(|(_, seen)| seen.offset).collect();
        assert_eq!(due, expected);
    }
}
