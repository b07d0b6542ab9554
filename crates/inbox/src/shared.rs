//! What a partition's writer and its readers share.

use std::sync::Arc;

use fjall::{Database, OwnedWriteBatch, Snapshot};
use models::{Offset, Partition};
use parking_lot::Mutex;

use crate::InboxError;
use crate::fold;
use crate::meta::Progress;
use crate::outbox::Waiting;
use crate::pending::Pending;
use crate::spaces::Spaces;

/// What a partition's writer and its readers share.
///
/// A fjall snapshot alone does not keep a reader from seeing half a batch. A batch takes a
/// sequence number and then puts its rows into memory one by one; a background thread that
/// finishes a table meanwhile takes the next number and publishes it (lsm-tree 3.1,
/// `SuperVersions::upgrade_version`), and with it whatever is there of the batch; with tables
/// written all the time, 4 of 100 snapshots showed a part. A snapshot taken while no batch of this
/// partition is under way is safe: later batches have higher numbers than it shows. So from the
/// moment that something is pending until it is stored readers get the snapshot that was taken before
/// it, and only then: a snapshot kept for longer would keep every overwritten row and merged table on
/// disk.
pub(crate) struct Shared {
    pub(crate) partition: Partition,
    pub(crate) database: Database,
    /// Held by whoever writes to the store, for as long as that takes. Without it a snapshot that was
    /// taken before a commit could show effects that were removed during it, and they would be sent
    /// twice.
    writing: Mutex<()>,
    /// Held while some records are folded, and else for moments. Whoever waits for it longer than
    /// that gets it next.
    state: Mutex<State>,
}

struct State {
    /// None while the partition is reset, after a reset that failed, and for good once the
    /// partition was opened anew.
    spaces: Option<Arc<Spaces>>,
    /// How far the store is; none: it holds nothing.
    stored: Option<Progress>,
    /// What the store does not hold yet.
    pending: Option<Pending>,
    /// What the store held before that. Some while there is something pending, and while something
    /// is stored.
    base: Option<Snapshot>,
    /// What the outbox holds.
    waiting: Waiting,
    /// The outbox holds nothing below it.
    drained_to: Offset,
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

impl State {
    /// Nothing is pending any more.
    fn settle(&mut self) {
        self.pending = None;
        self.base = None;
    }

    fn progress(&self) -> Option<Progress> {
        self.pending.as_ref().map(|pending| pending.progress).or(self.stored)
    }

    /// How far effects are in the store.
    fn with_effects(&self) -> Option<Progress> {
        match &self.pending {
            Some(pending) if !pending.effects.is_empty() => self.stored,
            Some(_) | None => self.progress(),
        }
    }
}

impl Shared {
    pub(crate) fn new(
        partition: Partition,
        database: Database,
        spaces: Spaces,
        stored: Option<Progress>,
        waiting: Waiting,
    ) -> Self {
        let (spaces, drained_to) = (Some(Arc::new(spaces)), Offset(0));
        let state = State { spaces, stored, pending: None, base: None, waiting, drained_to };
        Self { partition, database, writing: Mutex::default(), state: Mutex::new(state) }
    }

    /// The partition at this moment, and what `pick` takes of what is pending.
    pub(crate) fn view<T>(
        &self,
        pick: impl FnOnce(&Pending) -> Option<T>,
    ) -> Result<(View, Option<T>), InboxError> {
        let state = self.state.lock();
        let spaces = self.spaces_of(&state)?;
        let snapshot = state.base.clone().unwrap_or_else(|| self.database.snapshot());
        let (progress, drained_to) = (state.progress(), state.drained_to);
        let picked = state.pending.as_ref().and_then(pick);
        Ok((View { spaces, snapshot, progress, drained_to }, picked))
    }

    /// The store at this moment, without what is pending, and how far its outbox is filled.
    pub(crate) fn stored(&self) -> Result<View, InboxError> {
        let state = self.state.lock();
        let spaces = self.spaces_of(&state)?;
        let snapshot = state.base.clone().unwrap_or_else(|| self.database.snapshot());
        let (progress, drained_to) = (state.with_effects(), state.drained_to);
        Ok(View { spaces, snapshot, progress, drained_to })
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        self.state.lock().progress()
    }

    /// How far the partition is folded, and what of it waits in the outbox.
    pub(crate) fn drained(&self) -> (Option<Progress>, Waiting) {
        let state = self.state.lock();
        (state.with_effects(), state.waiting)
    }
    pub(crate) fn spaces(&self) -> Result<Arc<Spaces>, InboxError> {
        self.spaces_of(&self.state.lock())
    }

    /// Folds something into what is pending, which readers see as a whole. If that fails nothing is
    /// pending any more.
    ///
    /// `nothing` is what there is before anything was applied.
    pub(crate) fn fold<T>(
        &self,
        nothing: Progress,
        fold: impl FnOnce(&Spaces, &Snapshot, &mut Pending) -> Result<T, InboxError>,
    ) -> Result<T, InboxError> {
        let mut state = self.state.lock();
        let State { spaces, stored, pending, base, .. } = &mut *state;
        let spaces = spaces.as_deref().ok_or(self.not_open())?;
        let base = base.get_or_insert_with(|| self.database.snapshot());
        let pending_now =
            pending.get_or_insert_with(|| Pending::nothing(stored.unwrap_or(nothing)));
        let result = fold(spaces, base, pending_now);
        if result.is_err() {
            state.settle();
        }
        result
    }

    /// How many rows are pending, and how large they are.
    pub(crate) fn is_full(&self, max_bytes: u64) -> bool {
        self.state.lock().pending.as_ref().is_some_and(|pending| pending.is_full(max_bytes))
    }

    /// Whether effects are pending.
    pub(crate) fn has_effects(&self) -> bool {
        self.state.lock().pending.as_ref().is_some_and(|pending| !pending.effects.is_empty())
    }

    /// Stores what is pending. If that fails nothing is pending any more.
    pub(crate) fn store(&self) -> Result<(), InboxError> {
        let mut state = self.state.lock();
        let Some(pending) = &state.pending else { return Ok(()) };
        let (to, new) = (pending.progress, pending.waiting());
        if Some(to) == state.stored {
            state.settle();
            return Ok(());
        }
        let mut rows = fold::batch(&self.database, 2 * pending.rows + pending.inboxes.len() + 1);
        pending.write(&*self.spaces_of(&state)?, &mut rows);
        drop(state);
        self.commit(rows, to, new)
    }

    /// Commits the batch, which puts this much into the outbox; readers see it as a whole once this
    /// returned, and never if it failed. Nothing is pending any more.
    pub(crate) fn commit(
        &self,
        batch: OwnedWriteBatch,
        to: Progress,
        new: Waiting,
    ) -> Result<(), InboxError> {
        let _writing = self.writing.lock();
        self.state.lock().base.get_or_insert_with(|| self.database.snapshot());
        let result = batch.commit();
        let mut state = self.state.lock();
        state.settle();
        result.map_err(InboxError::failed(self.partition, "commit"))?;
        state.stored = Some(to);
        state.waiting.rows += new.rows;
        state.waiting.bytes += new.bytes;
        Ok(())
    }

    /// Commits a batch that takes these rows, the first that there were, out of the outbox of these
    /// keyspaces, if it is still theirs.
    pub(crate) fn commit_removal(
        &self,
        batch: OwnedWriteBatch,
        of: &Arc<Spaces>,
        rows: &[(Offset, u64)],
    ) -> fjall::Result<()> {
        let _writing = self.writing.lock();
        let is_open =
            self.state.lock().spaces.as_ref().is_some_and(|spaces| Arc::ptr_eq(spaces, of));
        if !is_open {
            return Ok(());
        }
        batch.commit()?;
        let mut state = self.state.lock();
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
        let _writing = self.writing.lock();
        let mut state = self.state.lock();
        state.settle();
        state.spaces = None;
        state.stored = None;
        state.waiting = Waiting::default();
        state.drained_to = Offset(0);
    }

    /// Starts again from nothing.
    pub(crate) fn start(&self, spaces: Spaces) {
        self.state.lock().spaces = Some(Arc::new(spaces));
    }

    fn spaces_of(&self, state: &State) -> Result<Arc<Spaces>, InboxError> {
        state.spaces.clone().ok_or(self.not_open())
    }

    fn not_open(&self) -> InboxError {
        InboxError::NotOpen { partition: self.partition }
    }
}
