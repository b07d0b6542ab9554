//! A partition: the one task that appends to its log, and the handle everyone else holds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::{self, JoinHandle};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::log::{Batch, Log, Outcome, View};

/// The handle of a partition.
#[derive(Debug)]
pub(crate) struct Partition {
    queue: mpsc::Sender<Command>,
    queue_bytes: Arc<Semaphore>,
    queue_bytes_limit: u32,
    view: Arc<View>,
    offline: Arc<AtomicBool>,
    changes: watch::Receiver<()>,
    close: CancellationToken,
    owner: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Command {
    Append(Append),
    Retain { now_ms: i64 },
}

#[derive(Debug)]
struct Append {
    batch: Batch,
    done: oneshot::Sender<Outcome>,
    _queue_bytes: OwnedSemaphorePermit,
}

impl Partition {
    /// Starts the owner of `log`. `name` is for log lines.
    pub(crate) fn start(log: Log, name: String, limits: &Limits) -> Partition {
        let (queue, commands) = mpsc::channel(limits.queue_appends);
        let (changed, changes) = watch::channel(());
        let offline = Arc::new(AtomicBool::new(false));
        let close = CancellationToken::new();
        let view = log.view();
        let owner = Owner {
            name,
            log: Some(log),
            commands,
            changed,
            offline: Arc::clone(&offline),
            close: close.clone(),
        };
        let queue_bytes_limit = limits.queue_bytes;
        Partition {
            queue,
            queue_bytes: Arc::new(Semaphore::new(queue_bytes_limit as usize)),
            queue_bytes_limit,
            view,
            offline,
            changes,
            close,
            owner: Mutex::new(Some(tokio::spawn(owner.run()))),
        }
    }

    /// Queues a batch; the answer comes when it is on the disk. At the queue's bound the newcomer
    /// waits until `deadline`, and loses then.
    pub(crate) async fn append(
        &self,
        batch: Batch,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Outcome>, ResponseError> {
        if self.is_offline() {
            return Err(ResponseError::KafkaStorageError);
        }
        let (done, outcome) = oneshot::channel();
        // A batch beyond the bound takes the whole queue rather than waiting for ever.
        let bytes = u32::try_from(batch.header.size()).unwrap_or(u32::MAX);
        let bytes = bytes.min(self.queue_bytes_limit);
        let enqueue = async {
            let permits = Arc::clone(&self.queue_bytes).acquire_many_owned(bytes);
            let _queue_bytes = permits.await.map_err(|_| GONE)?;
            let append = Append { batch, done, _queue_bytes };
            self.queue.send(Command::Append(append)).await.map_err(|_| GONE)
        };
        match timeout_at(deadline, enqueue).await {
            Ok(Ok(())) => Ok(outcome),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ResponseError::RequestTimedOut),
        }
    }

    /// Asks the owner to apply retention. A full queue means it is busy; the next round comes.
    pub(crate) fn retain(&self, now_ms: i64) {
        let _busy = self.queue.try_send(Command::Retain { now_ms });
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// For blocking reads elsewhere.
    pub(crate) fn shared_view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// Whether a write failed; then nothing more is taken until the broker is started anew.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// Whether the topic is deleted or the broker stops.
    pub(crate) fn is_closed(&self) -> bool {
        self.close.is_cancelled()
    }

    /// Wakes when the high watermark moves, and when the partition goes offline or away.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }

    /// Takes no more appends and returns when those in the queue are done: `false` if that takes longer
    /// than `within`.
    pub(crate) async fn close(&self, within: Duration) -> bool {
        self.close.cancel();
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner).take();
        match owner {
            Some(owner) => timeout(within, owner).await.is_ok(),
            None => true,
        }
    }
}

/// What an append to a partition that is going away is told: ask for metadata, and try again.
const GONE: ResponseError = ResponseError::NotLeaderOrFollower;

struct Owner {
    name: String,
    /// `None` after a failure.
    log: Option<Log>,
    commands: mpsc::Receiver<Command>,
    changed: watch::Sender<()>,
    offline: Arc<AtomicBool>,
    close: CancellationToken,
}

impl Owner {
    async fn run(mut self) {
        loop {
            let first = tokio::select! {
                first = self.commands.recv() => first,
                () = self.close.cancelled() => {
                    self.commands.close();
                    self.commands.recv().await
                }
            };
            let Some(first) = first else { break };
            let (appends, retain) = self.drain(first);
            self.commit(appends).await;
            if let Some(now_ms) = retain {
                self.retain(now_ms).await;
            }
        }
    }

    /// Everything that arrived during the last sync goes into the next one.
    fn drain(&mut self, first: Command) -> (Vec<Append>, Option<i64>) {
        let mut appends = Vec::new();
        let mut retain = None;
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Append(append) => appends.push(append),
                Command::Retain { now_ms } => retain = Some(now_ms),
            }
            next = self.commands.try_recv().ok();
        }
        (appends, retain)
    }

    async fn commit(&mut self, appends: Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let mut batches = Vec::with_capacity(appends.len());
        let mut waiting = Vec::with_capacity(appends.len());
        for Append { batch, done, _queue_bytes } in appends {
            batches.push(batch);
            waiting.push((done, _queue_bytes));
        }
        let outcomes = self.on_disk(move |log| log.commit(batches)).await;
        self.changed.send_replace(());
        let mut outcomes = outcomes.unwrap_or_default().into_iter();
        for (done, _queue_bytes) in waiting {
            let outcome = outcomes.next().unwrap_or(Err(ResponseError::KafkaStorageError));
            // Nobody waits any more when the client has gone; the batch is stored all the same.
            let _gone = done.send(outcome);
        }
    }

    async fn retain(&mut self, now_ms: i64) {
        let deleted = self.on_disk(move |log| log.retain(now_ms)).await;
        if let Some(segments @ 1..) = deleted {
            tracing::info!(partition = %self.name, segments, "deleted what retention does not keep");
        }
    }

    /// Runs `work` where blocking is allowed. After a failure the log is given up: a failed sync says
    /// nothing about what the disk holds, so nothing may be acknowledged on top of it.
    async fn on_disk<T, F>(&mut self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Log) -> std::io::Result<T> + Send + 'static,
    {
        let mut log = self.log.take()?;
        let done = task::spawn_blocking(move || {
            let result = work(&mut log);
            (log, result)
        });
        match done.await {
            Ok((log, Ok(value))) => {
                self.log = Some(log);
                return Some(value);
            }
            Ok((_, Err(error))) => {
                tracing::error!(partition = %self.name, %error, "the disk failed; offline until restart");
            }
            Err(error) => {
                tracing::error!(partition = %self.name, %error, "the writer failed; offline until restart");
            }
        }
        self.offline.store(true, Ordering::Release);
        self.changed.send_replace(());
        None
    }
}
