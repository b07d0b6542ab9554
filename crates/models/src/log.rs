//! Places in the log.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The id that a cluster gave to one life of a topic; a topic made anew has another (KIP-516).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicId(pub Uuid);

/// A partition's number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub i32);

/// A record's place in its partition, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(pub i64);

impl Offset {
    /// The place behind this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where a record stands. No two records of a cluster share a place, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The topic's life.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: Partition,
    /// The record's own offset.
    pub offset: Offset,
}

/// Offsets whose records nobody can tell: a batch that is whole and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRange {
    /// The first offset.
    pub first: Offset,
    /// The last offset, included.
    pub last: Offset,
    /// What is wrong with it, in words; never the text of a message.
    pub reason: String,
}

impl FromStr for TopicId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
