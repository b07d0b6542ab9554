//! What streams tell: what happened to an inbox, as it is folded and as it is told again later.

use models::{Offset, UserId};

use crate::{Entry, Head, RecentChange};

/// Something that happened to an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxEvent {
    /// A notification came in. Told again later, it is as it is by then.
    Sent(Entry),
    /// A command was applied, whether or not it changed anything.
    Changed(RecentChange),
}

/// What some records did to one inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whose inbox.
    pub user_id: UserId,
    /// The partition's `next_offset` before these records. Whoever reads the inbox sees either nothing
    /// of them, with a `next_offset` that is not greater, or all.
    pub first: Offset,
    /// In the order of the log.
    pub events: Vec<InboxEvent>,
    /// The counts after these records.
    pub head: Head,
}

/// Who is told what is folded, at the moment it is.
pub trait Watchers {
    /// Whether anybody wants to know of this inbox. Asked while readers wait: it must not read any.
    fn is_watched(&self, user_id: &UserId) -> bool;

    /// Tells what happened, which readers see by now. In the order of the log; the fold waits for it.
    fn tell(&self, news: News);
}

/// What happened to an inbox from an offset on, of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Not all of it is known any more: there are no events.
    pub gap: Option<Gap>,
    /// In the order of the log. Notifications that are gone again are left out.
    pub events: Vec<InboxEvent>,
    /// There is more, from here on; none: that was all below [`Head::next_offset`].
    pub next: Option<Offset>,
    /// The counts at that moment.
    pub head: Head,
    /// What lay below it was cut by retention.
    pub log_start: Offset,
}

/// Why it is not known what happened to an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Retention has cut a part of it.
    Retention,
    /// There were more commands since than are kept.
    TooOld,
}

/// Nobody watches.
pub(crate) struct Nobody;

impl Watchers for Nobody {
    fn is_watched(&self, _: &UserId) -> bool {
        false
    }

    fn tell(&self, _: News) {}
}

impl InboxEvent {
    /// Where in the log it happened.
    pub fn offset(&self) -> Offset {
        match self {
            Self::Sent(entry) => entry.offset,
            Self::Changed(change) => change.offset,
        }
    }
}
