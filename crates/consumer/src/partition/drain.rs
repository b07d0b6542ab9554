//! The draining task: hands on what the fold put into the outbox, at least once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use inbox::{DrainProgress, Effect, InboxError, Outbox};
use kafka::Backoff;
use models::{Offset, Partition};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Signals;
use crate::outgoing::{Delivered, Outgoing};

/// Bytes of effects that are handed over at once. Larger, and the partitions' drains together
/// outgrow a writer's queue; smaller, and a topic full of foreign records is drained slowly.
const DRAIN_BYTES: usize = 256 * 1024;

/// How often what was delivered is committed. Longer, and lag tools see an older state, and a store
/// that is lost delivers more again; shorter, and the broker is asked more often.
const COMMIT_PERIOD: Duration = Duration::from_secs(5);

/// How often it is committed though it did not move: Kafka forgets offsets after a while
/// (`offsets.retention.minutes`, a week).
const REFRESH_PERIOD: Duration = Duration::from_secs(3_600);

pub(super) struct Drain {
    partition: Partition,
    outbox: Outbox,
    outgoing: Arc<Outgoing>,
    signals: Arc<Signals>,
    committed: Option<(Delivered, Instant)>,
    is_failing: bool,
}

impl Drain {
    pub(super) fn new(
        partition: Partition,
        outbox: Outbox,
        outgoing: Arc<Outgoing>,
        signals: Arc<Signals>,
    ) -> Self {
        Self { partition, outbox, outgoing, signals, committed: None, is_failing: false }
    }

    /// Drains until `end`.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn run(mut self, end: &CancellationToken) -> anyhow::Result<()> {
        let ended = end.run_until_cancelled(self.drain()).await;
        ended.unwrap_or(Ok(()))
    }

    async fn drain(&mut self) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(COMMIT_PERIOD);
        loop {
            match self.next().await? {
                Some(next) => {
                    let outgoing = self.outgoing.clone();
                    let turn = outgoing.turn().await;
                    self.deliver(&next.effects).await;
                    drop(turn);
                    let progress = next.progress;
                    blocking(move || next.remove()).await?;
                    self.signals.drained.notify_one();
                    self.commit(progress, true).await;
                }
                None => {
                    if let Some(progress) = self.outbox.progress() {
                        self.commit(progress, false).await;
                    }
                    tokio::select! {
                        () = self.signals.filled.notified() => {}
                        _ = ticks.tick() => {}
                    }
                }
            }
        }
    }

    async fn next(&self) -> anyhow::Result<Option<inbox::Drain>> {
        if self.outbox.waiting().rows == 0 {
            return Ok(None);
        }
        let outbox = self.outbox.clone();
        blocking(move || match outbox.next(DRAIN_BYTES) {
            // It is being folded anew, from nothing.
            Err(InboxError::NotOpen { .. }) => Ok(None),
            next => next,
        })
        .await
    }

    /// Hands effects over until the log has them all. Those of one partition go in their order.
    async fn deliver(&mut self, effects: &[(Offset, Effect)]) {
        let mut backoff = Backoff::new();
        let mut left: Vec<_> = effects.iter().collect();
        while !left.is_empty() {
            let handing_over = left.iter().map(|(offset, effect)| {
                self.outgoing.deliver(self.partition, *offset, effect.clone())
            });
            let results = join_all(handing_over).await;
            if let Some(error) = results.iter().find_map(|result| result.as_ref().err()) {
                self.fail(error, "dead letters and relays wait until the log takes them");
                backoff.wait().await;
            }
            let mut results = results.into_iter();
            left.retain(|_| results.next().is_some_and(|result| result.is_err()));
        }
        self.is_failing = false;
    }

    async fn commit(&mut self, progress: DrainProgress, is_urgent: bool) {
        let Some(delivered) = Delivered::of(progress) else { return };
        let is_due = match self.committed {
            None => true,
            Some((committed, at)) if committed == delivered => at.elapsed() >= REFRESH_PERIOD,
            Some((_, at)) => is_urgent || at.elapsed() >= COMMIT_PERIOD,
        };
        if !is_due {
            return;
        }
        match self.outgoing.commit(self.partition, delivered).await {
            Ok(()) => {
                self.committed = Some((delivered, Instant::now()));
                self.is_failing = false;
            }
            Err(error) => self.fail(&error, "progress cannot be committed, trying again"),
        }
    }

    /// Once: an outage lasts many tries.
    fn fail(&mut self, error: &dyn std::error::Error, what: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(%error, "{what}");
        }
    }
}

/// Does something that blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InboxError> + Send + 'static,
) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await.context("a thread ended")??)
}
