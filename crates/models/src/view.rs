//! Notifications as v1 shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Notification, NotificationId, Position, RawJson, Timestamp};

/// A notification in an inbox. Ids are always strings; what is not there is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NotificationView {
    /// Its id, a UUID.
    #[schema(value_type = String, format = "uuid")]
    pub id: NotificationId,
    /// Who sent it.
    pub from: SenderView,
    /// Whose inbox it is in.
    pub to: UserView,
    /// The text.
    pub message: String,
    /// A headline.
    pub title: Option<String>,
    /// Where it leads.
    pub url: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// From 1 (lowest) to 5.
    #[schema(minimum = 1, maximum = 5)]
    pub priority: u8,
    /// What the sender's application attached.
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<RawJson>,
    /// When it was sent.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From when on it is no longer shown.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Since when it is read.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub read_at: Option<Timestamp>,
    /// Since when it is archived.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
    /// Right behind it in the log.
    pub position: String,
}

/// Who sent a notification: a user, or a service that is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SenderView {
    /// The user's id, if it is a user.
    pub id: Option<String>,
    /// The name to show; empty where nobody is named.
    pub name: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// The id.
    pub id: String,
    /// The name to show.
    pub name: String,
}

/// What an inbox knows of a notification besides what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxState {
    /// Its id.
    pub id: NotificationId,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Since when it is read.
    pub read_at: Option<Timestamp>,
    /// Since when it is archived.
    pub archived_at: Option<Timestamp>,
    /// Right behind it in the log.
    pub position: Position,
}

impl NotificationView {
    /// What was sent, and what became of it.
    pub fn new(notification: Notification, state: InboxState) -> Self {
        let InboxState { id, created_at, read_at, archived_at, position } = state;
        let Notification { from, to, message, title, url, tags, priority, data, expires_at } =
            notification;
        Self {
            id,
            from: SenderView { id: from.id.map(|id| id.to_string()), name: from.name },
            to: UserView { id: to.id.to_string(), name: to.name },
            message,
            title,
            url,
            tags,
            priority: priority.into(),
            data,
            created_at,
            expires_at,
            read_at,
            archived_at,
            position: position.to_string(),
        }
    }
}
