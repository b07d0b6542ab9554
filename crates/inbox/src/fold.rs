//! What records come to, before it is stored.

mod events;
mod ids;
mod inbox;
mod inboxes;

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use fjall::{Database, OwnedWriteBatch, Snapshot};
use models::{
    DeadReason, Event, NotificationId, Offset, Place, Record, Undecodable, UnreadableRange, UserId,
};

use crate::batch::{Applied, Batch};
use crate::meta::Progress;
use crate::pending::Pending;
use crate::rows::KnownId;
use crate::spaces::{Home, Spaces};
use crate::{Effect, InboxError, InboxEvent, LastRecord, News, RecordHash, Watchers};
use ids::Ids;
pub(crate) use inbox::Inbox;
use inboxes::Inboxes;

/// What a partition is folded with.
pub(crate) struct Ground<'a> {
    pub(crate) home: Home,
    pub(crate) database: &'a Database,
    pub(crate) spaces: &'a Spaces,
    /// What the store holds; nobody else writes what is read of it.
    pub(crate) snapshot: &'a Snapshot,
    /// What it will hold in addition.
    pub(crate) storing: Option<&'a Pending>,
    pub(crate) block_entries: u64,
    pub(crate) is_home: &'a dyn Fn(&UserId) -> bool,
    pub(crate) watchers: &'a dyn Watchers,
}

impl Ground<'_> {
    /// What is known under an event's id, but for what is folded now.
    fn known(&self, id: NotificationId) -> Result<Option<KnownId>, InboxError> {
        match self.storing.and_then(|storing| storing.ids.get(&id)) {
            Some(known) => Ok(Some(*known)),
            None => self.spaces.known(self.home.partition, self.snapshot, id),
        }
    }
}

/// What of a batch is still to be folded.
pub(crate) struct Rest {
    records: IntoIter<(Offset, Record)>,
    unreadable: Peekable<IntoIter<UnreadableRange>>,
    next_offset: Offset,
}

/// What records come to. They are taken one by one in the order of the log, so that it makes no
/// difference where a batch ends.
struct Fold<'a> {
    applied: Applied,
    /// How far the partition is folded with them.
    progress: &'a mut Progress,
    effects: &'a mut Vec<(Offset, Vec<u8>)>,
    ground: &'a Ground<'a>,
    ids: Ids<'a>,
    inboxes: Inboxes<'a>,
    /// What happened to inboxes that are watched.
    news: BTreeMap<UserId, Vec<InboxEvent>>,
    /// Of entries.
    bytes: usize,
    /// Reused from row to row.
    scratch: Vec<u8>,
}

/// An empty batch, with room for so many rows.
pub(crate) fn batch(database: &Database, rows: usize) -> OwnedWriteBatch {
    OwnedWriteBatch::with_capacity(database.clone(), rows)
        // To the operating system before `commit` returns: what `kill -9` leaves behind.
        .durability(Some(fjall::PersistMode::Buffer))
}

/// What follows from what retention has cut of these users' inboxes.
pub(crate) fn trim(
    ground: &Ground<'_>,
    users: &[UserId],
    progress: Progress,
) -> Result<Pending, InboxError> {
    let mut pending = Pending::nothing(progress);
    let mut fold = Fold::new(ground, &mut pending);
    for user_id in users {
        fold.inboxes.touch(user_id)?;
    }
    Ok(pending)
}

/// Records, and rows that their commands look at, before readers get their turn. Larger, and they wait
/// longer; smaller, and folding many records takes longer.
const RECORDS_AT_ONCE: usize = 64;
const WORK_AT_ONCE: usize = 2_000;

impl Rest {
    pub(crate) fn of(batch: Batch, home: Home) -> Result<Self, InboxError> {
        batch.check_order(home)?;
        let Batch { records, unreadable, next_offset } = batch;
        let unreadable = unreadable.into_iter().peekable();
        Ok(Self { records: records.into_iter(), unreadable, next_offset })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// Folds the first records of it, or all of it, if that is not much.
    pub(crate) fn fold_some(
        &mut self,
        ground: &Ground<'_>,
        pending: &mut Pending,
    ) -> Result<(Applied, Vec<News>), InboxError> {
        let first = pending.progress.next_offset;
        let mut fold = Fold::new(ground, pending);
        let (mut taken, mut end) = (0, first);
        while let Some((offset, record)) = self.records.next() {
            if offset < first {
                fold.applied.skipped += 1;
                continue;
            }
            taken += 1;
            let is_enough = taken == RECORDS_AT_ONCE || fold.inboxes.work > WORK_AT_ONCE;
            if is_enough || self.is_empty() {
                let hash = RecordHash::of(&record);
                fold.progress.last_record = Some(LastRecord { offset, hash });
            }
            fold.add(offset, record)?;
            if is_enough {
                end = offset.next();
                break;
            }
        }
        if self.is_empty() {
            end = first.max(self.next_offset);
        }
        while let Some(range) = self.unreadable.next_if(|range| range.last < end) {
            if range.last >= first {
                fold.add_unreadable(range, first);
            }
        }
        let news = fold.take_news(first, end);
        let (applied, rows, bytes) = fold.finish(end);
        pending.rows += taken + rows;
        pending.bytes += bytes;
        Ok((applied, news))
    }
}

impl<'a> Fold<'a> {
    fn new(ground: &'a Ground<'a>, pending: &'a mut Pending) -> Self {
        let Pending { progress, ids, inboxes, index, effects, .. } = pending;
        Self {
            applied: Applied::nothing(progress.next_offset),
            ids: Ids::new(ground, progress.highest_id, ids),
            inboxes: Inboxes::new(ground, progress.log_start, inboxes, index),
            progress,
            effects,
            ground,
            news: BTreeMap::new(),
            bytes: 0,
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
        match event {
            Event::Sent(sent) => self.add_sent(offset, &user_id, &sent, record.timestamp),
            Event::Changed(changed) => self.add_changed(offset, changed),
            Event::Erased(erased) => self.add_erased(offset, erased),
        }
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
        self.bytes += row.len();
        self.effects.push((offset, row));
    }

    fn take_news(&mut self, first: Offset, end: Offset) -> Vec<News> {
        let news = std::mem::take(&mut self.news).into_iter();
        let told = news.map(|(user_id, events)| {
            let head = self.inboxes.head(&user_id).shown(Some(end));
            News { user_id, first, events, head }
        });
        told.collect()
    }

    /// What became of the records, how many rows their commands looked at, and how large what came of
    /// them is.
    fn finish(mut self, end: Offset) -> (Applied, usize, usize) {
        self.progress.next_offset = end;
        self.progress.highest_id = self.ids.highest;
        self.applied.next_offset = end;
        (self.applied, self.inboxes.work, self.bytes)
    }
}
