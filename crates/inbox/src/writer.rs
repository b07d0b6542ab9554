//! The writer of a partition.

use std::sync::Arc;

use fjall::OwnedWriteBatch;
use models::{Offset, UserId};

use crate::batch::{Applied, Batch};
use crate::fold::{self, Fold, Ground};
use crate::meta::{META_KEY, Progress};
use crate::outbox::Waiting;
use crate::shared::Shared;
use crate::spaces::{Home, Spaces};
use crate::store::Hold;
use crate::sweep::{self, Sweep};
use crate::{InboxError, LastRecord, Outbox, PartitionReader};

/// One partition of one epoch, to be folded on. Its only writer.
pub struct PartitionInbox {
    home: Home,
    shared: Arc<Shared>,
    hold: Hold,
    /// For the first batch; from then on it is in the meta row.
    effects_from: Offset,
    sweep: Sweep,
}

impl PartitionInbox {
    pub(crate) fn new(home: Home, shared: Arc<Shared>, hold: Hold) -> Self {
        Self { home, shared, hold, effects_from: Offset(0), sweep: Sweep::default() }
    }

    /// The first offset not yet applied; none while nothing was.
    pub fn next_offset(&self) -> Option<Offset> {
        self.shared.progress().map(|progress| progress.next_offset)
    }

    /// The last record below [`Self::next_offset`], whatever was made of it. If the log has
    /// another one there, it is another log: [`Self::reset`].
    pub fn last_record(&self) -> Option<LastRecord> {
        self.shared.progress()?.last_record
    }

    /// What reads this partition, for as long as this handle and longer.
    pub fn reader(&self) -> PartitionReader {
        PartitionReader::new(Arc::clone(&self.shared))
    }

    /// What sees to this partition's effects, for as long as this handle and longer.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::clone(&self.shared))
    }

    /// Leaves out the effects of what lies below this offset: they were seen to before the store
    /// was lost ([`crate::DrainProgress::next_offset`]). It is kept with what is applied; a reset
    /// forgets it.
    ///
    /// # Errors
    /// [`InboxError::AlreadyApplied`] once something was applied.
    pub fn set_effects_from(&mut self, offset: Offset) -> Result<(), InboxError> {
        if let Some(next_offset) = self.next_offset() {
            let partition = self.home.partition;
            return Err(InboxError::AlreadyApplied { partition, next_offset });
        }
        self.effects_from = offset;
        Ok(())
    }

    /// Folds what was read of the partition and writes all that follows from it at once. Records
    /// below the stored `next_offset` are skipped.
    ///
    /// - A record whose event id was applied before changes nothing; with another fingerprint it
    ///   is a dead letter.
    /// - A record whose user is not at home here (`is_home`, the same answer every time) is
    ///   relayed.
    /// - What cannot be read is a dead letter.
    ///
    /// Relays and dead letters leave through the [`Outbox`]. In memory it takes as much again as
    /// the batch does. A batch whose commands change very much is written in parts, each of which
    /// moves `next_offset`.
    ///
    /// Blocks while the database writes tables faster than it can merge them.
    ///
    /// # Errors
    /// [`InboxError::OutOfOrder`], [`InboxError::NotOpen`], [`InboxError::UnreadableRow`],
    /// [`InboxError::Failed`]: nothing was applied, and `next_offset` is what it was.
    pub fn apply(
        &mut self,
        batch: Batch,
        is_home: &dyn Fn(&UserId) -> bool,
    ) -> Result<Applied, InboxError> {
        let mut applied = None;
        let mut rest = Some(batch);
        while let Some(batch) = rest {
            let part;
            (part, rest) = self.apply_part(batch, is_home)?;
            applied = Some(match applied.take() {
                Some(before) => part.after(before),
                None => part,
            });
        }
        // There was at least one part.
        Ok(applied.unwrap_or(Applied::nothing(Offset(0))))
    }

    fn apply_part(
        &mut self,
        batch: Batch,
        is_home: &dyn Fn(&UserId) -> bool,
    ) -> Result<(Applied, Option<Batch>), InboxError> {
        let spaces = self.shared.spaces()?;
        let ground = self.ground(&spaces, is_home);
        let (fold, rest) = Fold::of(&ground, batch)?;
        if ground.before != Some(fold.progress) {
            let Fold { rows, progress, new_effects, .. } = fold;
            self.shared
                .commit(rows, progress, new_effects)
                .map_err(InboxError::failed(self.home.partition, "commit a batch"))?;
        }
        Ok((fold.applied, rest))
    }

    /// What the log still holds begins here: notifications below it are no longer shown or counted.
    /// Their rows go when a record touches their inbox, or with [`Self::sweep`]. A first offset that
    /// is not greater than the one before changes nothing, nor does any before something was applied.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::Failed`].
    pub fn retain(&mut self, first: Offset) -> Result<(), InboxError> {
        let Some(progress) = self.shared.progress().filter(|it| it.log_start < first) else {
            return Ok(());
        };
        let progress = Progress { log_start: first, ..progress };
        let spaces = self.shared.spaces()?;
        let mut rows = fold::batch(&self.shared.database, 1);
        rows.insert(&spaces.heads, META_KEY, progress.write());
        self.sweep = Sweep::default();
        self.commit(rows, progress)
    }

    /// Removes rows that are not shown any more, about `max_rows` of them; whether there is more to
    /// do. To be called from time to time, when there is nothing better to do.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn sweep(&mut self, max_rows: usize) -> Result<bool, InboxError> {
        let Some(progress) = self.shared.progress() else { return Ok(false) };
        let spaces = self.shared.spaces()?;
        let ground = self.ground(&spaces, &|_| true);
        let swept = sweep::step(&ground, &self.sweep, progress.log_start, max_rows)?;
        let Some((rows, next)) = swept else { return Ok(false) };
        self.commit(rows, progress)?;
        self.sweep = next;
        Ok(true)
    }

    fn ground<'a>(&self, spaces: &'a Spaces, is_home: &'a dyn Fn(&UserId) -> bool) -> Ground<'a> {
        Ground {
            home: self.home,
            database: self.shared.database.clone(),
            spaces,
            snapshot: self.shared.database.snapshot(),
            block_entries: self.hold.store.block_entries(),
            is_home,
            before: self.shared.progress(),
            effects_from: self.effects_from,
        }
    }

    fn commit(&self, rows: OwnedWriteBatch, progress: Progress) -> Result<(), InboxError> {
        let committed = self.shared.commit(rows, progress, Waiting::default());
        committed.map_err(InboxError::failed(self.home.partition, "commit a sweep"))
    }

    /// Drops everything of this partition, its outbox too, and starts from nothing: the log is
    /// another one.
    ///
    /// Readers answer [`InboxError::NotOpen`] until it is done, then the new state.
    ///
    /// # Errors
    /// [`InboxError::Failed`]: the partition has no state and takes no records; reset it again.
    pub fn reset(&mut self) -> Result<(), InboxError> {
        let Home { partition, topic_id } = self.home;
        tracing::warn!(%partition, epoch = %topic_id, "dropped the inbox to fold it anew");
        self.effects_from = Offset(0);
        self.sweep = Sweep::default();
        self.shared.close();
        let spaces = self.hold.store.make_spaces(self.home);
        self.shared.start(spaces.map_err(InboxError::failed(partition, "reset"))?);
        Ok(())
    }
}
