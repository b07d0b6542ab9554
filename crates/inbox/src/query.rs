//! What a page is asked for.

use models::{Offset, Timestamp, UserId};

/// Which notifications of an inbox a page shows, newest first.
#[derive(Clone, Debug)]
pub struct Query {
    /// At most so many.
    pub limit: usize,
    /// A page ends with the entry that passes so many bytes of JSON.
    pub max_bytes: usize,
    /// Only those below this offset: where the page before ended ([`Page::next`](crate::Page::next)).
    pub before: Option<Offset>,
    /// Only those in this state.
    pub status: Status,
    /// Only those sent at this time or later.
    pub since: Option<Timestamp>,
    /// Only those sent before this time.
    pub until: Option<Timestamp>,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those that this user sent.
    pub from: Option<UserId>,
}

/// States of notifications that pages can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not archived.
    #[default]
    Inbox,
    /// Neither read nor archived.
    Unread,
    /// Read, not archived.
    Read,
    /// Archived, read or not.
    Archived,
    /// All there are.
    All,
}

impl Query {
    /// The newest of all there are.
    pub fn newest(limit: usize) -> Self {
        Self {
            limit,
            max_bytes: usize::MAX,
            before: None,
            status: Status::All,
            since: None,
            until: None,
            tag: None,
            from: None,
        }
    }
}

impl Status {
    /// Whether a notification that is read, and archived, or not, is meant.
    pub fn includes(self, is_read: bool, is_archived: bool) -> bool {
        match self {
            Self::Inbox => !is_archived,
            Self::Unread => !is_archived && !is_read,
            Self::Read => !is_archived && is_read,
            Self::Archived => is_archived,
            Self::All => true,
        }
    }
}
