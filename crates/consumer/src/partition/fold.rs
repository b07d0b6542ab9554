//! The applying half: puts what was fetched into the inbox, in batches that grow while catching up.

use std::time::Duration;

use anyhow::Context;
use inbox::{Applied, PartitionInbox};
use kafka::{Fetched, Topics};
use models::{Offset, Partition, Record};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::fetch::Step;
use super::{State, Status};
use crate::metrics::PartitionMetrics;

/// How long applying a batch may take. Longer, and a store that hangs is noticed late; shorter, and
/// a store that compacts is taken for one that hangs.
const APPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// Which records of a partition belong there.
pub(crate) struct Homes {
    pub(crate) topics: Topics,
    pub(crate) partition: Partition,
}

impl Homes {
    /// Whether the record's inbox is looked for in another partition. A key that is no user id has
    /// no home.
    fn is_misplaced(&self, record: &Record) -> bool {
        let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let user_id = key.and_then(|key| key.parse().ok());
        user_id.is_some_and(|user_id| self.topics.home(&user_id) != self.partition)
    }
}

/// The applying half.
pub(super) struct Fold {
    inbox: PartitionInbox,
    homes: Homes,
    status: watch::Sender<Status>,
    metrics: PartitionMetrics,
    queue: mpsc::Receiver<Step>,
}

/// What is applied at once.
struct Batch {
    records: Vec<(Offset, Record)>,
    next_offset: Offset,
    high_watermark: Option<Offset>,
}

impl Fold {
    pub(super) fn new(
        inbox: PartitionInbox,
        homes: Homes,
        status: watch::Sender<Status>,
        metrics: PartitionMetrics,
        queue: mpsc::Receiver<Step>,
    ) -> Self {
        Self { inbox, homes, status, metrics, queue }
    }

    /// Applies what is fetched until nothing more comes.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut waiting = None;
        loop {
            let step = match waiting.take() {
                Some(step) => step,
                None => match self.queue.recv().await {
                    Some(step) => step,
                    None => break,
                },
            };
            let batch = match step {
                Step::Fetched(fetched) => self.grow(fetched, &mut waiting),
                Step::Skip(start) => {
                    Batch { records: Vec::new(), next_offset: start, high_watermark: None }
                }
                Step::Rebuild(start) => {
                    self.status.send_modify(|status| status.state = State::Restoring);
                    self = self.on_disk(|fold| fold.inbox.reset()).await?.0;
                    Batch { records: Vec::new(), next_offset: start, high_watermark: None }
                }
            };
            self = self.apply(batch).await?;
        }
        self.status.send_modify(|status| status.state = State::Draining);
        Ok(())
    }

    /// Takes what else was fetched meanwhile.
    fn grow(&mut self, first: Fetched, waiting: &mut Option<Step>) -> Batch {
        warn_of_unreadable(&first);
        let Fetched { records, next_offset, high_watermark, .. } = first;
        let mut batch = Batch { records, next_offset, high_watermark: Some(high_watermark) };
        while let Ok(step) = self.queue.try_recv() {
            match step {
                Step::Fetched(more) => {
                    warn_of_unreadable(&more);
                    batch.records.extend(more.records);
                    batch.next_offset = more.next_offset;
                    batch.high_watermark = Some(more.high_watermark);
                }
                other @ (Step::Skip(_) | Step::Rebuild(_)) => {
                    *waiting = Some(other);
                    break;
                }
            }
        }
        batch
    }

    async fn apply(self, batch: Batch) -> anyhow::Result<Self> {
        let Batch { records, next_offset, high_watermark } = batch;
        self.count_misplaced(&records);
        let is_news = !records.is_empty() || self.inbox.next_offset() != Some(next_offset);
        let fold = if is_news {
            let (fold, applied) =
                self.on_disk(move |fold| fold.inbox.apply(records, next_offset)).await?;
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

    fn count(&self, applied: &Applied) {
        self.metrics.applied.inc_by(applied.sent as u64);
        self.metrics.duplicates.inc_by(applied.duplicates as u64);
        for (_, reason) in &applied.undecodable {
            self.metrics.undecodable(reason.reason());
        }
        if let Some((offset, reason)) = applied.undecodable.first() {
            let records = applied.undecodable.len();
            tracing::warn!(records, first_offset = offset.0, %reason, "records not understood");
        }
    }

    fn count_misplaced(&self, records: &[(Offset, Record)]) {
        let mut misplaced = records.iter().filter(|(_, record)| self.homes.is_misplaced(record));
        let Some((first, _)) = misplaced.next() else { return };
        let records = 1 + misplaced.count();
        self.metrics.misplaced.inc_by(records as u64);
        tracing::warn!(
            records, first_offset = first.0, partitioner = %self.homes.topics.partitioner,
            "records in a partition that is not their recipient's: in no inbox; whoever wrote them uses another partitioner"
        );
    }
}

fn warn_of_unreadable(fetched: &Fetched) {
    for unreadable in &fetched.unreadable {
        let (first, last) = (unreadable.first.0, unreadable.last.0);
        tracing::warn!(first, last, reason = unreadable.reason, "records passed over: unreadable");
    }
}
