//! Changes of the users directory.

use std::collections::VecDeque;

use kafka::{Begun, End, Lane};
use models::{DirectoryChange, Erased, NotificationId, Offset, Record, Timestamp, User, UserId};
use tokio::time::Instant;

use super::{Publisher, SendError};
use crate::directory::{Behind, Missing, Names};

/// A user was removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deletion {
    /// From when on no inbox shows what was sent to the user before.
    pub(crate) hidden_at: Timestamp,
    /// When the last of it is gone from the log; none where the log keeps records for good.
    pub(crate) purged_by: Option<Timestamp>,
}

impl Publisher {
    /// Creates or renames a user, and tells whether it was created.
    ///
    /// # Errors
    /// See [`SendError`].
    pub(crate) async fn put_user(
        &self,
        user: User,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<bool, SendError> {
        let record = DirectoryChange::Present(user).to_record(now)?;
        let offset = self.write_user(record, deadline).await?;
        self.directory.applied(offset, deadline).await.map_err(|_| SendError::NotReadBack)
    }

    /// Hands users over to be created or renamed, as parts of a batch.
    pub(crate) async fn begin_users(
        &self,
        records: Vec<Record>,
        deadline: Instant,
    ) -> VecDeque<Begun> {
        self.writers.users.begin_batch(records, deadline).await.into()
    }

    /// Waits for a user that was handed over, and tells whether it was created.
    ///
    /// # Errors
    /// See [`SendError`].
    pub(crate) async fn user_is_put(
        &self,
        begun: Begun,
        deadline: Instant,
    ) -> Result<bool, SendError> {
        let offset = begun.outcome().await.map_err(SendError::Change)?;
        self.directory.applied(offset, deadline).await.map_err(|_| SendError::NotReadBack)
    }

    /// The user with this id.
    ///
    /// # Errors
    /// [`SendError::UserNotFound`], [`SendError::DirectoryBehind`].
    pub(crate) async fn user(&self, id: UserId, deadline: Instant) -> Result<User, SendError> {
        let find = |names: &Names<'_>, id: UserId| {
            names.user(&id).ok_or_else(|| Missing::new(id.clone(), id))
        };
        let found = self.directory.look_up(vec![id], deadline, find).await;
        Ok(found.into_iter().next().ok_or(Behind)??)
    }

    /// Up to `limit` users in the order of their ids, from behind `after` on, and whether there are
    /// more.
    ///
    /// # Errors
    /// [`SendError::DirectoryBehind`].
    pub(crate) async fn users(
        &self,
        after: Option<UserId>,
        limit: usize,
        deadline: Instant,
    ) -> Result<(Vec<User>, bool), SendError> {
        self.directory.restored(deadline).await?;
        Ok(self.directory.page(after.as_ref(), limit))
    }

    /// Removes a user from the directory and ends its inbox. A user that is not there may have an
    /// inbox all the same.
    ///
    /// # Errors
    /// See [`SendError`]; repeating it is harmless.
    pub(crate) async fn delete_user(
        &self,
        id: UserId,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Deletion, SendError> {
        let tombstone = DirectoryChange::Removed(id.clone()).to_record(now)?;
        let removed = self.write_user(tombstone, deadline).await?;
        let read_back = self.directory.applied(removed, deadline).await;
        read_back.map_err(|_| SendError::NotReadBack)?;
        // From here on this instance sends the user nothing more. Fixed before the first try: a late
        // copy of the record must not take what was sent since.
        let partition = self.topics.home(&id);
        let mut end = End::new(self.cluster.clone(), self.topics.log(), partition);
        let asking = tokio::time::timeout_at(deadline, end.offset());
        let before = match asking.await {
            Ok(Ok(end)) => end,
            Ok(Err(_)) | Err(_) => return Err(SendError::EndUnknown),
        };
        let event_id = NotificationId::new();
        let erased =
            Erased { id: event_id, user_id: id, erased_at: now, before, fingerprint: None };
        let record = Record::of_erased(&erased)?;
        let writing = self.writer(partition)?.produce(record, Lane::Single, deadline);
        writing.await.map_err(SendError::Change)?;
        let purged_after = self.topics.purged_after.map(|it| i64::try_from(it.as_millis()));
        let purged_at = |ms: i64| Timestamp::from_ms_clamped(now.as_ms().saturating_add(ms));
        let purged_by = purged_after.map(|ms| purged_at(ms.unwrap_or(i64::MAX)));
        Ok(Deletion { hidden_at: now, purged_by })
    }

    async fn write_user(&self, record: Record, deadline: Instant) -> Result<Offset, SendError> {
        let writing = self.writers.users.produce(record, Lane::Single, deadline);
        writing.await.map_err(SendError::Change)
    }
}
