//! What a client makes of an inbox's events.

use std::cell::RefCell;
use std::collections::BTreeMap;

use inbox::{Gap, InboxEvent, News, PartitionReader, Query, RecentChange, ReplayBounds, Watchers};
use models::{Change, Offset, Selection, UserId};

use super::{Seen, seen, users};

/// One inbox, as a client has it.
#[derive(Clone, Default)]
struct Mirror {
    /// Oldest first.
    entries: Vec<Seen>,
    /// It was told all that lies below; none: nothing.
    told_to: Option<Offset>,
    /// News of steps that began before are known; none: it is not connected.
    connected_at: Option<Offset>,
}

/// A client for each user, told what is folded while they are connected.
#[derive(Clone, Default)]
pub(crate) struct Mirrors(RefCell<BTreeMap<UserId, Mirror>>);

impl Watchers for Mirrors {
    fn is_watched(&self, user_id: &UserId) -> bool {
        self.0.borrow().get(user_id).is_some_and(|mirror| mirror.connected_at.is_some())
    }

    fn tell(&self, news: News) {
        let mut mirrors = self.0.borrow_mut();
        let mirror = mirrors.get_mut(&news.user_id).unwrap();
        let next_offset = news.head.next_offset.unwrap();
        assert!(news.first < next_offset && !news.events.is_empty());
        let offsets: Vec<_> = news.events.iter().map(InboxEvent::offset).collect();
        assert!(offsets.is_sorted() && offsets[0] >= news.first);
        assert!(*offsets.last().unwrap() < next_offset);
        if mirror.connected_at.is_some_and(|at| news.first >= at) {
            assert!(Some(offsets[0]) >= mirror.told_to, "told twice");
            mirror.add_all(&news.events);
            mirror.told_to = Some(next_offset);
            assert_eq!(mirror.entries.len() as u64, news.head.total_count);
        }
    }
}

impl Mirrors {
    /// All connections are cut.
    pub(crate) fn cut(&self) {
        for mirror in self.0.borrow_mut().values_mut() {
            mirror.connected_at = None;
        }
    }

    /// Retention has cut what lies below.
    pub(crate) fn retain(&self, log_start: Offset) {
        for mirror in self.0.borrow_mut().values_mut() {
            mirror.retain(log_start);
        }
    }

    /// Connects whoever is not, as soon as what they know was folded again; all connected show what the
    /// store does.
    pub(crate) fn check(&self, reader: &PartitionReader, limit: usize) {
        let next_offset = reader.next_offset().unwrap_or(Offset(0));
        for user_id in users() {
            let mut mirrors = self.0.borrow_mut();
            let mirror = mirrors.entry(user_id.clone()).or_default();
            if mirror.connected_at.is_none() && mirror.told_to <= Some(next_offset) {
                mirror.resume(reader, &user_id, limit);
            }
            if mirror.connected_at.is_some() {
                assert_eq!(mirror.entries, oldest_first(reader, &user_id));
            }
        }
    }
}

impl Mirror {
    /// Is told what it does not know, `limit` notifications at a time.
    fn resume(&mut self, reader: &PartitionReader, user_id: &UserId, limit: usize) {
        let bounds = ReplayBounds { limit, max_bytes: 1 + 50 * (limit % 2) };
        let mut next = self.told_to.or(Some(Offset(0)));
        while let Some(first) = next {
            let replay = reader.replay(user_id, first, bounds).unwrap();
            assert!(replay.events.iter().all(|event| event.offset() >= first));
            match replay.gap {
                Some(gap) => {
                    assert!(gap == Gap::Retention && first < replay.log_start);
                    self.entries = oldest_first(reader, user_id);
                }
                None => self.add_all(&replay.events),
            }
            self.retain(replay.log_start);
            next = replay.next;
            assert!(next.is_none_or(|next| next > first), "it leads nowhere");
            self.told_to = next.or(replay.head.next_offset);
        }
        self.connected_at = self.told_to.or(Some(Offset(0)));
    }

    fn retain(&mut self, log_start: Offset) {
        self.entries.retain(|seen| seen.offset >= log_start);
    }

    fn add_all(&mut self, events: &[InboxEvent]) {
        for event in events {
            match event {
                InboxEvent::Sent(entry) => self.entries.push(seen(entry)),
                InboxEvent::Changed(change) => self.change(change),
            }
        }
    }

    fn change(&mut self, RecentChange { selection, change, changed_at, .. }: &RecentChange) {
        let is_meant = |seen: &Seen| match selection {
            Selection::Ids(ids) => ids.contains(&seen.id),
            Selection::Before(before) => seen.offset < *before,
        };
        if *change == Change::Deleted {
            self.entries.retain(|seen| !is_meant(seen));
        }
        for seen in self.entries.iter_mut().filter(|seen| is_meant(seen)) {
            match change {
                Change::Read(true) => _ = seen.read_at.get_or_insert(*changed_at),
                Change::Read(false) => seen.read_at = None,
                Change::Archived(true) => _ = seen.archived_at.get_or_insert(*changed_at),
                Change::Archived(false) => seen.archived_at = None,
                Change::Deleted | Change::Seen => {}
            }
        }
    }
}

fn oldest_first(reader: &PartitionReader, user_id: &UserId) -> Vec<Seen> {
    let page = reader.page(user_id, &Query::newest(usize::MAX)).unwrap();
    page.entries.iter().rev().map(seen).collect()
}
