//! The applying half: puts what was fetched into the inbox, in batches that grow while catching up.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use inbox::{Applied, InboxError, PartitionInbox};
use kafka::Fetched;
use models::Offset;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fetch::Step;
use super::growing::Growing;
use super::log::Begin;
use super::room::Taken;
use super::warnings::Warnings;
use super::{Signals, State, Status};
use crate::live::Hub;
use crate::metrics::{PartitionMetrics, seconds_since};
use crate::outgoing::Homes;

/// How long applying a batch, or storing what is pending, may take. Longer, and a store that hangs is
/// noticed late; shorter, and a store that compacts is taken for one that hangs.
const STORE_TIMEOUT: Duration = Duration::from_secs(120);

/// Bytes that may wait in the outbox. At the bound the partition waits with reading, for whoever
/// takes dead letters and relays: nothing is dropped. Larger takes more disk; smaller, and a topic
/// full of foreign records is read in smaller steps.
const MAX_OUTBOX_BYTES: u64 = 16 * 1024 * 1024;

/// The share of what may be pending with which it is worth storing. Larger, and more is to be folded
/// again after a `kill -9`; smaller, and one user's head is written more often.
const WORTH_STORING: f64 = 0.25;

/// The share with which nothing is applied until it is stored.
const MUCH_PENDING: f64 = 0.5;

/// Rows that the sweep removes at once. Larger, and a record that comes meanwhile waits longer;
/// smaller, and what retention cut stays on disk for longer.
const SWEEP_ROWS: usize = 500;

/// Between two steps of a sweep: the disk has something else to do.
const SWEEP_PAUSE: Duration = Duration::from_millis(5);

/// How often it is looked whether there is something to sweep.
const SWEEP_PERIOD: Duration = Duration::from_secs(1);

/// The applying half.
pub(super) struct Fold {
    pub(super) inbox: PartitionInbox,
    pub(super) homes: Homes,
    pub(super) status: watch::Sender<Status>,
    pub(super) state: watch::Sender<State>,
    pub(super) metrics: PartitionMetrics,
    pub(super) visible_seconds: Histogram,
    pub(super) hub: Arc<Hub>,
    pub(super) queue: mpsc::Receiver<Step>,
    pub(super) signals: Arc<Signals>,
    pub(super) warnings: Warnings,
    /// One for each that folds at once.
    pub(super) turns: Arc<Semaphore>,
    /// What is being stored.
    pub(super) storing: Option<JoinHandle<Result<(), InboxError>>>,
    /// One for each that stores at once.
    pub(super) store_turns: Arc<Semaphore>,
    /// When to sweep next, if nothing else is to be done.
    pub(super) sweep_at: Instant,
    pub(super) end: CancellationToken,
}

impl Fold {
    /// Applies what is fetched until nothing more comes.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut waiting = None;
        loop {
            let step;
            (self, step) = self.next(waiting.take()).await?;
            let Some(step) = step else { break };
            let mut turn = None;
            let batch = match step {
                Step::Fetched(fetched, taken) => {
                    if !self.has_room().await {
                        break;
                    }
                    if !fetched.records.is_empty() {
                        turn = self.turn().await;
                        if turn.is_none() {
                            break;
                        }
                    }
                    self.grow(fetched, taken, &mut waiting)
                }
                Step::Skip(start) => {
                    self = self.skip(start).await?;
                    continue;
                }
                Step::Begin(begin) => {
                    let start = begin.start;
                    self = self.begin(begin).await?.skip(start).await?;
                    continue;
                }
                Step::Retain(start) => {
                    self = self.retain(start).await?;
                    continue;
                }
            };
            self = self.apply(batch).await?;
            drop(turn);
            if let Some(next_offset) = self.inbox.next_offset() {
                self.hub.settle(next_offset);
            }
            self.store().await?;
        }
        self.set_state(State::Draining);
        self.stored().await?;
        self.on_disk(|fold| fold.inbox.store()).await?;
        Ok(())
    }

    /// Has what is pending stored while more is applied; where that is much, it waits for its turn. Fails
    /// if what was stored before did.
    async fn store(&mut self) -> anyhow::Result<()> {
        let share = self.inbox.pending_share();
        let is_storing = self.storing.as_ref().is_some_and(|storing| !storing.is_finished());
        if !is_storing || share >= MUCH_PENDING {
            self.stored().await?;
        }
        if self.storing.is_some() || share < WORTH_STORING {
            return Ok(());
        }
        let turns = self.store_turns.clone();
        let turn = match turns.clone().try_acquire_owned() {
            Ok(turn) => Some(turn),
            Err(_) if share < MUCH_PENDING => return Ok(()),
            // It is never closed.
            Err(_) => in_time(turns.acquire_owned()).await?.ok(),
        };
        self.storing = self.inbox.begin_store().map(|storing| {
            tokio::task::spawn_blocking(move || {
                let stored = storing.run();
                drop(turn);
                // What is applied next fails as well, and may be noticed first.
                stored.inspect_err(|error| tracing::error!(%error, "storing failed"))
            })
        });
        Ok(())
    }

    /// Waits until what was being stored is.
    async fn stored(&mut self) -> anyhow::Result<()> {
        match self.storing.take() {
            Some(storing) => Ok(in_time(storing).await?.context("a thread ended")??),
            None => Ok(()),
        }
    }

    /// What is next; while there is nothing, a step of the sweep.
    async fn next(mut self, waiting: Option<Step>) -> anyhow::Result<(Self, Option<Step>)> {
        if waiting.is_some() {
            return Ok((self, waiting));
        }
        loop {
            match tokio::time::timeout_at(self.sweep_at, self.queue.recv()).await {
                Ok(step) => return Ok((self, step)),
                Err(_) => self = self.sweep().await?,
            }
        }
    }

    async fn sweep(self) -> anyhow::Result<Self> {
        let (mut fold, has_more) = self.on_disk(|fold| fold.inbox.sweep(SWEEP_ROWS)).await?;
        fold.sweep_at = Instant::now() + if has_more { SWEEP_PAUSE } else { SWEEP_PERIOD };
        Ok(fold)
    }

    /// Drops what the log does not hold any more.
    async fn retain(self, start: Offset) -> anyhow::Result<Self> {
        // What was cut before it was read is skipped by the fetch.
        let Some(next_offset) = self.inbox.next_offset() else { return Ok(self) };
        let start = start.min(next_offset);
        let (fold, is_news) = self.on_disk(move |fold| fold.inbox.retain(start)).await?;
        if is_news {
            fold.hub.look_again(next_offset);
        }
        fold.metrics.first_offset.set(start.0);
        Ok(fold)
    }

    /// Goes on where the log begins: what lies below was not read, and never will be.
    async fn skip(self, start: Offset) -> anyhow::Result<Self> {
        let told = self.inbox.next_offset().unwrap_or(Offset(0));
        // First, so that nobody takes the rest for all there is.
        let (fold, _) = self.on_disk(move |fold| fold.inbox.retain(start)).await?;
        // For a beginning, which had nothing to retain, once more.
        let fold = fold.apply(Growing::empty(start)).await?.retain(start).await?;
        fold.hub.look_again(told);
        Ok(fold)
    }

    fn set_state(&self, state: State) {
        let is_news = self.state.send_if_modified(|old| std::mem::replace(old, state) != state);
        if is_news {
            self.status.send_modify(|status| status.state = state);
        }
    }

    async fn begin(self, begin: Begin) -> anyhow::Result<Self> {
        self.set_state(State::Restoring);
        let beginning = self.on_disk(move |fold| {
            if fold.inbox.next_offset().is_some() {
                fold.hub.reset();
                fold.inbox.reset()?;
            }
            fold.inbox.set_effects_from(begin.effects_from)
        });
        Ok(beginning.await?.0)
    }

    /// Takes what else was fetched meanwhile.
    fn grow(&mut self, first: Fetched, taken: Taken, waiting: &mut Option<Step>) -> Growing {
        let mut growing = Growing::of(first, taken);
        while let Ok(step) = self.queue.try_recv() {
            match step {
                Step::Fetched(more, taken) => growing.add(more, taken),
                other @ (Step::Skip(_) | Step::Begin(_) | Step::Retain(_)) => {
                    *waiting = Some(other);
                    break;
                }
            }
        }
        growing
    }

    /// Waits for a turn to fold; none: the end came first.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.end.run_until_cancelled(self.turns.clone().acquire_owned()).await?.ok()
    }

    /// Waits until the outbox takes more; false: the end came first.
    async fn has_room(&self) -> bool {
        let outbox = self.inbox.outbox();
        let mut is_told = false;
        while outbox.waiting().bytes > MAX_OUTBOX_BYTES {
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!("reading waits until dead letters and relays are delivered");
            }
            let drained = self.signals.drained.notified();
            if self.end.run_until_cancelled(drained).await.is_none() {
                return false;
            }
        }
        true
    }

    async fn apply(self, growing: Growing) -> anyhow::Result<Self> {
        let Growing { batch, high_watermark, taken } = growing;
        let next_offset = batch.next_offset;
        let is_news = !batch.records.is_empty() || self.inbox.next_offset() != Some(next_offset);
        // What a partition that is not live applies was sent at any time.
        let is_live = self.status.borrow().state == State::Live;
        let records = if is_live { batch.records.as_slice() } else { &[] };
        let times: Vec<_> = records.iter().map(|(_, record)| record.timestamp).collect();
        let fold = if is_news {
            let (mut fold, applied) = self
                .on_disk(move |Self { inbox, homes, hub, .. }| {
                    inbox.apply_watched(batch, &|user_id| homes.is_home(user_id), hub.as_ref())
                })
                .await?;
            fold.count(&applied);
            for time in times {
                fold.visible_seconds.observe(seconds_since(time));
            }
            fold
        } else {
            self
        };
        drop(taken);
        fold.status.send_modify(|status| {
            status.next_offset = next_offset;
            let Some(high_watermark) = high_watermark else { return };
            status.high_watermark = high_watermark;
            status.fetched_at = Instant::now();
        });
        if high_watermark.is_some_and(|high_watermark| next_offset >= high_watermark) {
            fold.set_state(State::Live);
        }
        fold.metrics.lag.set(fold.status.borrow().lag());
        Ok(fold)
    }

    /// Does something that blocks on a thread that may.
    async fn on_disk<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<T, InboxError> + Send + 'static,
    ) -> anyhow::Result<(Self, T)> {
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut self);
            (self, done)
        });
        let (fold, done) = in_time(working).await??;
        Ok((fold, done?))
    }
}

async fn in_time<T>(working: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(STORE_TIMEOUT, working).await.context("the inbox store hangs")
}

impl Fold {
    /// Counts what became of a batch, and has what is to leave the inbox seen to.
    fn count(&mut self, applied: &Applied) {
        let metrics = &self.metrics;
        metrics.applied.inc_by(applied.sent as u64);
        metrics.duplicates.inc_by(applied.duplicates as u64);
        metrics.misplaced.inc_by(applied.relayed as u64);
        for (reason, dead) in &applied.dead {
            metrics.undecodable(reason, dead.count as u64);
        }
        self.warnings.of(applied);
        let waiting = self.inbox.outbox().waiting().rows;
        if waiting > 0 {
            self.signals.filled.notify_one();
        }
        metrics.outbox.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}
