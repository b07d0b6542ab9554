//! What a partition's writer and its readers share.

use std::sync::Arc;

use fjall::{Database, OwnedWriteBatch, Snapshot};
use models::{Offset, Partition};
use parking_lot::Mutex;

use crate::InboxError;
use crate::fold;
use crate::meta::Progress;
use crate::outbox::Waiting;
use crate::pending::{Pending, Unstored};
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
    /// What was folded since.
    pending: Option<Pending>,
    /// What of it is being stored.
    storing: Option<Arc<Pending>>,
    /// What the store held before that. Some while there is something pending, and while something
    /// is stored.
    base: Option<Snapshot>,
    /// Something could not be folded or stored, and nothing is to be folded on top of what is lost.
    has_failed: bool,
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
        self.storing = None;
        self.base = None;
    }

    /// What was pending is lost.
    fn fail(&mut self) {
        self.settle();
        self.has_failed = true;
    }

    fn unstored(&self) -> Unstored<'_> {
        Unstored { storing: self.storing.as_deref(), pending: self.pending.as_ref() }
    }

    fn progress(&self) -> Option<Progress> {
        self.unstored().progress().or(self.stored)
    }

    /// How far all effects are in the store.
    fn with_effects(&self) -> Option<Progress> {
        if self.unstored().has_effects() { self.stored } else { self.progress() }
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
        let (pending, storing, base, has_failed) = (None, None, None, false);
        let state =
            State { spaces, stored, pending, storing, base, has_failed, waiting, drained_to };
        Self { partition, database, writing: Mutex::default(), state: Mutex::new(state) }
    }

    /// The partition at this moment, and what `pick` takes of what the store does not hold yet.
    pub(crate) fn view<T>(
        &self,
        pick: impl FnOnce(Unstored<'_>) -> T,
    ) -> Result<(View, T), InboxError> {
        let state = self.state.lock();
        let view = self.view_of(&state, state.progress())?;
        Ok((view, pick(state.unstored())))
    }

    /// The store at this moment, without what is pending, and how far its outbox is filled.
    pub(crate) fn stored(&self) -> Result<View, InboxError> {
        let state = self.state.lock();
        self.view_of(&state, state.with_effects())
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
        fold: impl FnOnce(&Spaces, &Snapshot, Option<&Pending>, &mut Pending) -> Result<T, InboxError>,
    ) -> Result<T, InboxError> {
        let mut state = self.state.lock();
        let before = state.progress().unwrap_or(nothing);
        let State { spaces, pending, storing, base, has_failed, .. } = &mut *state;
        let spaces = spaces.as_deref().filter(|_| !*has_failed).ok_or(self.not_open())?;
        let snapshot = base.get_or_insert_with(|| self.database.snapshot());
        // Until it is whole again it is nobody's: not after a panic either.
        *has_failed = true;
        let mut folding = pending.take().unwrap_or_else(|| Pending::nothing(before));
        let result = fold(spaces, snapshot, storing.as_deref(), &mut folding);
        if result.is_ok() {
            *has_failed = false;
            *pending = Some(folding);
        } else if storing.is_none() {
            *base = None;
        }
        result
    }

    /// How much is pending, without what is being stored.
    pub(crate) fn pending_share(&self, max_bytes: usize) -> f64 {
        self.state.lock().pending.as_ref().map_or(0.0, |pending| pending.share(max_bytes))
    }

    pub(crate) fn has_effects(&self) -> bool {
        self.state.lock().unstored().has_effects()
    }

    /// What is pending is to be stored, if there is something and nothing else is.
    pub(crate) fn begin_store(&self) -> bool {
        let mut state = self.state.lock();
        if state.storing.is_some() {
            return false;
        }
        state.storing = state.pending.take().map(Arc::new);
        state.storing.is_some()
    }

    /// Stores what is to be stored.
    pub(crate) fn finish_store(&self) -> Result<(), InboxError> {
        let _writing = self.writing.lock();
        let (spaces, storing) = {
            let state = self.state.lock();
            let Some(storing) = &state.storing else { return Ok(()) };
            (self.spaces_of(&state)?, Arc::clone(storing))
        };
        self.write(&spaces, &storing)
    }

    /// Stores all that is pending. If that fails, now or before in another thread, nothing is pending any
    /// more.
    pub(crate) fn store(&self) -> Result<(), InboxError> {
        self.finish_store()?;
        if self.begin_store() {
            self.finish_store()?;
        }
        if self.state.lock().has_failed { Err(self.not_open()) } else { Ok(()) }
    }

    /// Writes what is to be stored; then it is no longer pending.
    fn write(&self, spaces: &Spaces, storing: &Pending) -> Result<(), InboxError> {
        let is_news = self.state.lock().stored != Some(storing.progress);
        let mut rows = fold::batch(&self.database, storing.len());
        if is_news {
            storing.write(spaces, &mut rows);
        }
        let result = rows.commit();
        let mut state = self.state.lock();
        if let Err(error) = result {
            state.fail();
            return Err(InboxError::failed(self.partition, "commit")(error));
        }
        let new = storing.waiting();
        state.waiting.rows += new.rows;
        state.waiting.bytes += new.bytes;
        state.stored = Some(storing.progress);
        state.storing = None;
        let State { pending, base, .. } = &mut *state;
        *base = pending.as_mut().map(|pending| {
            pending.leave_out(storing);
            self.database.snapshot()
        });
        Ok(())
    }

    /// Commits a batch while nothing is pending; readers see it as a whole once this returned, and
    /// never if it failed.
    pub(crate) fn commit(&self, batch: OwnedWriteBatch, to: Progress) -> Result<(), InboxError> {
        let _writing = self.writing.lock();
        self.state.lock().base = Some(self.database.snapshot());
        let result = batch.commit();
        let mut state = self.state.lock();
        state.base = None;
        result.map_err(InboxError::failed(self.partition, "commit"))?;
        state.stored = Some(to);
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
        let mut state = self.state.lock();
        state.spaces = Some(Arc::new(spaces));
        state.has_failed = false;
    }

    fn view_of(&self, state: &State, progress: Option<Progress>) -> Result<View, InboxError> {
        let spaces = self.spaces_of(state)?;
        let snapshot = state.base.clone().unwrap_or_else(|| self.database.snapshot());
        Ok(View { spaces, snapshot, progress, drained_to: state.drained_to })
    }

    fn spaces_of(&self, state: &State) -> Result<Arc<Spaces>, InboxError> {
        state.spaces.clone().ok_or(self.not_open())
    }

    fn not_open(&self) -> InboxError {
        InboxError::NotOpen { partition: self.partition }
    }
}
