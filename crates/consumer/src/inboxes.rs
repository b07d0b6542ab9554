//! All inboxes this service keeps.

use std::time::Duration;

use inbox::{InboxError, Page, PartitionReader, Query};
use kafka::Topics;
use models::{Partition, UserId};
use tokio::sync::watch;

use crate::partition::{State, Status};
use crate::reads::Reads;

/// The inboxes, partition by partition.
pub(crate) struct Inboxes {
    topics: Topics,
    partitions: Vec<PartitionView>,
    restore_wait: Duration,
    stale_after: Duration,
    reads: Reads,
}

/// Notifications of a page that is read in less time than a change of thread takes.
const SMALL_PAGE: usize = 100;

/// What requests see of a partition.
#[derive(Clone)]
pub(crate) struct PartitionView {
    pub(crate) reader: PartitionReader,
    pub(crate) status: watch::Receiver<Status>,
}

/// The newest of an inbox, and how old that knowledge is.
pub(crate) struct Newest {
    pub(crate) page: Page,
    /// Set where the log could not be read for a while.
    pub(crate) staleness: Option<Duration>,
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

impl Inboxes {
    pub(crate) fn new(
        topics: Topics,
        partitions: Vec<PartitionView>,
        restore_wait: Duration,
        stale_after: Duration,
    ) -> Self {
        Self { topics, partitions, restore_wait, stale_after, reads: Reads::new() }
    }

    /// The newest notifications of a user, at most `limit`.
    pub(crate) async fn newest(&self, user_id: UserId, limit: usize) -> Result<Newest, ReadError> {
        let home = self.topics.home(&user_id);
        let view = usize::try_from(home.0).ok().and_then(|home| self.partitions.get(home));
        let view = view.ok_or(ReadError::Restoring { lag: 0 })?;
        let status = self.live(view).await?;
        let reader = view.reader.clone();
        let read = move || reader.page(&user_id, &Query::newest(limit));
        let page = match limit {
            ..=SMALL_PAGE => self.reads.small(read).await??,
            _ => self.reads.large(read).await??,
        };
        let age = status.fetched_at.elapsed();
        Ok(Newest { page, staleness: (age > self.stale_after).then_some(age) })
    }

    /// Each partition and where it stands.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (Partition, Status)> {
        (0..)
            .map(Partition)
            .zip(&self.partitions)
            .map(|(partition, view)| (partition, *view.status.borrow()))
    }

    /// Waits a while for a partition that is being restored. One that was live stays readable while
    /// the log is away, and while the service stops.
    async fn live(&self, view: &PartitionView) -> Result<Status, ReadError> {
        let now = *view.status.borrow();
        if now.state != State::Restoring {
            return Ok(now);
        }
        let mut status = view.status.clone();
        let is_live = status.wait_for(|status| status.state != State::Restoring);
        match tokio::time::timeout(self.restore_wait, is_live).await {
            Ok(Ok(status)) => Ok(*status),
            Ok(Err(_)) | Err(_) => {
                let lag = view.status.borrow().lag();
                Err(ReadError::Restoring { lag })
            }
        }
    }
}
