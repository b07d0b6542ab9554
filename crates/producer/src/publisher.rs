//! Sending: from two ids and a text to a record in the log.

use std::sync::Arc;

use kafka::{Lane, ProduceError, Topics, Writer};
use models::{
    Notification, NotificationId, Place, Position, Record, Sent, Timestamp, User, UserId,
};
use tokio::time::Instant;

use crate::directory::{Directory, Lookup};

/// Appends notifications to their recipients' partitions.
pub(crate) struct Publisher {
    topics: Topics,
    writers: Vec<Writer>,
    directory: Arc<Directory>,
}

/// What the log acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    /// The notification's id.
    pub id: NotificationId,
    /// An inbox that has reached this position shows it.
    pub position: Position,
}

/// Why a notification was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SendError {
    /// Sender or recipient does not exist.
    #[error("User not found")]
    UserNotFound,
    /// Whether they exist cannot be told now.
    #[error("the users directory is not up to date, because Kafka cannot be read; try again")]
    DirectoryBehind,
    /// The log did not take it.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// It cannot be written as a record.
    #[error("the notification cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

impl Publisher {
    /// A publisher with one writer a partition, in their order.
    pub(crate) fn new(topics: Topics, writers: Vec<Writer>, directory: Arc<Directory>) -> Self {
        Self { topics, writers, directory }
    }

    /// Sends a text from one user to another, and waits until the log acknowledged it.
    ///
    /// # Errors
    /// See [`SendError`].
    pub(crate) async fn send(
        &self,
        from: &UserId,
        to: &UserId,
        message: String,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let (from, to) = (self.user(from)?, self.user(to)?);
        // The id is made once, before the first try: copies that retries append share it.
        let id = NotificationId::new();
        let notification = Notification::plain(from, to, message);
        let partition = self.topics.home(&notification.to.id);
        let record =
            Record::of_sent(&Sent { id, created_at: now, notification, fingerprint: None })?;
        let writer = usize::try_from(partition.0).ok().and_then(|index| self.writers.get(index));
        let writer = writer.ok_or(ProduceError::Stopped)?;
        let offset = writer.produce(record, Lane::Single, deadline).await?;
        let place = Place { topic_id: self.topics.topic_id, partition, offset };
        Ok(Receipt { id, position: Position::after(place) })
    }

    fn user(&self, id: &UserId) -> Result<User, SendError> {
        match self.directory.look_up(id) {
            Lookup::Found(user) => Ok(user),
            Lookup::Absent => Err(SendError::UserNotFound),
            Lookup::Unknown => Err(SendError::DirectoryBehind),
        }
    }
}
