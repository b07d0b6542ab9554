//! The applying half: puts what was fetched into the inbox, in batches that grow while catching up.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use inbox::{Applied, Batch, PartitionInbox};
use kafka::Fetched;
use models::Offset;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fetch::Step;
use super::log::Begin;
use super::warnings::Warnings;
use super::{Signals, State, Status};
use crate::metrics::PartitionMetrics;
use crate::outgoing::Homes;

/// How long applying a batch may take. Longer, and a store that hangs is noticed late; shorter, and
/// a store that compacts is taken for one that hangs.
const APPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// Bytes that may wait in the outbox. At the bound the partition waits with reading, for whoever
/// takes dead letters and relays: nothing is dropped. Larger takes more disk; smaller, and a topic
/// full of foreign records is read in smaller steps.
const MAX_OUTBOX_BYTES: u64 = 16 * 1024 * 1024;

/// The applying half.
pub(super) struct Fold {
    pub(super) inbox: PartitionInbox,
    pub(super) homes: Homes,
    pub(super) status: watch::Sender<Status>,
    pub(super) metrics: PartitionMetrics,
    pub(super) queue: mpsc::Receiver<Step>,
    pub(super) signals: Arc<Signals>,
    pub(super) warnings: Warnings,
    pub(super) end: CancellationToken,
}

/// What is applied at once, and where the log ended when it was fetched.
struct Growing {
    batch: Batch,
    high_watermark: Option<Offset>,
}

impl Fold {
    /// Applies what is fetched until nothing more comes.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut waiting = None;
        while let Some(step) = self.next(&mut waiting).await {
            let batch = match step {
                Step::Fetched(fetched) => self.grow(fetched, &mut waiting),
                Step::Skip(start) => Growing::empty(start),
                Step::Begin(begin) => {
                    let start = begin.start;
                    self = self.begin(begin).await?;
                    Growing::empty(start)
                }
            };
            if !self.has_room().await {
                break;
            }
            self = self.apply(batch).await?;
        }
        self.status.send_modify(|status| status.state = State::Draining);
        Ok(())
    }

    async fn next(&mut self, waiting: &mut Option<Step>) -> Option<Step> {
        match waiting.take() {
            Some(step) => Some(step),
            None => self.queue.recv().await,
        }
    }

    async fn begin(self, begin: Begin) -> anyhow::Result<Self> {
        self.status.send_modify(|status| status.state = State::Restoring);
        let beginning = self.on_disk(move |fold| {
            if fold.inbox.next_offset().is_some() {
                fold.inbox.reset()?;
            }
            fold.inbox.set_effects_from(begin.effects_from)
        });
        Ok(beginning.await?.0)
    }

    /// Takes what else was fetched meanwhile.
    fn grow(&mut self, first: Fetched, waiting: &mut Option<Step>) -> Growing {
        let mut growing = Growing::of(first);
        while let Ok(step) = self.queue.try_recv() {
            match step {
                Step::Fetched(more) => growing.add(more),
                other @ (Step::Skip(_) | Step::Begin(_)) => {
                    *waiting = Some(other);
                    break;
                }
            }
        }
        growing
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
        let Growing { batch, high_watermark } = growing;
        let next_offset = batch.next_offset;
        let is_news = !batch.records.is_empty() || self.inbox.next_offset() != Some(next_offset);
        let fold = if is_news {
            let (mut fold, applied) = self
                .on_disk(move |Self { inbox, homes, .. }| {
                    inbox.apply(batch, &|user_id| homes.is_home(user_id))
                })
                .await?;
            fold.count(&applied);
            fold
        } else {
            self
        };
        fold.status.send_modify(|status| {
            status.next_offset = next_offset;
            let Some(high_watermark) = high_watermark else { return };
            status.high_watermark = high_watermark;
            status.fetched_at = Instant::now();
            if next_offset >= high_watermark {
                status.state = State::Live;
            }
        });
        fold.metrics.lag.set(fold.status.borrow().lag());
        Ok(fold)
    }

    /// Does something that blocks on a thread that may.
    async fn on_disk<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<T, inbox::InboxError> + Send + 'static,
    ) -> anyhow::Result<(Self, T)> {
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut self);
            (self, done)
        });
        let (fold, done) = tokio::time::timeout(APPLY_TIMEOUT, working)
            .await
            .context("the inbox store hangs")??;
        Ok((fold, done?))
    }
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

impl Growing {
    fn empty(next_offset: Offset) -> Self {
        let batch = Batch { records: Vec::new(), unreadable: Vec::new(), next_offset };
        Self { batch, high_watermark: None }
    }

    fn of(fetched: Fetched) -> Self {
        let mut growing = Self::empty(fetched.next_offset);
        growing.add(fetched);
        growing
    }

    fn add(&mut self, fetched: Fetched) {
        let Fetched { records, unreadable, next_offset, high_watermark } = fetched;
        self.batch.records.extend(records);
        self.batch.unreadable.extend(unreadable);
        self.batch.next_offset = next_offset;
        self.high_watermark = Some(high_watermark);
    }
}
