//! Inboxes as v1 shows them.

use inbox::{Entry, Head, InboxError};
use models::{
    InboxState, Notification, NotificationView, Offset, Partition, Place, Position, TopicId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// The log that an inbox is folded from: what positions name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    pub(crate) topic_id: TopicId,
    pub(crate) partition: Partition,
}

/// A part of an inbox, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageView {
    /// At most `limit`. Filtered, it may be short, or even empty, before the end.
    notifications: Vec<NotificationView>,
    /// In the whole inbox: neither read nor archived.
    unread_count: u64,
    /// In the whole inbox: came since the user last opened the list.
    unseen_count: u64,
    /// Where the next page begins; null: this is the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Everything in the user's partition below it has been applied.
    position: String,
}

/// The counts of an inbox.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CountsView {
    /// Neither read nor archived.
    unread_count: u64,
    /// Came since the user last opened the list.
    unseen_count: u64,
    /// All that are there.
    total_count: u64,
    /// Everything in the user's partition below it has been applied.
    position: String,
}

/// Writes JSON in one line. A sender's own JSON may have line ends between its parts, and none within.
pub(crate) fn write_line(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    // Texts, numbers and JSON that was read: writing them into memory cannot fail.
    let _written = serde_json::to_writer(&mut *out, value);
    for byte in out.iter_mut().skip(start).filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

impl Log {
    /// Everything below this offset.
    pub(crate) fn position(self, next_offset: Offset) -> Position {
        let Self { topic_id, partition } = self;
        Position { topic_id, partition, next_offset }
    }

    pub(crate) fn place(self, offset: Offset) -> Place {
        let Self { topic_id, partition } = self;
        Place { topic_id, partition, offset }
    }

    /// # Errors
    /// A row that the fold cannot have written.
    pub(crate) fn notification(self, entry: &Entry) -> Result<NotificationView, InboxError> {
        let unreadable =
            InboxError::UnreadableRow { partition: self.partition, keyspace: "entries" };
        let notification: Notification =
            serde_json::from_slice(&entry.json).map_err(|_| unreadable)?;
        let state = InboxState {
            id: entry.id,
            created_at: entry.created_at,
            read_at: entry.read_at,
            archived_at: entry.archived_at,
            position: Position::after(self.place(entry.offset)),
        };
        Ok(NotificationView::new(notification, state))
    }

    /// # Errors
    /// A row that the fold cannot have written.
    pub(crate) fn page(
        self,
        entries: &[Entry],
        head: Head,
        next_cursor: Option<String>,
    ) -> Result<PageView, InboxError> {
        let notifications = entries.iter().map(|entry| self.notification(entry));
        Ok(PageView {
            notifications: notifications.collect::<Result<_, _>>()?,
            unread_count: head.unread_count,
            unseen_count: head.unseen_count,
            next_cursor,
            position: self.applied(head).to_string(),
        })
    }

    pub(crate) fn counts(self, head: Head) -> CountsView {
        let Head { total_count, unread_count, unseen_count, .. } = head;
        let position = self.applied(head).to_string();
        CountsView { unread_count, unseen_count, total_count, position }
    }

    fn applied(self, head: Head) -> Position {
        self.position(head.next_offset.unwrap_or(Offset(0)))
    }
}
