//! What a partition's writer and its readers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::{Database, OwnedWriteBatch, Snapshot};
use models::{Offset, Partition};

use crate::InboxError;
use crate::rows::Progress;
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
    /// Held for moments, never over io.
    state: Mutex<State>,
}

struct State {
    /// None while the partition is reset, after a reset that failed, and for good once the
    /// partition was opened anew.
    spaces: Option<Arc<Spaces>>,
    progress: Option<Progress>,
    /// Some while a batch is being committed.
    before_commit: Option<Snapshot>,
}

/// The partition at one moment.
pub(crate) struct View {
    pub(crate) spaces: Arc<Spaces>,
    pub(crate) snapshot: Snapshot,
    pub(crate) next_offset: Option<Offset>,
}

impl Shared {
    pub(crate) fn new(
        partition: Partition,
        database: Database,
        spaces: Spaces,
        progress: Option<Progress>,
    ) -> Self {
        let spaces = Some(Arc::new(spaces));
        let state = Mutex::new(State { spaces, progress, before_commit: None });
        Self { partition, database, state }
    }

    pub(crate) fn view(&self) -> Result<View, InboxError> {
        let state = self.lock();
        let snapshot = match &state.before_commit {
            Some(snapshot) => snapshot.clone(),
            None => self.database.snapshot(),
        };
        let next_offset = state.progress.map(|progress| progress.next_offset);
        Ok(View { spaces: self.spaces_of(&state)?, snapshot, next_offset })
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        self.lock().progress
    }

    pub(crate) fn spaces(&self) -> Result<Arc<Spaces>, InboxError> {
        self.spaces_of(&self.lock())
    }

    /// Commits the batch; readers see it as a whole once this returned, and never if it failed.
    pub(crate) fn commit(&self, batch: OwnedWriteBatch, to: Progress) -> fjall::Result<()> {
        self.lock().before_commit = Some(self.database.snapshot());
        let result = batch.commit();
        let mut state = self.lock();
        state.before_commit = None;
        if result.is_ok() {
            state.progress = Some(to);
        }
        result
    }

    /// From now on there is nothing to read or to write.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.spaces = None;
        state.progress = None;
    }

    /// Starts again from nothing.
    pub(crate) fn start(&self, spaces: Spaces) {
        self.lock().spaces = Some(Arc::new(spaces));
    }

    fn spaces_of(&self, state: &State) -> Result<Arc<Spaces>, InboxError> {
        let not_open = InboxError::NotOpen { partition: self.partition };
        state.spaces.clone().ok_or(not_open)
    }

    /// No code panics while it holds the lock, so a poisoned one still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
