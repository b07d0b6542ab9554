//! What a batch of records comes to, before anything is committed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use fjall::{Database, OwnedWriteBatch};
use models::{
    DeadReason, Event, Fingerprint, NotificationId, Offset, Place, Record, Sent, Undecodable,
    UnreadableRange, UserId,
};

use crate::batch::{Applied, Batch};
use crate::meta::{META_KEY, Progress};
use crate::outbox::{Waiting, outbox_key};
use crate::rows;
use crate::spaces::{HEADS, Home, IDS, Spaces};
use crate::{Effect, InboxError, LastRecord, RecordHash};

/// What a partition is folded with.
pub(crate) struct Ground<'a> {
    pub(crate) home: Home,
    pub(crate) database: Database,
    pub(crate) spaces: &'a Spaces,
    pub(crate) is_home: &'a dyn Fn(&UserId) -> bool,
    /// How far it is folded; none: nothing was applied yet.
    pub(crate) before: Option<Progress>,
    /// From where on effects are written, where nothing was applied yet.
    pub(crate) effects_from: Offset,
}

/// What a batch of records comes to. Records are taken one by one in the order of the log, so that
/// it makes no difference where a batch ends.
pub(crate) struct Fold<'a> {
    pub(crate) applied: Applied,
    /// How far the partition is folded with them.
    pub(crate) progress: Progress,
    /// The rows that follow from them.
    pub(crate) rows: OwnedWriteBatch,
    /// What the outbox has more.
    pub(crate) new_effects: Waiting,
    ground: &'a Ground<'a>,
    /// The ids looked up so far, and what was known under them.
    ids: HashMap<NotificationId, Option<Fingerprint>>,
    /// What each user's inbox has more.
    new_counts: HashMap<UserId, u64>,
    /// Reused from row to row.
    scratch: Vec<u8>,
}

impl<'a> Fold<'a> {
    /// Folds a batch into what the store holds.
    pub(crate) fn of(ground: &'a Ground<'a>, batch: Batch) -> Result<Self, InboxError> {
        batch.check_order(ground.home)?;
        let Batch { records, unreadable, next_offset } = batch;
        let first = ground.before.map_or(Offset(0), |before| before.next_offset);
        let mut fold = Self::nothing(ground, first.max(next_offset), records.len());
        if let Some((offset, record)) = records.last().filter(|(offset, _)| *offset >= first) {
            let hash = RecordHash::of(record);
            fold.progress.last_record = Some(LastRecord { offset: *offset, hash });
        }
        for (offset, record) in records {
            if offset < first {
                fold.applied.skipped += 1;
            } else {
                fold.add(offset, record)?;
            }
        }
        for range in unreadable {
            if range.last >= first {
                fold.add_unreadable(range, first);
            }
        }
        fold.write_heads()?;
        Ok(fold)
    }

    fn nothing(ground: &'a Ground<'a>, next_offset: Offset, records: usize) -> Self {
        let nothing_applied = Progress {
            next_offset,
            last_record: None,
            effects_from: ground.effects_from,
            lowest_unknown: None,
        };
        let before = ground.before.unwrap_or(nothing_applied);
        let rows = OwnedWriteBatch::with_capacity(ground.database.clone(), 2 * records + 1)
            // To the operating system before `commit` returns: what `kill -9` leaves behind.
            .durability(Some(fjall::PersistMode::Buffer));
        Self {
            applied: Applied::nothing(next_offset),
            progress: Progress { next_offset, ..before },
            rows,
            new_effects: Waiting::default(),
            ground,
            ids: HashMap::with_capacity(records),
            new_counts: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    fn add(&mut self, offset: Offset, record: Record) -> Result<(), InboxError> {
        let user_id = match record.user_id() {
            Ok(user_id) => user_id,
            Err(why) => {
                self.add_dead(offset, record, why.into());
                return Ok(());
            }
        };
        let Home { topic_id, partition } = self.ground.home;
        let place = Place { topic_id, partition, offset };
        let event = Event::decode_for(&user_id, &record, place);
        if !(self.ground.is_home)(&user_id) {
            self.add_misplaced(place, record, event);
            return Ok(());
        }
        match event {
            Ok(event) => self.add_event(offset, record, user_id, event)?,
            Err(why) => {
                if matches!(why, Undecodable::UnknownType(_)) {
                    self.progress.lowest_unknown.get_or_insert(offset);
                }
                self.add_dead(offset, record, why.into());
            }
        }
        Ok(())
    }

    /// A record in a partition where nobody looks for its inbox. Its id stays free here.
    fn add_misplaced(&mut self, place: Place, record: Record, event: Result<Event, Undecodable>) {
        if let Err(why) = event
            && !matches!(why, Undecodable::UnknownType(_))
        {
            return self.add_dead(place.offset, record, why.into());
        }
        let relayed = record.clone().relayed(place);
        let size_bytes = relayed.size_bytes();
        if size_bytes > models::MAX_RECORD_BYTES {
            let why = DeadReason::TooLargeToRelay(size_bytes);
            return self.add_dead(place.offset, record, why);
        }
        self.applied.relayed += 1;
        self.write_effect(place.offset, &Effect::Relay { record: relayed });
    }

    fn add_event(
        &mut self,
        offset: Offset,
        record: Record,
        user_id: UserId,
        event: Event,
    ) -> Result<(), InboxError> {
        let Event::Sent(sent) = event;
        match self.known(sent.id, sent.fingerprint)? {
            None => self.add_sent(offset, user_id, &sent)?,
            Some(known) if known == sent.fingerprint => self.applied.duplicates += 1,
            Some(_) => self.add_dead(offset, record, DeadReason::IdempotencyConflict),
        }
        Ok(())
    }

    /// The fingerprint that this id is known with; none: it is new, and known with this one from
    /// now on.
    fn known(
        &mut self,
        id: NotificationId,
        new: Option<Fingerprint>,
    ) -> Result<Option<Option<Fingerprint>>, InboxError> {
        let partition = self.ground.home.partition;
        let seen = match self.ids.entry(id) {
            Entry::Occupied(seen) => return Ok(Some(*seen.get())),
            Entry::Vacant(seen) => seen,
        };
        let row = self.ground.spaces.ids.get(id.as_bytes());
        let known = match row.map_err(InboxError::failed(partition, "look up an id"))? {
            None => None,
            Some(row) => {
                let unreadable = InboxError::UnreadableRow { partition, keyspace: IDS };
                Some(rows::read_fingerprint(&row).ok_or(unreadable)?)
            }
        };
        seen.insert(known.unwrap_or(new));
        Ok(known)
    }

    fn add_sent(&mut self, offset: Offset, user_id: UserId, sent: &Sent) -> Result<(), InboxError> {
        let partition = self.ground.home.partition;
        self.scratch.clear();
        rows::write_entry(sent, &mut self.scratch)
            .map_err(InboxError::failed(partition, "write JSON"))?;
        let key = rows::entry_key(&user_id, offset);
        let Spaces { entries, ids, .. } = self.ground.spaces;
        self.rows.insert(entries, key, self.scratch.as_slice());
        let id_row = rows::write_id(offset, sent.fingerprint);
        self.rows.insert(ids, sent.id.as_bytes().as_slice(), id_row);
        *self.new_counts.entry(user_id).or_default() += 1;
        self.applied.sent += 1;
        Ok(())
    }

    fn add_dead(&mut self, offset: Offset, record: Record, why: DeadReason) {
        self.write_dead(offset, offset, Some(record), &why);
    }

    /// A range of which a part was applied before begins where that part ends.
    fn add_unreadable(&mut self, range: UnreadableRange, at_least: Offset) {
        let why = DeadReason::UnreadableBatch(range.reason);
        self.write_dead(range.first.max(at_least), range.last, None, &why);
    }

    fn write_dead(
        &mut self,
        first: Offset,
        last: Offset,
        record: Option<Record>,
        why: &DeadReason,
    ) {
        let reason = why.code();
        self.applied.count_dead(reason, first);
        let (reason, detail) = (reason.to_owned(), why.to_string());
        self.write_effect(first, &Effect::DeadLetter { record, last, reason, detail });
    }

    fn write_effect(&mut self, offset: Offset, effect: &Effect) {
        if offset < self.progress.effects_from {
            return;
        }
        let row = effect.write();
        self.new_effects.add(row.len());
        self.rows.insert(&self.ground.spaces.outbox, outbox_key(offset), row);
    }

    fn write_heads(&mut self) -> Result<(), InboxError> {
        let heads = &self.ground.spaces.heads;
        // In the order of the keys: neighbours in the store are then read one after the other.
        let mut new_counts: Vec<_> = self.new_counts.drain().collect();
        new_counts.sort_unstable();
        for (user_id, new) in new_counts {
            let count = total_count(self.ground, &user_id)?.saturating_add(new);
            self.rows.insert(heads, user_id.as_str(), rows::write_count(count));
        }
        self.rows.insert(heads, META_KEY, self.progress.write());
        Ok(())
    }
}

fn total_count(ground: &Ground<'_>, user_id: &UserId) -> Result<u64, InboxError> {
    let partition = ground.home.partition;
    let row = ground.spaces.heads.get(user_id.as_str());
    match row.map_err(InboxError::failed(partition, "read a head"))? {
        None => Ok(0),
        Some(row) => {
            let unreadable = InboxError::UnreadableRow { partition, keyspace: HEADS };
            rows::read_count(&row).ok_or(unreadable)
        }
    }
}
