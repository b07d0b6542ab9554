//! Writing to a partition: one task, one request in flight, everything that arrived meanwhile in
//! the next request.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use models::{MAX_RECORD_BYTES, Offset, Partition, Record};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use rskafka::client::partition::{Compression, PartitionClient};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::client::{failed, partition_client, to_library};
use crate::produce::{Lane, ProduceError, ProtocolCode, fatal};
use crate::queue::{Handover, Pending, Queue};
use crate::wire::within;
use crate::{Backoff, ClusterConfig, Error, Topic};

/// Bounds of a writer.
#[derive(Clone, Debug)]
pub struct WriterConfig {
    /// Bytes that may wait for one partition.
    ///
    /// Larger, and a stalled broker costs that much memory a partition; smaller, and bursts are
    /// answered "busy".
    pub max_queued_bytes: usize,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self { max_queued_bytes: 16 * 1024 * 1024 }
    }
}

/// Counts of all writers of a process.
#[derive(Clone, Debug, Default)]
pub struct WriterMetrics {
    records: Counter,
    requests: Counter,
    retries: Counter,
}

impl WriterMetrics {
    /// Puts the counts into a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "produced_records",
            "Records acknowledged by the log",
            self.records.clone(),
        );
        registry.register(
            "produce_requests",
            "Produce requests acknowledged by the log",
            self.requests.clone(),
        );
        registry.register(
            "produce_retries",
            "Produce requests that failed and were tried again",
            self.retries.clone(),
        );
    }
}

/// A way to append to one partition. Clones share the task and the order.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Queue>,
}

/// The work of a writer, to be spawned.
pub type WriterTask = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Writer {
    /// A writer, and the task that does its work; it ends when [`Writer::close`] was called and all
    /// that waited is answered.
    pub fn new(
        cluster: ClusterConfig,
        topic: impl Into<Topic>,
        partition: Partition,
        config: &WriterConfig,
        metrics: WriterMetrics,
    ) -> (Self, WriterTask) {
        let queue = Arc::new(Queue::new(config.max_queued_bytes));
        let task = Task {
            cluster,
            topic: topic.into(),
            partition,
            queue: queue.clone(),
            metrics,
            client: None,
            is_failing: false,
        };
        (Self { queue }, Box::pin(task.run()))
    }

    /// Appends a record and answers with its offset once the log acknowledged it (acks=all).
    ///
    /// Records of one lane are appended in the order of these calls. A retry inside may append a
    /// record twice; its event id makes that harmless.
    ///
    /// # Errors
    /// See [`ProduceError`]; it says whether the record may be in the log all the same.
    ///
    /// # Cancel safety
    /// Cancelled, the record may or may not be appended.
    pub async fn produce(
        &self,
        record: Record,
        lane: Lane,
        deadline: Instant,
    ) -> Result<Offset, ProduceError> {
        let size_bytes = record.size_bytes();
        if size_bytes > MAX_RECORD_BYTES {
            return Err(ProduceError::TooLarge { size_bytes });
        }
        let (reply, answer) = oneshot::channel();
        let handover = Handover::default();
        self.queue.push(lane, Pending::new(record, deadline, handover.clone(), reply));
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(result)) => result,
            // Taken back, it is never sent; too late for that, it is on its way.
            Ok(Err(_)) | Err(_) => {
                Err(ProduceError::DeadlinePassed { may_be_written: !handover.take_back() })
            }
        }
    }

    /// No more records; what waits is still written, within its deadlines.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Records and bytes that wait.
    pub fn waiting(&self) -> (usize, usize) {
        self.queue.waiting()
    }
}

struct Task {
    cluster: ClusterConfig,
    topic: Topic,
    partition: Partition,
    queue: Arc<Queue>,
    metrics: WriterMetrics,
    /// With when it was last used.
    client: Option<(PartitionClient, Instant)>,
    /// The last request failed; said once in the log.
    is_failing: bool,
}

/// How long a connection may lie idle and be used again. Brokers close idle connections after ten
/// minutes (`connections.max.idle.ms`), and the request that finds out has failed.
const IDLE: Duration = Duration::from_secs(4 * 60);

impl Task {
    async fn run(mut self) {
        while let Some(pending) = self.queue.take().await {
            self.write(wanted(pending)).await;
        }
    }

    /// Writes these records until each is acknowledged, refused, or past its deadline. One request
    /// at a time, the same records again after a failure: that keeps their order.
    async fn write(&mut self, mut pending: Vec<Pending>) {
        let mut backoff = Backoff::new();
        while !pending.is_empty() {
            let error = match self.connected().await {
                Ok(client) => {
                    pending.retain(Pending::is_sent_now);
                    if pending.is_empty() {
                        self.client = Some((client, Instant::now()));
                        return;
                    }
                    match self.request(client, &pending).await {
                        Ok(offsets) => return self.acknowledge(pending, offsets),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if let Some(code) = fatal(&error) {
                return self.refused(pending, code).await;
            }
            self.metrics.retries.inc();
            if !self.is_failing {
                tracing::warn!(topic = self.topic.name, partition = %self.partition, %error, "produce failed, trying again until it succeeds");
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
        tracing::error!(topic = self.topic.name, partition = %self.partition, %code, "record refused");
        for pending in pending {
            pending.answer(Err(ProduceError::Refused(code)));
        }
    }

    async fn connected(&mut self) -> Result<PartitionClient, Error> {
        match self.client.take() {
            Some((client, used)) if used.elapsed() < IDLE => Ok(client),
            _ => partition_client(&self.cluster, &self.topic, self.partition.0).await,
        }
    }

    /// Sends a request; a client that failed is not used again.
    async fn request(
        &mut self,
        client: PartitionClient,
        pending: &[Pending],
    ) -> Result<Vec<i64>, Error> {
        let call = format!("produce to {}-{}", self.topic.name, self.partition);
        let records = pending.iter().map(|p| to_library(p.record.clone())).collect();
        let producing = client.produce(records, Compression::NoCompression);
        let offsets =
            within(self.timeout(pending), &call, async { producing.await.map_err(failed(&call)) })
                .await?;
        if offsets.len() != pending.len() {
            let reason = format!("{} offsets for {} records", offsets.len(), pending.len());
            return Err(Error::Malformed { call, reason });
        }
        self.client = Some((client, Instant::now()));
        Ok(offsets)
    }

    /// No longer than anybody waits for it.
    fn timeout(&self, pending: &[Pending]) -> Duration {
        let latest = pending.iter().map(|p| p.deadline).max();
        latest.map_or(self.cluster.request_timeout, |latest| {
            self.cluster.request_timeout.min(latest.saturating_duration_since(Instant::now()))
        })
    }

    fn acknowledge(&mut self, pending: Vec<Pending>, offsets: Vec<i64>) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(topic = self.topic.name, partition = %self.partition, "producing again");
        }
        self.metrics.requests.inc();
        self.metrics.records.inc_by(pending.len() as u64);
        for (pending, offset) in pending.into_iter().zip(offsets) {
            pending.answer(Ok(Offset(offset)));
        }
    }
}

/// Those that somebody still waits for; the others are told that it is too late.
fn wanted(pending: Vec<Pending>) -> Vec<Pending> {
    let now = Instant::now();
    let (over, wanted): (Vec<_>, Vec<_>) =
        pending.into_iter().partition(|pending| pending.is_over(now));
    for pending in over {
        pending.expire();
    }
    wanted
}
