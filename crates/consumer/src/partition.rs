//! One partition: fetched by one task, folded by another, its outbox drained by a third, what expires
//! in it ended by a fourth.

mod drain;
mod expire;
mod fetch;
mod fold;
mod growing;
mod log;
mod room;
mod warnings;

use std::sync::Arc;
use std::time::Duration;

use inbox::PartitionInbox;
use kafka::Reader;
use models::{Offset, Partition};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::live::Hub;
use crate::metrics::PartitionMetrics;
use crate::outgoing::Outgoing;

use drain::Drain;
use expire::Expire;
use fetch::Fetch;
use fold::Fold;
use log::Log;
pub(crate) use room::Room;
use warnings::Warnings;

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

/// What follows a partition.
pub(crate) struct Follower {
    pub(crate) partition: Partition,
    pub(crate) reader: Reader,
    pub(crate) inbox: PartitionInbox,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) status: watch::Sender<Status>,
    /// The state alone, for those who would be woken by every record.
    pub(crate) state: watch::Sender<State>,
    pub(crate) metrics: PartitionMetrics,
    pub(crate) visible_seconds: Histogram,
    /// Who is told what is folded.
    pub(crate) hub: Arc<Hub>,
    pub(crate) room: Room,
    /// One for each partition that folds at once. More, and all of them take longer, and more memory;
    /// fewer, and partitions wait for one whose disk is slow.
    pub(crate) turns: Arc<Semaphore>,
    /// One for each partition that stores at once.
    pub(crate) store_turns: Arc<Semaphore>,
    pub(crate) expiry_period: Duration,
    pub(crate) retention_period: Duration,
    /// Ends it; it ends itself, and its siblings, once the topic is another one.
    pub(crate) end: CancellationToken,
}

/// What the fold and the drain tell each other.
#[derive(Default)]
struct Signals {
    /// There is something in the outbox.
    filled: Notify,
    /// There is less in the outbox.
    drained: Notify,
}

/// Fetches that wait to be applied. They are applied together: while one batch is written the next
/// grows, so that catching up writes large batches and live reading small ones. Larger, and batches
/// outgrow the store's write buffers; smaller, and fetching waits for writing.
const QUEUED_FETCHES: usize = 2;

impl Follower {
    /// Follows the partition until its end; the batch in hand is finished.
    ///
    /// # Errors
    /// The store failed. What it holds is still right, so far as it goes.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self {
            partition,
            reader,
            inbox,
            outgoing,
            status,
            state,
            metrics,
            visible_seconds,
            hub,
            room,
            turns,
            store_turns,
            end,
            ..
        } = self;
        let (steps, queue) = mpsc::channel(QUEUED_FETCHES);
        let signals = Arc::new(Signals::default());
        let log = Log::new(partition, reader, outgoing.clone(), inbox.last_record());
        let fetch = Fetch::new(log, inbox.next_offset(), room, self.retention_period);
        let drain = Drain::new(partition, inbox.outbox(), outgoing.clone(), signals.clone());
        let expire = Expire {
            partition,
            reader: inbox.reader(),
            outgoing: outgoing.clone(),
            status: status.subscribe(),
            metrics: metrics.clone(),
            period: self.expiry_period,
            is_failing: false,
        };
        let fold = Fold {
            inbox,
            homes: outgoing.homes(partition),
            status,
            state,
            metrics,
            visible_seconds,
            hub,
            queue,
            signals,
            warnings: Warnings::default(),
            turns,
            storing: None,
            store_turns,
            sweep_at: Instant::now(),
            end: end.clone(),
        };
        let applying = async {
            let applied = fold.run().await;
            // Nothing is fetched, drained or ended for a fold that failed.
            end.cancel();
            applied
        };
        let ((), applied, drained, expired) =
            tokio::join!(fetch.run(steps, &end), applying, drain.run(&end), expire.run(&end));
        applied.and(drained).and(expired)
    }
}
