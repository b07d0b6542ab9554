//! Cursors of the list of users.

use std::fmt;
use std::str::FromStr;

use crate::{InvalidCursor, UserId, opaque};

/// Where the next page of users begins: behind this id.
///
/// As text it is opaque: base64url over a byte that tells it from other cursors, the id, and a CRC-32C
/// of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersCursor {
    /// The last id of the page before.
    pub after: UserId,
}

/// The cursors of inboxes begin with their version, 1.
const KIND: u8 = b'u';

impl fmt::Display for UsersCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![KIND];
        bytes.extend_from_slice(self.after.as_str().as_bytes());
        f.write_str(&opaque::seal(bytes))
    }
}

impl FromStr for UsersCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = opaque::open(text).ok_or(InvalidCursor)?;
        let Some((&KIND, id)) = bytes.split_first() else { return Err(InvalidCursor) };
        let id = std::str::from_utf8(id).map_err(|_| InvalidCursor)?;
        Ok(Self { after: id.parse().map_err(|_| InvalidCursor)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{Cursor, Filters, Offset, Partition, Position, TopicId};

    proptest! {
        #[test]
        fn survives_its_text(id in "[A-Za-z0-9._:@-]{1,128}") {
            let cursor = UsersCursor { after: id.parse().unwrap() };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_other_character_is_noticed(at in 0usize..15, with in "[A-Za-z0-9_-]") {
            let text = UsersCursor { after: "emma.1".parse().unwrap() }.to_string();
            let mut other = text.clone();
            other.replace_range(at..=at, &with);
            prop_assume!(other != text);
            prop_assert_eq!(other.parse::<UsersCursor>(), Err(InvalidCursor));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<UsersCursor>();
        }
    }

    #[test]
    fn other_opaque_texts_are_none() {
        let topic_id = TopicId(Uuid::from_u128(1));
        let (partition, before) = (Partition(1), Offset(1));
        let cursor = Cursor { topic_id, partition, before, filters: Filters::of([None]) };
        let position = Position { topic_id, partition, next_offset: before };
        for text in [cursor.to_string(), position.to_string(), opaque::seal(b"ua b".to_vec())] {
            assert_eq!(text.parse::<UsersCursor>(), Err(InvalidCursor), "{text}");
        }
        let text = UsersCursor { after: "1".parse().unwrap() }.to_string();
        assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor));
    }
}
