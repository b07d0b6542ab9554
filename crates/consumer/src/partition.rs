//! One partition: fetched, folded, and known to be so.

use std::time::Duration;

use anyhow::Context;
use inbox::{Applied, PartitionInbox};
use kafka::{Backoff, FetchError, Fetched, Reader, Topics, Wait};
use models::{Offset, Partition, Record};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::PartitionMetrics;

/// Where a partition stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) state: State,
    /// The first offset not yet applied.
    pub(crate) next_offset: Offset,
    /// The end of the log, as the last fetch saw it.
    pub(crate) high_watermark: Offset,
    /// When the last fetch was answered.
    pub(crate) fetched_at: Instant,
}

/// Whether a partition can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not reached the end of the log yet.
    Restoring,
    /// It reached the end of the log.
    Live,
    /// The service is stopping.
    Draining,
}

/// Bytes a fetch asks for. Larger, and catching up takes more memory a partition; smaller, and it
/// takes more round trips.
const FETCH_BYTES: i32 = 1024 * 1024;

/// Fetches that wait to be applied. They are applied together: while one batch is written the next
/// grows, so that catching up writes large batches and live reading small ones. Larger, and batches
/// outgrow the store's write buffers; smaller, and fetching waits for writing.
const QUEUED_FETCHES: usize = 2;

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

/// What the fetching half tells the applying half.
enum Step {
    /// Records to apply.
    Fetched(Fetched),
    /// What was asked for is cut from the log: go on here.
    Skip(Offset),
    /// It is another log: start from nothing, here.
    Rebuild(Offset),
}

impl Status {
    pub(crate) fn starting(next_offset: Option<Offset>) -> Self {
        let next_offset = next_offset.unwrap_or(Offset(0));
        let fetched_at = Instant::now();
        Self { state: State::Restoring, next_offset, high_watermark: next_offset, fetched_at }
    }

    pub(crate) fn lag(&self) -> i64 {
        (self.high_watermark.0 - self.next_offset.0).max(0)
    }
}

/// Follows a partition until `stop`; the batch in hand is finished.
///
/// # Errors
/// The store failed. What it holds is still right, so far as it goes.
pub(crate) async fn follow(
    reader: Reader,
    inbox: PartitionInbox,
    homes: Homes,
    status: watch::Sender<Status>,
    metrics: PartitionMetrics,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (steps, queue) = mpsc::channel(QUEUED_FETCHES);
    let next_offset = inbox.next_offset();
    let fold = Fold { inbox, homes, status, metrics, queue };
    let fetching = fetch(reader, next_offset, steps, &stop);
    let ((), applied) = tokio::join!(fetching, fold.run());
    applied
}

/// Fetches until `stop`, or until nobody applies what it brings.
async fn fetch(
    mut reader: Reader,
    next_offset: Option<Offset>,
    steps: mpsc::Sender<Step>,
    stop: &CancellationToken,
) {
    let mut next_offset = next_offset;
    let mut backoff = Backoff::new();
    // The first fetch is to tell at once where the log ends.
    let mut wait = Wait::No;
    let mut is_failing = false;
    while !stop.is_cancelled() {
        let stepping = next_step(&mut reader, next_offset, wait);
        let step = match stop.run_until_cancelled(stepping).await {
            None => return,
            Some(Ok(step)) => step,
            Some(Err(error)) => {
                // Once: an outage lasts many tries, in every partition.
                if !is_failing {
                    tracing::warn!(%error, "fetch failed, trying again until it succeeds");
                }
                is_failing = true;
                stop.run_until_cancelled(backoff.wait()).await;
                continue;
            }
        };
        if std::mem::take(&mut is_failing) {
            tracing::info!(next_offset = step.next_offset().0, "fetching again");
        }
        let is_stuck = step.is_stuck(next_offset);
        wait = step.wait_after();
        next_offset = Some(step.next_offset());
        if steps.send(step).await.is_err() {
            return;
        }
        if is_stuck {
            tracing::warn!(
                next_offset = next_offset.map(|o| o.0),
                "nothing readable below the high watermark"
            );
            stop.run_until_cancelled(backoff.wait()).await;
        } else {
            backoff.reset();
        }
    }
}

async fn next_step(
    reader: &mut Reader,
    next_offset: Option<Offset>,
    wait: Wait,
) -> Result<Step, kafka::Error> {
    let Some(offset) = next_offset else {
        let (start, _) = reader.bounds().await?;
        return Ok(Step::Skip(start));
    };
    match reader.fetch(offset, FETCH_BYTES, wait).await {
        Ok(fetched) => Ok(Step::Fetched(fetched)),
        Err(FetchError::OutOfRange { asked, start, end }) if asked < start => {
            tracing::warn!(next_offset = asked.0, %start, %end, "retention has cut what was not read yet");
            Ok(Step::Skip(start))
        }
        Err(FetchError::OutOfRange { asked, start, end }) => {
            tracing::error!(next_offset = asked.0, %start, %end, "the log ends before what was read: it is another one");
            Ok(Step::Rebuild(start))
        }
        Err(FetchError::Unavailable(error)) => Err(error),
        Err(error) => {
            Err(kafka::Error::Malformed { call: "fetch".into(), reason: error.to_string() })
        }
    }
}

impl Step {
    fn next_offset(&self) -> Offset {
        match self {
            Self::Fetched(fetched) => fetched.next_offset,
            Self::Skip(offset) | Self::Rebuild(offset) => *offset,
        }
    }

    /// At the end of the log there is something to wait for.
    fn wait_after(&self) -> Wait {
        match self {
            Self::Fetched(fetched) if fetched.is_end() => Wait::ForRecords,
            Self::Fetched(_) | Self::Skip(_) | Self::Rebuild(_) => Wait::No,
        }
    }

    /// Nothing came although the log goes on.
    fn is_stuck(&self, asked: Option<Offset>) -> bool {
        match self {
            Self::Fetched(fetched) => Some(fetched.next_offset) == asked && !fetched.is_end(),
            Self::Skip(_) | Self::Rebuild(_) => false,
        }
    }
}

/// The applying half.
struct Fold {
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
    async fn run(mut self) -> anyhow::Result<()> {
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
        let Fetched { records, next_offset, high_watermark } = first;
        let mut batch = Batch { records, next_offset, high_watermark: Some(high_watermark) };
        while let Ok(step) = self.queue.try_recv() {
            match step {
                Step::Fetched(more) => {
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
