//! The writer of a partition.

use std::sync::Arc;

use models::{Offset, UserId};

use crate::batch::{Applied, Batch};
use crate::fold::{Fold, Ground};
use crate::shared::Shared;
use crate::spaces::Home;
use crate::store::Hold;
use crate::{InboxError, LastRecord, Outbox, PartitionReader};

/// One partition of one epoch, to be folded on. Its only writer.
pub struct PartitionInbox {
    home: Home,
    shared: Arc<Shared>,
    hold: Hold,
    /// For the first batch; from then on it is in the meta row.
    effects_from: Offset,
}

impl PartitionInbox {
    pub(crate) fn new(home: Home, shared: Arc<Shared>, hold: Hold) -> Self {
        Self { home, shared, hold, effects_from: Offset(0) }
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
    /// the batch does.
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
        let ground = Ground {
            home: self.home,
            database: self.shared.database.clone(),
            spaces: &*self.shared.spaces()?,
            is_home,
            before: self.shared.progress(),
            effects_from: self.effects_from,
        };
        let fold = Fold::of(&ground, batch)?;
        if ground.before != Some(fold.progress) {
            self.shared
                .commit(fold.rows, fold.progress, fold.new_effects)
                .map_err(InboxError::failed(self.home.partition, "commit a batch"))?;
        }
        Ok(fold.applied)
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
        self.shared.close();
        let spaces = self.hold.store.make_spaces(self.home);
        self.shared.start(spaces.map_err(InboxError::failed(partition, "reset"))?);
        Ok(())
    }
}
