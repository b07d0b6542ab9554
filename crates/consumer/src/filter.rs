//! Which part of an inbox a list shows.

use std::str::FromStr;

use inbox::{Query, Status};
use models::{Cursor, Filters, Offset, Partition, Timestamp, TopicId, UserId};

/// Which notifications of an inbox a list shows: what its cursors are bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) status: Status,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) tag: Option<String>,
    pub(crate) from: Option<UserId>,
}

/// A list and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) filter: Filter,
    pub(crate) limit: usize,
    /// Only those below this offset.
    pub(crate) before: Option<Offset>,
}

/// The most bytes of notifications that an answer has; it ends with the one that passes this. Larger,
/// and slow readers of large inboxes cost that much memory each; smaller, and ordinary inboxes are
/// cut short.
pub(crate) const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

impl Filter {
    /// All there is.
    pub(crate) fn all() -> Self {
        Self { status: Status::All, ..Self::default() }
    }

    /// Where the next page of this list begins, below an offset.
    pub(crate) fn cursor(
        &self,
        user_id: &UserId,
        topic_id: TopicId,
        partition: Partition,
        before: Offset,
    ) -> Cursor {
        Cursor { topic_id, partition, before, filters: self.filters(user_id) }
    }

    /// What tells a user's list under these filters from every other.
    pub(crate) fn filters(&self, user_id: &UserId) -> Filters {
        let Self { status, since, until, tag, from } = self;
        let time = |time: &Option<Timestamp>| time.map(|time| time.to_string());
        let (since, until) = (time(since), time(until));
        Filters::of([
            Some(user_id.as_str()),
            Some(status_name(*status)),
            since.as_deref(),
            until.as_deref(),
            tag.as_deref(),
            from.as_ref().map(UserId::as_str),
        ])
    }
}

impl Slice {
    pub(crate) fn query(self) -> Query {
        let Self { filter: Filter { status, since, until, tag, from }, limit, before } = self;
        let max_bytes = MAX_ANSWER_BYTES;
        Query { limit, max_bytes, before, status, since, until, tag, from }
    }
}

/// A status as a parameter names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusName(pub(crate) Status);

/// The text names no status.
#[derive(Debug, thiserror::Error)]
#[error("not one of inbox, unread, read, archived, all")]
pub(crate) struct UnknownStatus;

impl FromStr for StatusName {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let all = [Status::Inbox, Status::Unread, Status::Read, Status::Archived, Status::All];
        let found = all.into_iter().find(|status| status_name(*status) == text);
        found.map(Self).ok_or(UnknownStatus)
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Inbox => "inbox",
        Status::Unread => "unread",
        Status::Read => "read",
        Status::Archived => "archived",
        Status::All => "all",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_and_each_user_has_cursors_of_its_own() {
        let user = |id: &str| id.parse::<UserId>().unwrap();
        let time = |ms| Some(Timestamp::from_ms_clamped(ms));
        let inbox = Filter::default();
        let lists = [
            (user("1"), inbox.clone()),
            (user("2"), inbox.clone()),
            (user("1"), Filter::all()),
            (user("1"), Filter { status: Status::Unread, ..inbox.clone() }),
            (user("1"), Filter { since: time(1), ..inbox.clone() }),
            (user("1"), Filter { until: time(1), ..inbox.clone() }),
            (user("1"), Filter { tag: Some("a".into()), ..inbox.clone() }),
            (user("1"), Filter { from: Some(user("a")), ..inbox }),
        ];
        for (i, (user, filter)) in lists.iter().enumerate() {
            for (j, (other_user, other)) in lists.iter().enumerate() {
                let is_same = filter.filters(user) == other.filters(other_user);
                assert_eq!(is_same, i == j, "{filter:?} {other:?}");
            }
        }
    }
}
