//! The fold as it would be written if memory were free.

use std::collections::BTreeMap;

use inbox::{DeadCount, Effect};
use models::{
    DeadReason, Event, Fingerprint, Offset, Partition, Place, Record, Undecodable, UserId,
};

use super::log::Item;
use super::{Seen, is_home, topic};

#[derive(Default)]
pub(crate) struct Oracle {
    ids: BTreeMap<[u8; 16], Option<Fingerprint>>,
    inboxes: BTreeMap<UserId, Vec<Seen>>,
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
        let place = Place { topic_id: topic(1), partition: Partition(3), offset };
        let is_away = record.user_id().is_ok_and(|user_id| !is_home(&user_id));
        match Event::decode(record, place) {
            Ok(_) | Err(Undecodable::UnknownType(_)) if is_away => {
                let record = record.clone().relayed(place);
                self.effects.insert(offset, Effect::Relay { record });
            }
            Ok(Event::Sent(sent)) => match self.ids.get(sent.id.as_bytes()) {
                None => {
                    self.ids.insert(*sent.id.as_bytes(), sent.fingerprint);
                    let is_plain = sent.notification.is_plain();
                    let json = serde_json::to_string(&sent.notification).unwrap();
                    let seen = (offset, sent.id, sent.created_at, is_plain, json);
                    self.inboxes.entry(sent.notification.to.id).or_default().push(seen);
                }
                Some(known) if *known == sent.fingerprint => self.duplicates += 1,
                Some(_) => {
                    let why = DeadReason::IdempotencyConflict;
                    self.add_dead(offset, offset, Some(record), &why);
                }
            },
            Err(why) => self.add_dead(offset, offset, Some(record), &why.into()),
        }
    }

    fn add_dead(&mut self, first: Offset, last: Offset, record: Option<&Record>, why: &DeadReason) {
        let (reason, detail) = (why.code().to_owned(), why.to_string());
        let effect = Effect::DeadLetter { record: record.cloned(), last, reason, detail };
        self.effects.insert(first, effect);
    }

    pub(crate) fn total(&self) -> usize {
        self.inboxes.values().map(Vec::len).sum()
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
