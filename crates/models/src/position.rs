//! Positions: the one currency of acks, pages, stream events and retries.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Offset, Partition, Place, TopicId, opaque};

/// "Everything of this partition below `next_offset`."
///
/// As text it is opaque: 44 characters of base64url (RFC 4648, section 5) over a version byte, the
/// topic id, the partition, the offset (big endian) and a CRC-32C of all that. The sum tells a
/// damaged or guessed position from a real one. It is no signature: whoever computes it names
/// another place of the partition they may read anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The life of the topic.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: Partition,
    /// The first offset that is not included.
    pub next_offset: Offset,
}

/// The text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position: it must be one that this service gave out, unchanged")]
pub struct InvalidPosition;

const VERSION: u8 = 1;

impl Position {
    /// The position right behind a record: everything up to it, itself included.
    pub fn after(place: Place) -> Self {
        Self {
            topic_id: place.topic_id,
            partition: place.partition,
            next_offset: place.offset.next(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.topic_id.0.as_bytes());
        bytes.extend_from_slice(&self.partition.0.to_be_bytes());
        bytes.extend_from_slice(&self.next_offset.0.to_be_bytes());
        f.write_str(&opaque::seal(bytes))
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let bytes = opaque::open(text).ok_or(InvalidPosition)?;
        let (version, rest) = bytes.split_first().ok_or(InvalidPosition)?;
        let (topic_id, rest) = rest.split_first_chunk().ok_or(InvalidPosition)?;
        let (partition, rest) = rest.split_first_chunk().ok_or(InvalidPosition)?;
        let next_offset = rest.try_into().map_err(|_| InvalidPosition)?;
        let position = Self {
            topic_id: TopicId(Uuid::from_bytes(*topic_id)),
            partition: Partition(i32::from_be_bytes(*partition)),
            next_offset: Offset(i64::from_be_bytes(next_offset)),
        };
        let plausible = position.partition.0 >= 0 && position.next_offset.0 >= 0;
        if *version != VERSION || !plausible {
            return Err(InvalidPosition);
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position(topic: u128, partition: i32, next_offset: i64) -> Position {
        Position {
            topic_id: TopicId(Uuid::from_u128(topic)),
            partition: Partition(partition),
            next_offset: Offset(next_offset),
        }
    }

    proptest! {
        #[test]
        fn survives_its_text(topic: u128, partition in 0..i32::MAX, offset in 0..i64::MAX) {
            let position = position(topic, partition, offset);
            let text = position.to_string();
            prop_assert_eq!(text.len(), 44);
            prop_assert_eq!(text.parse(), Ok(position));
        }

        #[test]
        fn any_other_character_is_noticed(at in 0usize..44, with in "[A-Za-z0-9_-]") {
            let text = position(7, 3, 42).to_string();
            let mut other = text.clone();
            other.replace_range(at..=at, &with);
            prop_assume!(other != text);
            prop_assert_eq!(other.parse::<Position>(), Err(InvalidPosition));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn negative_places_are_refused() {
        for bad in [position(1, -1, 0), position(1, 0, -1)] {
            assert_eq!(bad.to_string().parse::<Position>(), Err(InvalidPosition));
        }
    }
}
