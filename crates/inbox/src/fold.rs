//! What a batch of records comes to, before anything is written.

use std::collections::{BTreeMap, HashSet};

use models::{Event, NotificationId, Offset, Place, Record, Sent, Undecodable, UserId};

use crate::rows::{LastRecord, Progress};
use crate::spaces::Home;
use crate::{InboxError, RecordHash};

/// What a batch of records comes to.
pub(crate) struct Fold {
    /// In the order of the log, each id once.
    pub(crate) sent: Vec<(Offset, Sent)>,
    pub(crate) undecodable: Vec<(Offset, Undecodable)>,
    pub(crate) duplicates: usize,
    pub(crate) skipped: usize,
    /// How far the partition is folded with them.
    pub(crate) progress: Progress,
}

impl Fold {
    /// Folds records that are in ascending order and below `next_offset`, given how far the
    /// partition is folded without them.
    pub(crate) fn of(
        home: Home,
        records: Vec<(Offset, Record)>,
        next_offset: Offset,
        before: Option<Progress>,
    ) -> Result<Self, InboxError> {
        check_order(home, &records, next_offset)?;
        let mut fold = Self::nothing(next_offset, before);
        let first = before.map_or(Offset(0), |before| before.next_offset);
        let mut ids = HashSet::with_capacity(records.len());
        let last = records.last().filter(|(offset, _)| *offset >= first);
        if let Some((offset, record)) = last {
            let hash = RecordHash::of(record);
            fold.progress.last_record = Some(LastRecord { offset: *offset, hash });
        }
        for (offset, record) in records {
            if offset < first {
                fold.skipped += 1;
                continue;
            }
            fold.add(home, offset, &record, &mut ids);
        }
        Ok(fold)
    }

    fn nothing(next_offset: Offset, before: Option<Progress>) -> Self {
        let next_offset = before.map_or(next_offset, |before| before.next_offset.max(next_offset));
        let last_record = before.and_then(|before| before.last_record);
        Self {
            sent: Vec::new(),
            undecodable: Vec::new(),
            duplicates: 0,
            skipped: 0,
            progress: Progress { next_offset, last_record },
        }
    }

    fn add(
        &mut self,
        home: Home,
        offset: Offset,
        record: &Record,
        ids: &mut HashSet<NotificationId>,
    ) {
        let Home { topic_id, partition } = home;
        match Event::decode(record, Place { topic_id, partition, offset }) {
            Ok(Event::Sent(sent)) if ids.insert(sent.id) => self.sent.push((offset, sent)),
            Ok(Event::Sent(_)) => self.duplicates += 1,
            Err(reason) => self.undecodable.push((offset, reason)),
        }
    }

    /// Takes out what the store has applied already.
    pub(crate) fn drop_known<E>(
        &mut self,
        mut is_known: impl FnMut(&NotificationId) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut new = Vec::with_capacity(self.sent.len());
        for (offset, sent) in self.sent.drain(..) {
            if is_known(&sent.id)? {
                self.duplicates += 1;
            } else {
                new.push((offset, sent));
            }
        }
        self.sent = new;
        Ok(())
    }

    /// How many notifications each user gets, in the order of the users' keys.
    pub(crate) fn count_by_user(&self) -> BTreeMap<&UserId, u64> {
        let mut counts = BTreeMap::new();
        for (_, sent) in &self.sent {
            *counts.entry(&sent.notification.to.id).or_default() += 1;
        }
        counts
    }
}

fn check_order(
    home: Home,
    records: &[(Offset, Record)],
    next_offset: Offset,
) -> Result<(), InboxError> {
    let mut first = Offset(0);
    for (offset, _) in records {
        if *offset < first || *offset >= next_offset {
            return Err(InboxError::OutOfOrder { partition: home.partition, offset: *offset });
        }
        first = offset.next();
    }
    Ok(())
}
