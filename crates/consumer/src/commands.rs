//! What a person does to an inbox: appended to the log, answered once it can be read.

use futures_util::future::join_all;
use inbox::Head;
use kafka::ProduceError;
use models::{Change, Changed, NotificationId, NotificationView, Record, Selection};
use tokio::time::Instant;

use crate::inboxes::{Found, NotUpToDate, ReadError, UserInbox};

/// Why a command was not done, or is not known to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CommandError {
    /// The inbox cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The inbox has no such notification.
    #[error("the inbox has no notification {0}")]
    NotFound(NotificationId),
    /// Whether the inbox has it cannot be told.
    #[error("whether the inbox has this notification cannot be told: {0}; nothing was written")]
    Doubtful(#[source] NotUpToDate),
    /// The log did not take it.
    #[error("{source}; {}", if *.is_unknown { "whether the command takes effect is unknown: repeating it is safe" } else { "nothing was written" })]
    NotWritten {
        /// What became of it.
        source: ProduceError,
        /// Whether it, or a part of it, may be in the log all the same.
        is_unknown: bool,
    },
    /// The log has it, and this instance has not applied it in time.
    #[error("the command was written and takes effect, but has not been applied here in time")]
    NotApplied,
    /// It cannot be said as JSON.
    #[error("the command cannot be written: {0}")]
    Unsayable(#[from] serde_json::Error),
}

/// Why it is done, for whoever looks at the log.
const REASON: &str = "user";

impl UserInbox<'_> {
    /// Changes one notification, and answers it as it is then.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn change(
        &self,
        id: NotificationId,
        changes: &[Change],
    ) -> Result<NotificationView, CommandError> {
        let deadline = self.deadline();
        self.require(id, deadline).await?;
        self.write(&Selection::Ids(vec![id]), changes, deadline).await?;
        // Somebody may have deleted it meanwhile.
        self.one(id).await?.ok_or(CommandError::NotFound(id))
    }

    /// Deletes one notification.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn delete(&self, id: NotificationId) -> Result<(), CommandError> {
        let deadline = self.deadline();
        self.require(id, deadline).await?;
        self.write(&Selection::Ids(vec![id]), &[Change::Deleted], deadline).await
    }

    /// Changes all that are selected, and answers the counts that there are then. What is selected
    /// and not there is none.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn act(
        &self,
        selection: &Selection,
        change: Change,
    ) -> Result<Head, CommandError> {
        self.write(selection, &[change], self.deadline()).await?;
        Ok(self.head().await?)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.inboxes.command_timeout
    }

    async fn require(&self, id: NotificationId, deadline: Instant) -> Result<(), CommandError> {
        match self.find(id, deadline).await? {
            Found { notification: Some(_), .. } => Ok(()),
            Found { notification: None, doubt: Some(doubt) } => Err(CommandError::Doubtful(doubt)),
            Found { notification: None, doubt: None } => Err(CommandError::NotFound(id)),
        }
    }

    /// Appends a record for each change, in their order, and waits until all are applied.
    async fn write(
        &self,
        selection: &Selection,
        changes: &[Change],
        deadline: Instant,
    ) -> Result<(), CommandError> {
        let mut begun = Vec::new();
        for change in changes {
            let record = Record::of_changed(&Changed {
                id: NotificationId::new(),
                user_id: self.user_id.clone(),
                changed_at: service::now(),
                selection: selection.clone(),
                change: *change,
                reason: Some(REASON.to_owned()),
                fingerprint: None,
            })?;
            self.inboxes.metrics.command(name(*change));
            begun.push(self.inboxes.outgoing.begin(self.log.partition, record, deadline)?);
        }
        let written = join_all(begun.into_iter().map(kafka::Begun::outcome)).await;
        let mut last = None;
        let is_partly_written = written.iter().any(Result::is_ok);
        for offset in written {
            last = last.max(Some(offset.map_err(|error| not_written(error, is_partly_written))?));
        }
        match last {
            Some(last) if !self.applied(last.next(), deadline).await => {
                Err(CommandError::NotApplied)
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl From<ProduceError> for CommandError {
    fn from(error: ProduceError) -> Self {
        not_written(error, false)
    }
}

fn not_written(source: ProduceError, is_partly_written: bool) -> CommandError {
    let may_be = matches!(source, ProduceError::DeadlinePassed { may_be_written: true });
    CommandError::NotWritten { source, is_unknown: may_be || is_partly_written }
}

/// As it is counted.
fn name(change: Change) -> &'static str {
    match change {
        Change::Read(true) => "read",
        Change::Read(false) => "unread",
        Change::Archived(true) => "archive",
        Change::Archived(false) => "unarchive",
        Change::Deleted => "delete",
        Change::Seen => "seen",
    }
}
