//! All inboxes this service keeps.

use std::sync::Arc;
use std::time::Duration;

use inbox::{Head, InboxError, Page, PartitionReader, Query};
use kafka::Topics;
use models::{NotificationId, NotificationView, Offset, Partition, Position, UserId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ends::EndOfLog;
use crate::filter::Slice;
use crate::live::{Beginning, GapReason, Hub};
use crate::metrics::ConsumerMetrics;
use crate::outgoing::Outgoing;
use crate::partition::{State, Status};
use crate::reads::Reads;
use crate::views::{Log, PageView};

/// The inboxes, partition by partition.
pub(crate) struct Inboxes {
    pub(crate) topics: Topics,
    pub(crate) partitions: Vec<PartitionView>,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) metrics: ConsumerMetrics,
    pub(crate) restore_wait: Duration,
    pub(crate) stale_after: Duration,
    pub(crate) command_timeout: Duration,
    pub(crate) reads: Reads,
}

/// Notifications of a page that is read in less time than a change of thread takes.
const SMALL_PAGE: usize = 100;

/// What requests see of a partition.
#[derive(Clone)]
pub(crate) struct PartitionView {
    pub(crate) reader: PartitionReader,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) state: watch::Receiver<State>,
    pub(crate) end_of_log: Arc<EndOfLog>,
    pub(crate) hub: Arc<Hub>,
}

/// The inbox of one user, which can be read.
#[derive(Clone, Copy)]
pub(crate) struct UserInbox<'a> {
    pub(crate) inboxes: &'a Inboxes,
    pub(crate) user_id: &'a UserId,
    pub(crate) log: Log,
    pub(crate) view: &'a PartitionView,
}

/// Why an inbox cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReadError {
    /// The partition has not reached the end of the log yet.
    #[error("the inbox is being restored: {lag} records to go; try again")]
    Restoring {
        /// Records between what is applied and the end of the log.
        lag: i64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(InboxError),
    /// The thread that read ended.
    #[error("reading the store failed: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

impl From<InboxError> for ReadError {
    fn from(error: InboxError) -> Self {
        if matches!(error, InboxError::NotOpen { .. }) {
            // It is being folded anew.
            return Self::Restoring { lag: 0 };
        }
        Self::Store(error)
    }
}

/// What was applied may not be all there is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NotUpToDate {
    /// The log has not been readable for a while.
    #[error("the log cannot be read")]
    Away,
    /// Where the log ends could not be learnt.
    #[error(transparent)]
    EndUnknown(#[from] crate::ends::Unknown),
    /// There is more than was applied in time.
    #[error("the log has more than was applied in time")]
    Behind,
}

/// What was found under an id.
pub(crate) struct Found {
    pub(crate) notification: Option<NotificationView>,
    /// Why it may be there although it was not found.
    pub(crate) doubt: Option<NotUpToDate>,
}

impl Inboxes {
    /// A user's inbox, once it can be read: a partition that is being restored is waited for a while.
    /// One that was live stays readable while the log is away, and while the service stops.
    ///
    /// # Errors
    /// [`ReadError::Restoring`].
    pub(crate) async fn of<'a>(&'a self, user_id: &'a UserId) -> Result<UserInbox<'a>, ReadError> {
        let partition = self.topics.home(user_id);
        let view = usize::try_from(partition.0).ok().and_then(|home| self.partitions.get(home));
        let view = view.ok_or(ReadError::Restoring { lag: 0 })?;
        self.live(view).await?;
        let log = Log { topic_id: self.topics.topic_id, partition };
        Ok(UserInbox { inboxes: self, user_id, log, view })
    }

    /// Each partition and where it stands.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (Partition, Status)> {
        (0..)
            .map(Partition)
            .zip(&self.partitions)
            .map(|(partition, view)| (partition, *view.status.borrow()))
    }

    async fn live(&self, view: &PartitionView) -> Result<(), ReadError> {
        if *view.state.borrow() != State::Restoring {
            return Ok(());
        }
        let mut state = view.state.clone();
        let is_live = state.wait_for(|state| *state != State::Restoring);
        match tokio::time::timeout(self.restore_wait, is_live).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let lag = view.status.borrow().lag();
                Err(ReadError::Restoring { lag })
            }
        }
    }
}

impl UserInbox<'_> {
    /// Reads a page and makes something of it, where reading may take a while.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) async fn page<T: Send + 'static>(
        &self,
        query: Query,
        then: impl FnOnce(Page) -> Result<T, InboxError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (reader, user_id) = (self.view.reader.clone(), self.user_id.clone());
        // Tags and senders have no index: looking for them reads thousands of entries.
        let is_indexed = query.tag.is_none() && query.from.is_none();
        let is_small = is_indexed && query.limit <= SMALL_PAGE;
        let read = move || reader.page(&user_id, &query).and_then(then);
        let reads = &self.inboxes.reads;
        let read = if is_small { reads.small(read).await? } else { reads.large(read).await? };
        Ok(read?)
    }

    /// A page of a list, as JSON.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) async fn list(&self, slice: Slice) -> Result<PageView, ReadError> {
        let (log, user_id, filter) = (self.log, self.user_id.clone(), slice.filter.clone());
        let Log { topic_id, partition } = log;
        self.page(slice.query(), move |Page { entries, next, head }| {
            let cursor =
                next.map(|next| filter.cursor(&user_id, topic_id, partition, next).to_string());
            log.page(&entries, head, cursor)
        })
        .await
    }

    /// # Errors
    /// See [`ReadError`].
    pub(crate) async fn head(&self) -> Result<Head, ReadError> {
        let (reader, user_id) = (self.view.reader.clone(), self.user_id.clone());
        Ok(self.inboxes.reads.small(move || reader.head(&user_id)).await??)
    }

    /// What is under this id as far as is known.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) async fn one(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationView>, ReadError> {
        let (reader, user_id, log) = (self.view.reader.clone(), self.user_id.clone(), self.log);
        let read = move || {
            let entry = reader.one(&user_id, id)?;
            entry.map(|entry| log.notification(&entry)).transpose()
        };
        Ok(self.inboxes.reads.small(read).await??)
    }

    /// What is under this id; that there is nothing is made certain before the deadline, or doubted.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) async fn find(
        &self,
        id: NotificationId,
        deadline: Instant,
    ) -> Result<Found, ReadError> {
        if let found @ Some(_) = self.one(id).await? {
            return Ok(Found { notification: found, doubt: None });
        }
        let doubt = self.up_to_date(deadline).await.err();
        Ok(Found { notification: self.one(id).await?, doubt })
    }

    /// Waits until all that the log had when this was called is applied.
    async fn up_to_date(&self, deadline: Instant) -> Result<(), NotUpToDate> {
        // Known not to answer: asking would cost every request its whole deadline.
        if self.staleness().is_some() {
            return Err(NotUpToDate::Away);
        }
        let end = self.view.end_of_log.ask(deadline).await?;
        if self.applied(end, deadline).await { Ok(()) } else { Err(NotUpToDate::Behind) }
    }

    /// Waits until everything below this offset is applied; false: not before the deadline.
    pub(crate) async fn applied(&self, next_offset: Offset, deadline: Instant) -> bool {
        let mut status = self.view.status.clone();
        let reached = status.wait_for(|status| status.next_offset >= next_offset);
        matches!(tokio::time::timeout_at(deadline, reached).await, Ok(Ok(_)))
    }

    /// The offset that a position of this inbox names; none: it is of another partition, or of
    /// another life of the topic.
    pub(crate) fn offset_of(&self, position: Position) -> Option<Offset> {
        let Log { topic_id, partition } = self.log;
        let is_ours = position.topic_id == topic_id && position.partition == partition;
        is_ours.then_some(position.next_offset)
    }

    /// Where a stream goes on that was told all below a position. One that was given out by an instance
    /// that is further is waited for.
    ///
    /// # Errors
    /// It lies in the log, and was not applied before the deadline, or that could not be learnt.
    pub(crate) async fn beginning(
        &self,
        position: Position,
        deadline: Instant,
    ) -> Result<Beginning, NotUpToDate> {
        let Some(offset) = self.offset_of(position) else {
            return Ok(Beginning::Gap(GapReason::Reset));
        };
        if offset > self.next_offset() {
            let end = self.view.end_of_log.ask(deadline).await?;
            if offset > end {
                return Ok(Beginning::Gap(GapReason::Reset));
            }
            if !self.applied(offset, deadline).await {
                return Err(NotUpToDate::Behind);
            }
        }
        Ok(Beginning::From(offset))
    }

    /// The first offset not yet applied.
    pub(crate) fn next_offset(&self) -> Offset {
        self.view.reader.next_offset().unwrap_or(Offset(0))
    }

    /// How old what is read here is, where the log could not be read for a while.
    pub(crate) fn staleness(&self) -> Option<Duration> {
        Some(self.age()).filter(|age| *age > self.inboxes.stale_after)
    }

    /// When the log was last heard of.
    pub(crate) fn age(&self) -> Duration {
        self.view.status.borrow().fetched_at.elapsed()
    }
}
