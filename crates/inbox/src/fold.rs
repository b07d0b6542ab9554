//! What a batch of records comes to, before anything is committed.

mod events;
mod ids;
mod inbox;
mod inboxes;

use fjall::{Database, OwnedWriteBatch, Snapshot};
use models::{
    DeadReason, Event, NotificationId, Offset, Place, Record, Undecodable, UnreadableRange, UserId,
};

use crate::batch::{Applied, Batch};
use crate::meta::{META_KEY, Progress};
use crate::outbox::{Waiting, outbox_key};
use crate::rows::KnownId;
use crate::spaces::{Home, Spaces};
use crate::{Effect, InboxError, LastRecord, RecordHash};
use ids::Ids;
use inboxes::Inboxes;

/// What a partition is folded with.
pub(crate) struct Ground<'a> {
    pub(crate) home: Home,
    pub(crate) database: Database,
    pub(crate) spaces: &'a Spaces,
    /// What the store holds; nobody else writes what is read of it.
    pub(crate) snapshot: Snapshot,
    pub(crate) block_entries: u64,
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
    ids: Ids<'a>,
    inboxes: Inboxes<'a>,
    /// Reused from row to row.
    scratch: Vec<u8>,
}

/// An empty batch, with room for so many rows.
pub(crate) fn batch(database: &Database, rows: usize) -> OwnedWriteBatch {
    OwnedWriteBatch::with_capacity(database.clone(), rows)
        // To the operating system before `commit` returns: what `kill -9` leaves behind.
        .durability(Some(fjall::PersistMode::Buffer))
}

/// The rows that follow from what retention has cut of these users' inboxes.
pub(crate) fn trim(ground: &Ground<'_>, users: &[UserId]) -> Result<OwnedWriteBatch, InboxError> {
    let mut fold = Fold::nothing(ground, 0);
    for user_id in users {
        fold.inboxes.touch(user_id)?;
    }
    fold.inboxes.write(&mut fold.rows);
    Ok(fold.rows)
}

/// Rows that commands may look at before the batch is written and the rest of it becomes another
/// one. Larger, and a batch full of commands on long inboxes takes more memory; smaller, and it takes
/// more writes.
const MAX_WORK: usize = 100_000;

impl<'a> Fold<'a> {
    /// Folds a batch into what the store holds, or the first part of one that is too much at once:
    /// then the rest is handed back.
    pub(crate) fn of(
        ground: &'a Ground<'a>,
        batch: Batch,
    ) -> Result<(Self, Option<Batch>), InboxError> {
        batch.check_order(ground.home)?;
        let Batch { records, unreadable, next_offset } = batch;
        let first = ground.before.map_or(Offset(0), |before| before.next_offset);
        let mut fold = Self::nothing(ground, records.len());
        let mut records = records.into_iter();
        while let Some((offset, record)) = records.next() {
            if offset < first {
                fold.applied.skipped += 1;
                continue;
            }
            let is_enough = fold.inboxes.work > MAX_WORK;
            if is_enough || records.len() == 0 {
                let hash = RecordHash::of(&record);
                fold.progress.last_record = Some(LastRecord { offset, hash });
            }
            fold.add(offset, record)?;
            if is_enough && records.len() > 0 {
                return Ok(fold.finish_at(
                    offset.next(),
                    records.collect(),
                    unreadable,
                    next_offset,
                ));
            }
        }
        fold.add_all_unreadable(unreadable, first);
        Ok((fold.finish(first.max(next_offset)), None))
    }

    /// Ends before the batch does.
    fn finish_at(
        mut self,
        end: Offset,
        records: Vec<(Offset, Record)>,
        unreadable: Vec<UnreadableRange>,
        next_offset: Offset,
    ) -> (Self, Option<Batch>) {
        let first = self.ground.before.map_or(Offset(0), |before| before.next_offset);
        let (done, unreadable) = unreadable.into_iter().partition(|range| range.last < end);
        self.add_all_unreadable(done, first);
        let rest = Batch { records, unreadable, next_offset };
        (self.finish(end), Some(rest))
    }

    fn nothing(ground: &'a Ground<'a>, records: usize) -> Self {
        let nothing_applied = Progress {
            next_offset: Offset(0),
            last_record: None,
            effects_from: ground.effects_from,
            lowest_unknown: None,
            log_start: Offset(0),
            highest_id: NotificationId::from_bytes([0; 16]),
        };
        let before = ground.before.unwrap_or(nothing_applied);
        let (partition, next_offset) = (ground.home.partition, before.next_offset);
        let rows = batch(&ground.database, 2 * records + 1);
        Self {
            applied: Applied::nothing(next_offset),
            progress: before,
            rows,
            new_effects: Waiting::default(),
            ground,
            ids: Ids::new(partition, ground.spaces, records, before.highest_id),
            inboxes: Inboxes::new(
                partition,
                &ground.snapshot,
                ground.spaces,
                ground.block_entries,
                before.log_start,
            ),
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
        let id = event.id();
        let new = KnownId { offset, fingerprint: event.fingerprint() };
        match self.ids.known_or(id, new)? {
            None => {}
            Some(known) if known.fingerprint == new.fingerprint => {
                self.applied.duplicates += 1;
                return Ok(());
            }
            Some(_) => {
                self.add_dead(offset, record, DeadReason::IdempotencyConflict);
                return Ok(());
            }
        }
        self.rows.insert(&self.ground.spaces.ids, id.as_bytes().as_slice(), new.write());
        match event {
            Event::Sent(sent) => self.add_sent(offset, &user_id, &sent, record.timestamp),
            Event::Changed(changed) => self.add_changed(offset, changed),
            Event::Erased(erased) => self.add_erased(offset, erased),
        }
    }

    fn add_dead(&mut self, offset: Offset, record: Record, why: DeadReason) {
        self.write_dead(offset, offset, Some(record), &why);
    }

    fn add_all_unreadable(&mut self, unreadable: Vec<UnreadableRange>, first: Offset) {
        for range in unreadable {
            if range.last >= first {
                self.add_unreadable(range, first);
            }
        }
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

    fn finish(mut self, next_offset: Offset) -> Self {
        self.progress.next_offset = next_offset;
        self.progress.highest_id = self.ids.highest;
        self.applied.next_offset = next_offset;
        self.inboxes.write(&mut self.rows);
        self.rows.insert(&self.ground.spaces.heads, META_KEY, self.progress.write());
        self
    }
}
