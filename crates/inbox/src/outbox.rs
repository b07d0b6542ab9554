//! The outbox: effects on their way out.

use std::sync::Arc;

use fjall::{OwnedWriteBatch, Readable};
use models::Offset;

use crate::meta::Progress;
use crate::shared::Shared;
use crate::spaces::{OUTBOX, Spaces};
use crate::{Effect, InboxError, LastRecord};

/// A partition's effects that were not seen to yet, from any thread; clones are the same outbox.
///
/// An effect is written in the same batch as all else that follows from its record, and is there
/// until [`Drain::remove`] has returned. Whoever sends it before that sends it at least once, and
/// exactly once where nothing crashes in between.
///
/// It follows its writer as a [`crate::PartitionReader`] does, and locks the folder as one. It is
/// meant to be drained by one thread: two at a time are given the same effects.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// Effects to be seen to now.
#[must_use = "effects that are not removed are given out again"]
pub struct Drain {
    /// In the order of the log; at least one.
    pub effects: Vec<(Offset, Effect)>,
    /// How far the log is seen to once these effects are.
    pub progress: DrainProgress,
    rows: Vec<(Offset, u64)>,
    shared: Arc<Shared>,
    spaces: Arc<Spaces>,
}

/// How far a partition's effects are seen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainProgress {
    /// Every effect of what lies below it is seen to.
    pub next_offset: Offset,
    /// The last record below [`PartitionInbox::next_offset`](crate::PartitionInbox::next_offset),
    /// where that is the `next_offset` here. None while more effects wait than were given out,
    /// while the log is being folded again up to
    /// [`set_effects_from`](crate::PartitionInbox::set_effects_from), or where there is no record.
    pub last_record: Option<LastRecord>,
}

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Effects.
    pub rows: u64,
    /// What they take in the store, without the store's own bookkeeping.
    pub bytes: u64,
}

impl Outbox {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The first effects that wait, up to about so many bytes of them, but at least one; none: no
    /// effect waits.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn next(&self, max_bytes: usize) -> Result<Option<Drain>, InboxError> {
        let partition = self.shared.partition;
        let view = self.shared.stored()?;
        let Some(progress) = view.progress else { return Ok(None) };
        let (mut effects, mut rows, mut left) = (Vec::new(), Vec::new(), max_bytes);
        let mut cut = None;
        // From the first that is there: what was removed lies in the store for a while, and to
        // step over it takes time.
        for row in view.snapshot.range(&view.spaces.outbox, outbox_key(view.drained_to)..) {
            let row = row.into_inner();
            let (key, row) = row.map_err(InboxError::failed(partition, "read an effect"))?;
            let unreadable = || InboxError::UnreadableRow { partition, keyspace: OUTBOX };
            let offset = offset_of_outbox_key(&key).ok_or_else(unreadable)?;
            if row.len() > left && !effects.is_empty() {
                cut = Some(offset);
                break;
            }
            left = left.saturating_sub(row.len());
            effects.push((offset, Effect::read(&row).ok_or_else(unreadable)?));
            rows.push((offset, row.len() as u64));
        }
        if effects.is_empty() {
            return Ok(None);
        }
        let progress = match cut {
            Some(next_offset) => DrainProgress { next_offset, last_record: None },
            None => DrainProgress::of(progress),
        };
        let shared = Arc::clone(&self.shared);
        Ok(Some(Drain { effects, progress, rows, shared, spaces: view.spaces }))
    }

    /// How far the log is seen to; none while effects wait, and while nothing was applied.
    pub fn progress(&self) -> Option<DrainProgress> {
        let (progress, waiting) = self.shared.drained();
        progress.filter(|_| waiting.rows == 0).map(DrainProgress::of)
    }

    /// What waits. From memory.
    pub fn waiting(&self) -> Waiting {
        self.shared.drained().1
    }
}

impl Drain {
    /// Takes the effects out of the outbox: they are seen to. Does nothing where the outbox was
    /// reset or opened anew since they were given out.
    ///
    /// # Errors
    /// [`InboxError::Failed`]: they are still there and are given out again.
    pub fn remove(self) -> Result<(), InboxError> {
        let db = self.shared.database.clone();
        let mut batch = OwnedWriteBatch::with_capacity(db, self.rows.len())
            // A `kill -9` after this does not bring them back.
            .durability(Some(fjall::PersistMode::Buffer));
        for (offset, _) in &self.rows {
            batch.remove(&self.spaces.outbox, outbox_key(*offset));
        }
        let partition = self.shared.partition;
        let result = self.shared.commit_removal(batch, &self.spaces, &self.rows);
        result.map_err(InboxError::failed(partition, "remove effects"))
    }
}

impl DrainProgress {
    fn of(progress: Progress) -> Self {
        let Progress { next_offset, last_record, effects_from, .. } = progress;
        if next_offset < effects_from {
            return Self { next_offset: effects_from, last_record: None };
        }
        Self { next_offset, last_record }
    }
}

impl Waiting {
    pub(crate) fn add(&mut self, row_bytes: usize) {
        self.rows += 1;
        self.bytes += row_bytes as u64;
    }
}

pub(crate) fn outbox_key(offset: Offset) -> [u8; 8] {
    offset.0.to_be_bytes()
}

fn offset_of_outbox_key(key: &[u8]) -> Option<Offset> {
    key.try_into().ok().map(|offset| Offset(i64::from_be_bytes(offset)))
}
