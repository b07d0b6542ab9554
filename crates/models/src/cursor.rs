//! Cursors: where the next page begins.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Fnv1a, Offset, Partition, TopicId, opaque};

/// Where the next page of an inbox begins: below `before`, under the same filters.
///
/// As text it is opaque: base64url over a version byte, the topic id, the partition, the offset, the
/// hash of the filters (big endian) and a CRC-32C of all that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the topic.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: Partition,
    /// The page has entries below this offset.
    pub before: Offset,
    /// Of the user and the filters that the first page was asked for with.
    pub filters: Filters,
}

/// A hash of whose inbox is looked at, and through which filters: a cursor belongs to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters(u64);

impl Filters {
    /// Of these texts in this order; none is another filter than an empty text.
    pub fn of<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut hash = Fnv1a::default();
        for part in parts {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hash.add(&length.to_be_bytes());
            hash.add(part.unwrap_or_default().as_bytes());
        }
        Self(hash.finish())
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: it must be a next_cursor that this service gave out, unchanged")]
pub struct InvalidCursor;

const VERSION: u8 = 1;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.topic_id.0.as_bytes());
        bytes.extend_from_slice(&self.partition.0.to_be_bytes());
        bytes.extend_from_slice(&self.before.0.to_be_bytes());
        bytes.extend_from_slice(&self.filters.0.to_be_bytes());
        f.write_str(&opaque::seal(bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = opaque::open(text).ok_or(InvalidCursor)?;
        let (version, rest) = bytes.split_first().ok_or(InvalidCursor)?;
        let (topic_id, rest) = rest.split_first_chunk().ok_or(InvalidCursor)?;
        let (partition, rest) = rest.split_first_chunk().ok_or(InvalidCursor)?;
        let (before, rest) = rest.split_first_chunk().ok_or(InvalidCursor)?;
        let filters = rest.try_into().map_err(|_| InvalidCursor)?;
        let cursor = Self {
            topic_id: TopicId(Uuid::from_bytes(*topic_id)),
            partition: Partition(i32::from_be_bytes(*partition)),
            before: Offset(i64::from_be_bytes(*before)),
            filters: Filters(u64::from_be_bytes(filters)),
        };
        let is_plausible = cursor.partition.0 >= 0 && cursor.before.0 >= 0;
        if *version != VERSION || !is_plausible {
            return Err(InvalidCursor);
        }
        Ok(cursor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(topic: u128, partition: i32, before: i64, filter: &str) -> Cursor {
        Cursor {
            topic_id: TopicId(Uuid::from_u128(topic)),
            partition: Partition(partition),
            before: Offset(before),
            filters: Filters::of([Some(filter), None]),
        }
    }

    proptest! {
        #[test]
        fn survives_its_text(topic: u128, partition in 0..i32::MAX, before in 0..i64::MAX, filter in ".*") {
            let cursor = cursor(topic, partition, before, &filter);
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_other_character_is_noticed(at in 0usize..54, with in "[A-Za-z0-9_-]") {
            let text = cursor(7, 3, 42, "unread").to_string();
            let mut other = text.clone();
            other.replace_range(at..=at, &with);
            prop_assume!(other != text);
            prop_assert_eq!(other.parse::<Cursor>(), Err(InvalidCursor));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = text.parse::<Cursor>();
        }
    }

    #[test]
    fn other_filters_have_another_hash() {
        let all = [
            Filters::of([Some("a"), None]),
            Filters::of([None, Some("a")]),
            Filters::of([Some("a"), Some("")]),
            Filters::of([Some(""), Some("a")]),
            Filters::of([None, None]),
        ];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one == other, i == j, "{i} {j}");
            }
        }
    }
}
