//! One partition: fetched by one half, folded by the other, and known to be so.

mod fetch;
mod fold;

use inbox::PartitionInbox;
use kafka::Reader;
use models::Offset;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::PartitionMetrics;

use fetch::fetch;
use fold::Fold;
pub(crate) use fold::Homes;

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

/// Fetches that wait to be applied. They are applied together: while one batch is written the next
/// grows, so that catching up writes large batches and live reading small ones. Larger, and batches
/// outgrow the store's write buffers; smaller, and fetching waits for writing.
const QUEUED_FETCHES: usize = 2;

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
    let fold = Fold::new(inbox, homes, status, metrics, queue);
    let fetching = fetch(reader, next_offset, steps, &stop);
    let ((), applied) = tokio::join!(fetching, fold.run());
    applied
}
