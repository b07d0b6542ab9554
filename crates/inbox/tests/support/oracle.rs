//! The fold as it would be written if memory were free.

use std::collections::{BTreeMap, BTreeSet};

use models::{Event, Offset, Partition, Place, Record, Undecodable, UserId};

use super::{Seen, topic};

#[derive(Default)]
pub(crate) struct Oracle {
    ids: BTreeSet<[u8; 16]>,
    inboxes: BTreeMap<UserId, Vec<Seen>>,
    pub(crate) duplicates: usize,
    pub(crate) undecodable: Vec<(Offset, Undecodable)>,
}

impl Oracle {
    pub(crate) fn of(log: &[(Offset, Record)]) -> Self {
        let mut oracle = Self::default();
        for (offset, record) in log {
            let place = Place { topic_id: topic(1), partition: Partition(3), offset: *offset };
            match Event::decode(record, place) {
                Ok(Event::Sent(sent)) if oracle.ids.insert(*sent.id.as_bytes()) => {
                    let is_plain = sent.notification.is_plain();
                    let json = serde_json::to_string(&sent.notification).unwrap();
                    let seen = (*offset, sent.id, sent.created_at, is_plain, json);
                    oracle.inboxes.entry(sent.notification.to.id).or_default().push(seen);
                }
                Ok(_) => oracle.duplicates += 1,
                Err(reason) => oracle.undecodable.push((*offset, reason)),
            }
        }
        oracle
    }

    pub(crate) fn total(&self) -> usize {
        self.inboxes.values().map(Vec::len).sum()
    }

    pub(crate) fn newest_first(&self, user: &UserId) -> Vec<Seen> {
        self.inboxes.get(user).into_iter().flatten().rev().cloned().collect()
    }
}
