//! The expiring task: ends notifications whose time has come, with a record that says so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use inbox::{Due, InboxError, PartitionReader};
use kafka::{Backoff, Begun, ProduceError};
use models::{Change, Changed, NotificationId, Offset, Partition, Record, Selection, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{State, Status};
use crate::metrics::PartitionMetrics;
use crate::outgoing::Outgoing;

/// Notifications that are ended at once. Larger, and sends wait behind them in the writer; smaller,
/// and many that expire at one moment are shown for longer.
const AT_ONCE: usize = 500;

/// How long a record may wait for the log, and then to be applied, before it is looked again what is
/// due.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why, for whoever looks at the log.
const REASON: &str = "expired";

/// The expiring task.
pub(super) struct Expire {
    pub(super) partition: Partition,
    pub(super) reader: PartitionReader,
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) status: watch::Receiver<Status>,
    pub(super) metrics: PartitionMetrics,
    pub(super) period: Duration,
    pub(super) is_failing: bool,
}

impl Expire {
    /// Ends what is due until `end`.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn run(mut self, end: &CancellationToken) -> anyhow::Result<()> {
        let ended = end.run_until_cancelled(self.expire()).await;
        ended.unwrap_or(Ok(()))
    }

    async fn expire(&mut self) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut backoff = Backoff::new();
        loop {
            ticks.tick().await;
            // What is not applied yet may have ended it, or be it.
            if self.status.borrow().state != State::Live {
                continue;
            }
            // All that are due, a part at a time.
            loop {
                let now = service::now();
                let due = self.due(now).await?;
                if due.is_empty() {
                    break;
                }
                match self.end(&due, now).await {
                    Ok(last) => {
                        backoff.reset();
                        self.applied(last).await;
                    }
                    Err(error) => {
                        self.fail(&error);
                        backoff.wait().await;
                        break;
                    }
                }
            }
        }
    }

    async fn due(&self, now: Timestamp) -> anyhow::Result<Vec<Due>> {
        let reader = self.reader.clone();
        let reading = tokio::task::spawn_blocking(move || match reader.due(now, AT_ONCE) {
            // It is being folded anew, from nothing.
            Err(InboxError::NotOpen { .. }) => Ok(Vec::new()),
            due => due,
        });
        Ok(reading.await.context("a thread ended")??)
    }

    /// Appends their ends. Each has an id made of the notification's place: appended again, by this
    /// process or another, it is the same.
    async fn end(&mut self, due: &[Due], now: Timestamp) -> Result<Option<Offset>, ProduceError> {
        let deadline = Instant::now() + TIMEOUT;
        let mut begun = Vec::with_capacity(due.len());
        for due in due {
            // Texts and ids: writing them cannot fail.
            let Ok(record) = self.record(due, now) else { continue };
            begun.push(self.outgoing.begin(self.partition, record, deadline)?);
        }
        let mut last = None;
        for outcome in join_all(begun.into_iter().map(Begun::outcome)).await {
            last = last.max(Some(outcome?));
            self.metrics.expired.inc();
        }
        self.is_failing = false;
        Ok(last)
    }

    fn record(&self, due: &Due, now: Timestamp) -> Result<Record, serde_json::Error> {
        Record::of_changed(&Changed {
            id: NotificationId::of_expiry(due.id, self.outgoing.place(self.partition, due.offset)),
            user_id: due.user_id.clone(),
            changed_at: now,
            selection: Selection::Ids(vec![due.id]),
            change: Change::Deleted,
            reason: Some(REASON.to_owned()),
            fingerprint: None,
        })
    }

    /// Waits until the ends are applied; before that the same would be due again.
    async fn applied(&mut self, last: Option<Offset>) {
        let Some(last) = last else { return };
        let applied = self.status.wait_for(|status| status.next_offset > last);
        // In vain: the next look appends again what is not applied, which changes nothing.
        let _ = tokio::time::timeout(TIMEOUT, applied).await;
    }

    /// Once: an outage lasts many tries.
    fn fail(&mut self, error: &ProduceError) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(%error, "notifications that expired wait until the log takes their end");
        }
    }
}
