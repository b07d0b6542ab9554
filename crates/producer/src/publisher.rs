//! Publishing: notifications to their recipients' partitions.

mod addressed;
mod under_way;
mod users;

use std::sync::Arc;

pub(crate) use addressed::{Addressed, Draft};
use kafka::{ClusterConfig, Lane, ProduceError, Topics, Writer};
use models::{
    IdempotencyKey, Notification, NotificationId, Offset, Partition, Place, Position, Record,
    SendFrom, SendRequest, Sender, Sent, Timestamp, User, UserId,
};
use tokio::time::Instant;
pub(crate) use under_way::{Delivery, Lots, Ticket, UnderWay};
pub(crate) use users::Deletion;

use crate::directory::{Behind, Directory, Missing, Names, NotFound};
use crate::remembered::{Remembered, RememberedLimits};

/// Recipients up to which a request counts as a single send: its records go before those of batches,
/// and where there is no room for one it is refused at once. More are a batch, which waits for room.
///
/// Larger, and one request delays other single sends; smaller, and a team's notification queues
/// behind an import.
const MAX_SINGLE_RECIPIENTS: usize = 20;

/// Appends notifications to the log, in one life of its topics.
pub(crate) struct Publisher {
    cluster: ClusterConfig,
    topics: Topics,
    writers: Writers,
    directory: Arc<Directory>,
    remembered: Arc<Remembered>,
}

/// A writer for each partition of the notifications topic, in their order, and one for the users
/// topic.
#[derive(Clone)]
pub(crate) struct Writers {
    pub(crate) notifications: Vec<Writer>,
    pub(crate) users: Writer,
}

impl Writers {
    /// No more records; what waits is still written.
    pub(crate) fn close(&self) {
        self.notifications.iter().chain([&self.users]).for_each(Writer::close);
    }
}

/// What the log acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    /// The notification's id.
    pub id: NotificationId,
    /// An inbox that has reached this position shows it.
    pub position: Position,
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SendError {
    /// Sender or recipient does not exist.
    #[error("User not found")]
    UserNotFound(UserId),
    /// Whether they exist cannot be told now.
    #[error(transparent)]
    DirectoryBehind(#[from] Behind),
    /// The log did not take it.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// The log did not take a change of a user, or not all of it.
    #[error("{0}; the change may be written in part or whole, and repeating it is harmless")]
    Change(ProduceError),
    /// The log cannot be asked where it ends.
    #[error("the log cannot be asked where it ends")]
    EndUnknown,
    /// It is written, but cannot be read back here.
    #[error("the change is written, but could not be read back in time; it may be repeated")]
    NotReadBack,
    /// It cannot be written as a record.
    #[error("the notification cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

impl From<NotFound> for SendError {
    fn from(error: NotFound) -> Self {
        match error {
            NotFound::Absent(id) => Self::UserNotFound(id),
            NotFound::Unknown => Self::DirectoryBehind(Behind),
        }
    }
}

impl Publisher {
    pub(crate) fn new(
        cluster: ClusterConfig,
        topics: Topics,
        writers: Writers,
        directory: Arc<Directory>,
        remembered: RememberedLimits,
    ) -> Self {
        // Positions in answers are of this life of the topics, and so is what is remembered.
        let remembered = Arc::new(Remembered::new(remembered));
        Self { cluster, topics, writers, directory, remembered }
    }

    /// What was answered to requests with a key.
    pub(crate) fn remembered(&self) -> &Arc<Remembered> {
        &self.remembered
    }

    /// How old what the directory says may be; none where it is up to date.
    pub(crate) fn staleness(&self) -> Option<std::time::Duration> {
        self.directory.staleness()
    }

    /// Sends a text from one user to another, and waits until the log acknowledged it.
    ///
    /// # Errors
    /// See [`SendError`].
    pub(crate) async fn send(
        &self,
        from: UserId,
        to: UserId,
        message: String,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let find = |names: &Names<'_>, (from, to): (UserId, UserId)| {
            let missing = match (names.user(&from), names.user(&to)) {
                (Some(sender), Some(recipient)) => return Ok((sender, recipient)),
                (None, _) => from.clone(),
                (Some(_), None) => to.clone(),
            };
            Err(Missing::new(missing, (from, to)))
        };
        let found = self.directory.look_up(vec![(from, to)], deadline, find).await;
        let (from, to) = found.into_iter().next().unwrap_or(Err(NotFound::Unknown))?;
        // The id is made once, before the first try: copies that retries append share it.
        let id = NotificationId::new();
        let notification = Notification::plain(from, to, message);
        let partition = self.topics.home(&notification.to.id);
        let record =
            Record::of_sent(&Sent { id, created_at: now, notification, fingerprint: None })?;
        let offset = self.writer(partition)?.produce(record, Lane::Single, deadline).await?;
        Ok(Receipt { id, position: self.position(partition, offset) })
    }

    /// Looks the users of requests up, all before anything is written.
    ///
    /// # Errors
    /// For each request: [`SendError::UserNotFound`], [`SendError::DirectoryBehind`].
    pub(crate) async fn address(
        &self,
        requests: Vec<SendRequest>,
        deadline: Instant,
    ) -> Vec<Result<Addressed, NotFound>> {
        self.directory.look_up(requests, deadline, addressed).await
    }

    /// The records of a request.
    ///
    /// # Errors
    /// One is too large, or cannot be written.
    pub(crate) fn draft(
        &self,
        addressed: Addressed,
        key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Vec<Draft>, SendError> {
        addressed.into_drafts(key, now, |recipient| self.topics.home(recipient))
    }

    /// Appends the records of one request, all at once, and waits for each of them.
    pub(crate) async fn publish(&self, drafts: Vec<Draft>, deadline: Instant) -> Vec<Delivery> {
        let is_single = drafts.len() <= MAX_SINGLE_RECIPIENTS;
        let mut lots = self.lots();
        let tickets: Vec<_> = drafts.into_iter().map(|draft| lots.add(draft)).collect();
        let mut under_way = if is_single {
            self.begin_singles(lots, deadline)
        } else {
            self.begin_batch(lots, deadline).await
        };
        under_way.deliver(tickets).await
    }

    /// Nothing to write yet.
    pub(crate) fn lots(&self) -> Lots {
        Lots::new(self.writers.notifications.len())
    }

    fn begin_singles(&self, lots: Lots, deadline: Instant) -> UnderWay {
        let begin = |(writer, records): (&Writer, Vec<Record>)| {
            records.into_iter().map(|it| writer.begin(it, Lane::Single, deadline)).collect()
        };
        let begun = self.writers.notifications.iter().zip(lots.records).map(begin).collect();
        UnderWay::new(self.topics.topic_id, begun)
    }

    /// Hands records over as parts of a batch: each partition's wait until there is room for them.
    pub(crate) async fn begin_batch(&self, lots: Lots, deadline: Instant) -> UnderWay {
        let begin = |(writer, records): (&Writer, Vec<Record>)| {
            let writer = writer.clone();
            async move {
                if records.is_empty() {
                    return Default::default();
                }
                writer.begin_batch(records, deadline).await.into()
            }
        };
        let begun = self.writers.notifications.iter().zip(lots.records).map(begin);
        UnderWay::new(self.topics.topic_id, futures_util::future::join_all(begun).await)
    }

    fn writer(&self, partition: Partition) -> Result<&Writer, ProduceError> {
        let index = usize::try_from(partition.0).ok();
        index.and_then(|index| self.writers.notifications.get(index)).ok_or(ProduceError::Stopped)
    }

    fn position(&self, partition: Partition, offset: Offset) -> Position {
        Position::after(Place { topic_id: self.topics.topic_id, partition, offset })
    }
}

fn addressed(names: &Names<'_>, request: SendRequest) -> Result<Addressed, Missing<SendRequest>> {
    let from = match &request.from {
        Some(SendFrom::User(id)) => match names.user(id) {
            Some(User { id, name }) => Sender { id: Some(id), name },
            None => return Err(Missing::new(id.clone(), request)),
        },
        Some(SendFrom::Service(name)) => Sender { id: None, name: name.as_str().to_owned() },
        None => Sender { id: None, name: String::new() },
    };
    let mut to = Vec::with_capacity(request.to.as_slice().len());
    for id in request.to.as_slice() {
        match names.user(id) {
            Some(user) => to.push(user),
            None => return Err(Missing::new(id.clone(), request)),
        }
    }
    Ok(Addressed { request, from, to })
}
