//! Writing to a partition: one request in flight, everything that arrived meanwhile in the next.
//!
//! A record that finds nobody writing and nothing waiting is written at once, by a task on the thread
//! that brings it: that spares two changes of thread, a third of the time of a single send.
//! Everything else is for the writer's own task.

mod metrics;
mod task;
mod ways;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

pub use metrics::WriterMetrics;
use models::{MAX_RECORD_BYTES, Offset, Partition, Record};
use task::Task;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::Instant;

use crate::produce::{Lane, ProduceError};
use crate::queue::{Handover, Pending, Queue};
use crate::{ClusterConfig, Topic};

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

/// A way to append to one partition. Clones share the task and the order.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Queue>,
    /// Who holds it writes.
    turn: Arc<Mutex<Task>>,
    /// Who holds it puts records of a batch into the queue.
    batches: Arc<Mutex<()>>,
}

/// A record that was handed over to a writer.
#[must_use = "whether it was written is its outcome"]
pub struct Begun {
    answer: oneshot::Receiver<Result<Offset, ProduceError>>,
    handover: Handover,
    deadline: Instant,
}

impl Begun {
    /// Waits for the record's offset, until its deadline.
    ///
    /// # Errors
    /// See [`ProduceError`]; it says whether the record may be in the log all the same.
    pub async fn outcome(self) -> Result<Offset, ProduceError> {
        match tokio::time::timeout_at(self.deadline, self.answer).await {
            Ok(Ok(result)) => result,
            // Taken back, it is never sent; too late for that, it is on its way.
            Ok(Err(_)) | Err(_) => {
                Err(ProduceError::DeadlinePassed { may_be_written: !self.handover.take_back() })
            }
        }
    }
}

/// A record to hand over, and its outcome. One that is too large has its outcome already.
fn begin(record: Record, deadline: Instant) -> (Option<Pending>, Begun) {
    let (reply, answer) = oneshot::channel();
    let handover = Handover::default();
    let begun = Begun { answer, handover: handover.clone(), deadline };
    let size_bytes = record.size_bytes();
    if size_bytes > MAX_RECORD_BYTES {
        // Whoever would hear of it is here.
        let _ = reply.send(Err(ProduceError::TooLarge { size_bytes }));
        return (None, begun);
    }
    (Some(Pending::new(record, deadline, handover, reply)), begun)
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
        let task = Task::new(cluster, topic.into(), partition, queue.clone(), metrics);
        let turn = Arc::new(Mutex::new(task));
        let writer = Self { queue, turn, batches: Arc::default() };
        (writer.clone(), Box::pin(async move { writer.run().await }))
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
        self.begin(record, lane, deadline).outcome().await
    }

    /// The first half of [`Writer::produce`]: the record has its place among the others when this
    /// returns.
    pub fn begin(&self, record: Record, lane: Lane, deadline: Instant) -> Begun {
        let (pending, begun) = begin(record, deadline);
        let Some(pending) = pending else { return begun };
        self.queue.push(lane, pending);
        match self.turn_for(&begun.handover) {
            // A task of its own, which goes on whether its caller does or not: all who come meanwhile
            // wait for its turn to end.
            Some((mut task, pending)) => drop(tokio::spawn(async move {
                task.write(pending).await;
            })),
            None => self.queue.wake(),
        }
        begun
    }

    /// The same for records of a batch, in this order, but where there is no room it waits for it:
    /// until the deadline, behind other batches that wait already. Each record has an outcome.
    ///
    /// # Cancel safety
    /// Cancelled, records may or may not be appended, the first ones rather than the last.
    pub async fn begin_batch(&self, records: Vec<Record>, deadline: Instant) -> Vec<Begun> {
        let mut batch = VecDeque::with_capacity(records.len());
        let mut all = Vec::with_capacity(records.len());
        for record in records {
            let (pending, begun) = begin(record, deadline);
            batch.extend(pending);
            all.push(begun);
        }
        let handing_over = self.hand_over(&mut batch);
        if tokio::time::timeout_at(deadline, handing_over).await.is_err() {
            for pending in batch {
                pending.expire();
            }
        }
        all
    }

    /// One batch at a time waits for room, in the order of coming: a large record is not overtaken
    /// again and again by small ones.
    async fn hand_over(&self, batch: &mut VecDeque<Pending>) {
        let _turn = self.batches.lock().await;
        loop {
            self.queue.push_while_room(batch);
            self.queue.wake();
            if batch.is_empty() {
                return;
            }
            self.queue.room().await;
        }
    }

    /// The turn to write this record: if nobody has it, and nothing else waits.
    fn turn_for(&self, handover: &Handover) -> Option<(OwnedMutexGuard<Task>, Vec<Pending>)> {
        let task = self.turn.clone().try_lock_owned().ok()?;
        let pending = self.queue.take_if_alone(handover)?;
        Some((task, pending))
    }

    /// Writes what waits, until the queue is closed and empty.
    async fn run(self) {
        while self.queue.waits_for_writing().await {
            let mut task = self.turn.lock().await;
            while let Some(pending) = self.queue.take() {
                task.write(pending).await;
            }
        }
        // A record that is being written at once is answered as well.
        drop(self.turn.lock().await);
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
