//! The fold as it would be written if memory were free.

use std::collections::BTreeMap;

use inbox::{DeadCount, Effect, Head, Query};
use models::{
    Change, DeadReason, Event, Fingerprint, Notification, Offset, Record, Selection, Timestamp,
    Undecodable, UserId,
};

use super::log::Item;
use super::{Seen, is_home, place};

#[derive(Default)]
pub(crate) struct Oracle {
    ids: BTreeMap<[u8; 16], Option<Fingerprint>>,
    inboxes: BTreeMap<UserId, Vec<Seen>>,
    seen_to: BTreeMap<UserId, Offset>,
    pub(crate) sent: usize,
    pub(crate) expired: usize,
    pub(crate) commands: usize,
    pub(crate) duplicates: usize,
    pub(crate) effects: BTreeMap<Offset, Effect>,
}

impl Oracle {
    pub(crate) fn of(log: &[Item]) -> Self {
        let mut oracle = Self::default();
        for item in log {
            match item {
                Item::Record(offset, record) => oracle.add(*offset, record),
                Item::Unreadable(range) => {
                    let why = DeadReason::UnreadableBatch(range.reason.clone());
                    oracle.add_dead(range.first, range.last, None, &why);
                }
            }
        }
        oracle
    }

    fn add(&mut self, offset: Offset, record: &Record) {
        let place = place(offset);
        let is_away = record.user_id().is_ok_and(|user_id| !is_home(&user_id));
        match Event::decode(record, place) {
            Ok(_) | Err(Undecodable::UnknownType(_)) if is_away => {
                let record = record.clone().relayed(place);
                self.effects.insert(offset, Effect::Relay { record });
            }
            Ok(event) => match self.ids.get(event.id().as_bytes()) {
                None => {
                    self.ids.insert(*event.id().as_bytes(), event.fingerprint());
                    self.add_event(offset, event, record.timestamp);
                }
                Some(known) if *known == event.fingerprint() => self.duplicates += 1,
                Some(_) => {
                    let why = DeadReason::IdempotencyConflict;
                    self.add_dead(offset, offset, Some(record), &why);
                }
            },
            Err(why) => self.add_dead(offset, offset, Some(record), &why.into()),
        }
    }

    fn add_event(&mut self, offset: Offset, event: Event, timestamp: Timestamp) {
        let inbox = self.inboxes.entry(event.user_id().clone()).or_default();
        match event {
            Event::Sent(sent) if sent.notification.expires_at.is_some_and(|at| at <= timestamp) => {
                self.expired += 1;
            }
            Event::Sent(sent) => {
                self.sent += 1;
                inbox.push(Seen {
                    offset,
                    id: sent.id,
                    created_at: sent.created_at,
                    read_at: None,
                    archived_at: None,
                    is_plain: sent.notification.is_plain(),
                    json: serde_json::to_string(&sent.notification).unwrap(),
                });
            }
            Event::Changed(changed) => {
                self.commands += 1;
                let before = match changed.selection {
                    Selection::Before(before) => before.min(offset),
                    Selection::Ids(_) => offset,
                };
                let is_meant = |seen: &Seen| match &changed.selection {
                    Selection::Before(_) => seen.offset < before,
                    Selection::Ids(ids) => ids.contains(&seen.id),
                };
                let meant = inbox.iter_mut().filter(|seen| is_meant(seen));
                let at = changed.changed_at;
                match changed.change {
                    Change::Read(true) => meant.for_each(|seen| {
                        seen.read_at.get_or_insert(at);
                    }),
                    Change::Archived(true) => meant.for_each(|seen| {
                        seen.archived_at.get_or_insert(at);
                    }),
                    Change::Read(false) => meant.for_each(|seen| seen.read_at = None),
                    Change::Archived(false) => meant.for_each(|seen| seen.archived_at = None),
                    Change::Deleted => inbox.retain(|seen| !is_meant(seen)),
                    Change::Seen => {
                        let seen_to = self.seen_to.entry(changed.user_id).or_insert(before);
                        *seen_to = before.max(*seen_to);
                    }
                }
            }
            Event::Erased(erased) => {
                self.commands += 1;
                inbox.retain(|seen| seen.offset >= erased.before);
            }
        }
    }

    fn add_dead(&mut self, first: Offset, last: Offset, record: Option<&Record>, why: &DeadReason) {
        let (reason, detail) = (why.code().to_owned(), why.to_string());
        let effect = Effect::DeadLetter { record: record.cloned(), last, reason, detail };
        self.effects.insert(first, effect);
    }

    pub(crate) fn head(&self, user: &UserId, next_offset: Option<Offset>) -> Head {
        let all: Vec<_> = self.inboxes.get(user).into_iter().flatten().collect();
        let seen_to = self.seen_to.get(user).copied().unwrap_or(Offset(0));
        let count = |is: &dyn Fn(&Seen) -> bool| all.iter().filter(|seen| is(seen)).count() as u64;
        Head {
            total_count: all.len() as u64,
            unread_count: count(&|seen| seen.read_at.is_none() && seen.archived_at.is_none()),
            unseen_count: count(&|seen| seen.offset >= seen_to),
            next_offset,
        }
    }

    /// Retention cuts what lies below this offset.
    pub(crate) fn cut(&mut self, log_start: Offset) {
        for inbox in self.inboxes.values_mut() {
            inbox.retain(|seen| seen.offset >= log_start);
        }
    }

    /// Whether an event with this record's id is known.
    pub(crate) fn knows(&self, offset: Offset, record: &Record) -> bool {
        let event = Event::decode(record, place(offset));
        event.is_ok_and(|event| self.ids.contains_key(event.id().as_bytes()))
    }

    /// What a walk over all pages shows, newest first.
    pub(crate) fn asked_for(&self, user: &UserId, query: &Query) -> Vec<Seen> {
        let mut all = self.newest_first(user);
        all.retain(|seen| {
            let notification: Notification = serde_json::from_str(&seen.json).unwrap();
            let Query { since, until, tag, from, status, .. } = query;
            status.includes(seen.read_at.is_some(), seen.archived_at.is_some())
                && since.is_none_or(|since| seen.created_at >= since)
                && until.is_none_or(|until| seen.created_at < until)
                && tag.as_ref().is_none_or(|tag| notification.tags.contains(tag))
                && (from.is_none() || notification.from.id == *from)
        });
        all
    }

    /// What has expired by now, the first to expire first.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<(UserId, Seen)> {
        let all = self.inboxes.iter().flat_map(|(user, inbox)| {
            inbox.iter().filter_map(|seen| {
                let notification: Notification = serde_json::from_str(&seen.json).unwrap();
                let expires_at = notification.expires_at.filter(|at| *at <= now)?;
                Some((expires_at, seen.offset, user.clone(), seen.clone()))
            })
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(expires_at, offset, ..)| (*expires_at, *offset));
        all.into_iter().map(|(.., user, seen)| (user, seen)).collect()
    }

    pub(crate) fn newest_first(&self, user: &UserId) -> Vec<Seen> {
        self.inboxes.get(user).into_iter().flatten().rev().cloned().collect()
    }

    /// The dead letters from this offset on, and how many relays.
    pub(crate) fn counts_from(&self, from: Offset) -> (BTreeMap<&str, DeadCount>, usize) {
        let (mut dead, mut relayed) = (BTreeMap::new(), 0);
        for (offset, effect) in self.effects.range(from..) {
            match effect {
                Effect::Relay { .. } => relayed += 1,
                Effect::DeadLetter { reason, .. } => {
                    let none = DeadCount { count: 0, first: *offset };
                    dead.entry(reason.as_str()).or_insert(none).count += 1;
                }
            }
        }
        (dead, relayed)
    }
}
