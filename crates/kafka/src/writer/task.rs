//! The work of a writer.

use std::sync::Arc;
use std::time::Duration;

use models::{Offset, Partition};
use tokio::time::Instant;

use super::metrics::WriterMetrics;
use super::ways::{Way, Ways};
use crate::produce::{ProduceError, ProtocolCode, fatal};
use crate::queue::{Pending, Queue};
use crate::{Backoff, ClusterConfig, Error, Topic};

/// The work of a writer.
pub(super) struct Task {
    topic: String,
    partition: Partition,
    request_timeout: Duration,
    ways: Ways,
    queue: Arc<Queue>,
    metrics: WriterMetrics,
    /// The last request failed; said once in the log.
    is_failing: bool,
}

impl Task {
    pub(super) fn new(
        cluster: ClusterConfig,
        topic: Topic,
        partition: Partition,
        queue: Arc<Queue>,
        metrics: WriterMetrics,
    ) -> Self {
        Self {
            topic: topic.name.clone(),
            partition,
            request_timeout: cluster.request_timeout,
            ways: Ways::new(cluster, topic, partition),
            queue,
            metrics,
            is_failing: false,
        }
    }

    /// Writes these records until each is acknowledged, refused, or past its deadline. One request
    /// at a time, the same records again after a failure: that keeps their order.
    pub(super) async fn write(&mut self, pending: Vec<Pending>) {
        let mut pending = wanted(pending);
        let mut backoff = Backoff::new();
        while !pending.is_empty() {
            let size_bytes = pending.iter().map(|p| p.size_bytes).sum();
            let error = match self.ways.open(size_bytes).await {
                Ok(way) => {
                    pending.retain(Pending::is_sent_now);
                    if pending.is_empty() {
                        return self.ways.keep(way);
                    }
                    match self.request(way, &pending).await {
                        Ok(base_offset) => return self.acknowledge(pending, base_offset),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.ways.forget();
            if error.is_other_topic() {
                return answer_all(pending, || ProduceError::OtherTopic);
            }
            if let Some(code) = fatal(&error) {
                return self.refused(pending, code).await;
            }
            self.metrics.retries.inc();
            if !self.is_failing {
                tracing::warn!(topic = self.topic, partition = %self.partition, %error, "produce failed, trying again until it succeeds");
            }
            self.is_failing = true;
            backoff.wait().await;
            self.queue.drop_expired(Instant::now());
            pending = wanted(pending);
        }
    }

    /// A broker refuses a request whole: alone, only the guilty record is refused.
    async fn refused(&mut self, pending: Vec<Pending>, code: ProtocolCode) {
        if pending.len() > 1 {
            for alone in pending {
                Box::pin(self.write(vec![alone])).await;
            }
            return;
        }
        tracing::error!(topic = self.topic, partition = %self.partition, %code, "record refused");
        answer_all(pending, || ProduceError::Refused(code));
    }

    /// Sends a request.
    async fn request(&mut self, way: Way, pending: &[Pending]) -> Result<Offset, Error> {
        let timeout = self.timeout(pending);
        self.ways.produce(way, pending.iter().map(|p| &p.record), timeout).await
    }

    /// No longer than anybody waits for it.
    fn timeout(&self, pending: &[Pending]) -> Duration {
        let latest = pending.iter().map(|p| p.deadline).max();
        latest.map_or(self.request_timeout, |latest| {
            self.request_timeout.min(latest.saturating_duration_since(Instant::now()))
        })
    }

    fn acknowledge(&mut self, pending: Vec<Pending>, base_offset: Offset) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(topic = self.topic, partition = %self.partition, "producing again");
        }
        self.metrics.requests.inc();
        self.metrics.records.inc_by(pending.len() as u64);
        for (pending, offset) in pending.into_iter().zip(base_offset.0..) {
            pending.answer(Ok(Offset(offset)));
        }
    }
}

fn answer_all(pending: Vec<Pending>, error: impl Fn() -> ProduceError) {
    for pending in pending {
        pending.answer(Err(error()));
    }
}

/// Those that somebody still waits for; the others are told that it is too late.
fn wanted(pending: Vec<Pending>) -> Vec<Pending> {
    let now = Instant::now();
    if !pending.iter().any(|pending| pending.is_over(now)) {
        return pending;
    }
    let (over, wanted): (Vec<_>, Vec<_>) =
        pending.into_iter().partition(|pending| pending.is_over(now));
    for pending in over {
        pending.expire();
    }
    wanted
}
