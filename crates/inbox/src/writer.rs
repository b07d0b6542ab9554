//! The writer of a partition.

use std::sync::Arc;

use models::{Offset, UserId};

use crate::batch::{Applied, Batch};
use crate::fold::{self, Ground, Rest};
use crate::meta::{META_KEY, Progress};
use crate::news::Nobody;
use crate::shared::Shared;
use crate::spaces::Home;
use crate::store::Hold;
use crate::sweep::{self, Sweep};
use crate::{InboxError, LastRecord, Outbox, PartitionReader, Watchers};

/// One partition of one epoch, to be folded on. Its only writer.
pub struct PartitionInbox {
    home: Home,
    shared: Arc<Shared>,
    hold: Hold,
    /// For the first batch; from then on it is in the meta row.
    effects_from: Offset,
    sweep: Sweep,
}

/// What is being stored.
pub struct Storing {
    shared: Arc<Shared>,
}

impl Storing {
    /// Stores it; if that was done meanwhile, nothing.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::Failed`]: what was pending is lost, and
    /// [`PartitionInbox::next_offset`] is where the store ends.
    pub fn run(self) -> Result<(), InboxError> {
        self.shared.finish_store()
    }
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

    /// Folds what was read of the partition: readers see what follows from it. Records below
    /// [`Self::next_offset`] are skipped.
    ///
    /// - A record whose event id was applied before changes nothing; with another fingerprint it
    ///   is a dead letter.
    /// - A record whose user is not at home here (`is_home`, the same answer every time) is
    ///   relayed.
    /// - What cannot be read is a dead letter.
    ///
    /// Relays and dead letters leave through the [`Outbox`].
    ///
    /// What was applied is pending, in memory, until it is stored: by [`Self::store`], or here, where
    /// it is much, or where relays or dead letters are among it.
    ///
    /// Blocks while the database writes tables faster than it can merge them.
    ///
    /// # Errors
    /// [`InboxError::OutOfOrder`]: nothing of it was applied. [`InboxError::NotOpen`],
    /// [`InboxError::UnreadableRow`], [`InboxError::Failed`]: what was pending is lost, and
    /// [`Self::next_offset`] is where the store ends.
    pub fn apply(
        &mut self,
        batch: Batch,
        is_home: &dyn Fn(&UserId) -> bool,
    ) -> Result<Applied, InboxError> {
        self.apply_watched(batch, is_home, &Nobody)
    }

    /// The same, and tells those who watch, step by step, as readers come to see it.
    ///
    /// # Errors
    /// As [`Self::apply`]. What was told then lies in the log all the same.
    pub fn apply_watched(
        &mut self,
        batch: Batch,
        is_home: &dyn Fn(&UserId) -> bool,
        watchers: &dyn Watchers,
    ) -> Result<Applied, InboxError> {
        let mut rest = Rest::of(batch, self.home)?;
        let mut applied = self.fold_some(&mut rest, is_home, watchers)?;
        while !rest.is_empty() {
            applied = self.fold_some(&mut rest, is_home, watchers)?.after(applied);
        }
        if self.shared.has_effects() {
            self.shared.store()?;
        }
        Ok(applied)
    }

    fn fold_some(
        &self,
        rest: &mut Rest,
        is_home: &dyn Fn(&UserId) -> bool,
        watchers: &dyn Watchers,
    ) -> Result<Applied, InboxError> {
        let (home, database) = (self.home, &self.shared.database);
        let block_entries = self.hold.store.block_entries();
        let nothing = Progress::nothing(self.effects_from);
        let (applied, news) = self.shared.fold(nothing, |spaces, snapshot, storing, pending| {
            let ground = Ground {
                home,
                database,
                spaces,
                snapshot,
                storing,
                block_entries,
                is_home,
                watchers,
            };
            rest.fold_some(&ground, pending)
        })?;
        for news in news {
            watchers.tell(news);
        }
        if self.pending_share() >= 1.0 {
            self.shared.store()?;
        }
        Ok(applied)
    }

    /// Stores what is pending, all of it at once: it survives a `kill -9` from then on.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::Failed`]: what was pending is lost, and
    /// [`Self::next_offset`] is where the store ends.
    pub fn store(&mut self) -> Result<(), InboxError> {
        self.shared.store()
    }

    /// How much is pending, without what is being stored; with 1 and more, [`Self::apply`] stores it
    /// itself.
    pub fn pending_share(&self) -> f64 {
        self.shared.pending_share(self.hold.store.max_pending_bytes())
    }

    /// Begins to store what is pending, if nothing else is being stored. More can be applied while
    /// [`Storing::run`] is under way in another thread.
    pub fn begin_store(&mut self) -> Option<Storing> {
        self.shared.begin_store().then(|| Storing { shared: Arc::clone(&self.shared) })
    }

    /// What the log still holds begins here: notifications below it are no longer shown or counted.
    /// Their rows go when a record touches their inbox, or with [`Self::sweep`]. A first offset that
    /// is not greater than the one before changes nothing, nor does any before something was applied;
    /// whether it changed something.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::Failed`].
    pub fn retain(&mut self, first: Offset) -> Result<bool, InboxError> {
        self.shared.store()?;
        let Some(progress) = self.shared.progress().filter(|it| it.log_start < first) else {
            return Ok(false);
        };
        let progress = Progress { log_start: first, ..progress };
        let spaces = self.shared.spaces()?;
        let mut rows = fold::batch(&self.shared.database, 1);
        rows.insert(&spaces.heads, META_KEY, progress.write());
        self.sweep = Sweep::default();
        self.shared.commit(rows, progress)?;
        Ok(true)
    }

    /// Removes rows that are not shown any more, about `max_rows` of them; whether there is more to
    /// do. To be called from time to time, when there is nothing better to do.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn sweep(&mut self, max_rows: usize) -> Result<bool, InboxError> {
        self.shared.store()?;
        let Some(progress) = self.shared.progress() else { return Ok(false) };
        let spaces = self.shared.spaces()?;
        let database = &self.shared.database;
        let ground = Ground {
            home: self.home,
            database,
            spaces: &spaces,
            snapshot: &database.snapshot(),
            storing: None,
            block_entries: self.hold.store.block_entries(),
            is_home: &|_| true,
            watchers: &Nobody,
        };
        let swept = sweep::step(&ground, &self.sweep, progress, max_rows)?;
        let Some((rows, next)) = swept else { return Ok(false) };
        self.shared.commit(rows, progress)?;
        self.sweep = next;
        Ok(true)
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

/// What is pending is stored: a service that ends in order has nothing to fold again.
impl Drop for PartitionInbox {
    fn drop(&mut self) {
        if let Err(error) = self.shared.store() {
            let partition = self.home.partition;
            tracing::warn!(%partition, %error, "the last records will be folded again");
        }
    }
}
