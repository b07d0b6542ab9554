//! What a partition's writer and its readers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::{Database, OwnedWriteBatch, Snapshot};
use models::{Offset, Partition};

use crate::InboxError;
use crate::meta::Progress;
use crate::outbox::Waiting;
use crate::spaces::Spaces;

/// What a partition's writer and its readers share.
///
/// A fjall snapshot alone does not keep a reader from seeing half a batch. A batch takes a
/// sequence number and then puts its rows into memory one by one; a background thread that
/// finishes a table meanwhile takes the next number and publishes it (lsm-tree 3.1,
/// `SuperVersions::upgrade_version`), and with it whatever is there of the batch; with tables
/// written all the time, 4 of 100 snapshots showed a part. A snapshot taken while no batch of this
/// partition is under way is safe: later batches have higher numbers than it shows. So while
/// a batch is being committed readers get the snapshot that was taken before it, and only then: a
/// snapshot kept for longer would keep every overwritten row and merged table on disk.
pub(crate) struct Shared {
    pub(crate) partition: Partition,
    pub(crate) database: Database,
    /// Held by whoever writes, for as long as that takes. Without it a snapshot that was taken
    /// before a commit could show effects that were removed during it, and they would be sent
    /// twice.
    writing: Mutex<()>,
    /// Held for moments, never over io.
    state: Mutex<State>,
}

struct State {
    /// None while the partition is reset, after a reset that failed, and for good once the
    /// partition was opened anew.
    spaces: Option<Arc<Spaces>>,
    progress: Option<Progress>,
    /// What the outbox holds.
    waiting: Waiting,
    /// The outbox holds nothing below it.
    drained_to: Offset,
    /// Some while a batch is being committed.
    before_commit: Option<Snapshot>,
}

/// The partition at one moment.
pub(crate) struct View {
    pub(crate) spaces: Arc<Spaces>,
    pub(crate) snapshot: Snapshot,
    /// None: nothing was applied yet.
    pub(crate) progress: Option<Progress>,
    pub(crate) drained_to: Offset,
}

impl View {
    pub(crate) fn next_offset(&self) -> Option<Offset> {
        self.progress.map(|progress| progress.next_offset)
    }
}

impl Shared {
    pub(crate) fn new(
        partition: Partition,
        database: Database,
        spaces: Spaces,
        progress: Option<Progress>,
        waiting: Waiting,
    ) -> Self {
        let spaces = Some(Arc::new(spaces));
        let drained_to = Offset(0);
        let state = State { spaces, progress, waiting, drained_to, before_commit: None };
        Self { partition, database, writing: Mutex::default(), state: Mutex::new(state) }
    }

    pub(crate) fn view(&self) -> Result<View, InboxError> {
        let state = self.lock();
        let snapshot = match &state.before_commit {
            Some(snapshot) => snapshot.clone(),
            None => self.database.snapshot(),
        };
        let State { progress, drained_to, .. } = *state;
        Ok(View { spaces: self.spaces_of(&state)?, snapshot, progress, drained_to })
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        self.lock().progress
    }

    /// How far the partition is folded, and what of it waits in the outbox.
    pub(crate) fn drained(&self) -> (Option<Progress>, Waiting) {
        let state = self.lock();
        (state.progress, state.waiting)
    }

    pub(crate) fn spaces(&self) -> Result<Arc<Spaces>, InboxError> {
        self.spaces_of(&self.lock())
    }

    /// Commits the batch, which puts this much into the outbox; readers see it as a whole once this
    /// returned, and never if it failed.
    pub(crate) fn commit(
        &self,
        batch: OwnedWriteBatch,
        to: Progress,
        new: Waiting,
    ) -> fjall::Result<()> {
        let _writing = self.writing();
        self.lock().before_commit = Some(self.database.snapshot());
        let result = batch.commit();
        let mut state = self.lock();
        state.before_commit = None;
        if result.is_ok() {
            state.progress = Some(to);
            state.waiting.rows += new.rows;
            state.waiting.bytes += new.bytes;
        }
        result
    }

    /// Commits a batch that takes these rows, the first that there were, out of the outbox of these
    /// keyspaces, if it is still theirs.
    pub(crate) fn commit_removal(
        &self,
        batch: OwnedWriteBatch,
        of: &Arc<Spaces>,
        rows: &[(Offset, u64)],
    ) -> fjall::Result<()> {
        let _writing = self.writing();
        let is_open = self.lock().spaces.as_ref().is_some_and(|spaces| Arc::ptr_eq(spaces, of));
        if !is_open {
            return Ok(());
        }
        batch.commit()?;
        let mut state = self.lock();
        for (offset, bytes) in rows {
            // Who drains twice at a time removes twice.
            if *offset >= state.drained_to {
                state.waiting.rows -= 1;
                state.waiting.bytes -= bytes;
                state.drained_to = offset.next();
            }
        }
        Ok(())
    }

    /// From now on there is nothing to read or to write.
    pub(crate) fn close(&self) {
        let _writing = self.writing();
        let mut state = self.lock();
        state.spaces = None;
        state.progress = None;
        state.waiting = Waiting::default();
        state.drained_to = Offset(0);
    }

    /// Starts again from nothing.
    pub(crate) fn start(&self, spaces: Spaces) {
        self.lock().spaces = Some(Arc::new(spaces));
    }

    fn spaces_of(&self, state: &State) -> Result<Arc<Spaces>, InboxError> {
        let not_open = InboxError::NotOpen { partition: self.partition };
        state.spaces.clone().ok_or(not_open)
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No code panics while it holds the lock, so a poisoned one still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
