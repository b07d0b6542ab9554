//! Users and their ids.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest user id, in bytes (an id is ASCII, so also in characters).
///
/// Larger, and a key in the store outgrows its one-byte length; smaller, and e-mail addresses no
/// longer fit.
pub const MAX_USER_ID_BYTES: usize = 128;

/// The largest integer a JSON reader that keeps numbers as doubles still tells from its
/// neighbours: 2^53 - 1 (RFC 8259, section 6).
const MAX_EXACT_INTEGER: u64 = (1 << 53) - 1;

/// A user: an id and the name to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id; also the key of every record in this user's inbox.
    pub id: UserId,
    /// The name to show.
    pub name: String,
}

/// The users a new installation starts with: those of the tutorial.
pub fn seed_users() -> Vec<User> {
    [(1, "Emma"), (2, "Bruno"), (3, "Rick"), (4, "Lena")]
        .map(|(id, name)| User { id: UserId::from_integer(id), name: name.to_owned() })
        .into()
}

/// A user id: 1 to 128 characters from `A-Z a-z 0-9 . _ : @ -`.
///
/// In JSON an id that is a canonical decimal integer of at most 2^53 - 1 is written as a number,
/// as the tutorial does, and every other id as a string. Both forms are read.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Box<str>);

/// Why a text is no user id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUserId {
    /// No characters at all.
    #[error("a user id is not empty")]
    Empty,
    /// More than [`MAX_USER_ID_BYTES`].
    #[error("a user id has at most {MAX_USER_ID_BYTES} characters, this one has {0}")]
    TooLong(usize),
    /// A character that is not allowed.
    #[error("a user id has only characters from A-Z a-z 0-9 . _ : @ -, not {0:?}")]
    Character(char),
}

impl UserId {
    /// The id of a user that the tutorial knows by an integer.
    pub fn from_integer(id: i64) -> Self {
        // Decimal digits and a leading minus are all in the alphabet.
        Self(id.to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the key of a record.
    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.0.as_bytes())
    }

    /// The id as the number that JSON shows for it, if it is one.
    pub fn as_integer(&self) -> Option<u64> {
        let bytes = self.0.as_bytes();
        let canonical = match bytes {
            [b'0'] => true,
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        // 16 digits hold 2^53 - 1; the length check keeps the parse from overflowing.
        if !canonical || bytes.len() > 16 {
            return None;
        }
        self.0.parse().ok().filter(|n| *n <= MAX_EXACT_INTEGER)
    }
}

impl FromStr for UserId {
    type Err = InvalidUserId;

    fn from_str(text: &str) -> Result<Self, InvalidUserId> {
        if text.is_empty() {
            return Err(InvalidUserId::Empty);
        }
        if text.len() > MAX_USER_ID_BYTES {
            return Err(InvalidUserId::TooLong(text.chars().count()));
        }
        let allowed =
            |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '@' | '-');
        match text.chars().find(|c| !allowed(c)) {
            Some(c) => Err(InvalidUserId::Character(c)),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({})", self.0)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_integer() {
            Some(number) => serializer.serialize_u64(number),
            None => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UserIdVisitor)
    }
}

struct UserIdVisitor;

impl de::Visitor<'_> for UserIdVisitor {
    type Value = UserId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user id: a string, or an integer from 0 to 9007199254740991")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<UserId, E> {
        if number > MAX_EXACT_INTEGER {
            return Err(E::invalid_value(de::Unexpected::Unsigned(number), &self));
        }
        Ok(UserId(number.to_string().into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<UserId, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_integers_are_numbers_in_json_and_all_else_is_a_string() {
        for (id, json) in [
            ("1", "1"),
            ("0", "0"),
            ("9007199254740991", "9007199254740991"),
            ("9007199254740992", r#""9007199254740992""#),
            ("99999999999999999999", r#""99999999999999999999""#),
            ("01", r#""01""#),
            ("-1", r#""-1""#),
            ("1.5", r#""1.5""#),
            ("alice@example.org", r#""alice@example.org""#),
        ] {
            let id: UserId = id.parse().unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), json);
            assert_eq!(serde_json::from_str::<UserId>(json).unwrap(), id);
        }
    }

    #[test]
    fn bad_ids_are_refused_with_their_reason() {
        for (id, error) in [
            (String::new(), InvalidUserId::Empty),
            ("a".repeat(129), InvalidUserId::TooLong(129)),
            ("a b".into(), InvalidUserId::Character(' ')),
            ("a/b".into(), InvalidUserId::Character('/')),
            ("é".into(), InvalidUserId::Character('é')),
            ("a\0".into(), InvalidUserId::Character('\0')),
        ] {
            assert_eq!(id.parse::<UserId>(), Err(error), "{id:?}");
        }
        for json in ["-1", "1.5", "9007199254740992", "null", "true", "[]", "{}"] {
            assert!(serde_json::from_str::<UserId>(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_id_survives_json(text in "[A-Za-z0-9._:@-]{1,128}|[0-9]{1,20}") {
            let id: UserId = text.parse().unwrap();
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<UserId>(&json).unwrap(), id);
        }
    }
}
