//! Notifications.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Place, RawJson, Timestamp, User, UserId};

/// The largest record, in bytes: key, value and headers.
///
/// Larger, and a broker with Kafka's default `message.max.bytes` (1,048,588) refuses the request
/// it travels in.
pub const MAX_RECORD_BYTES: usize = 900_000;

/// A notification as it is said: the value of a record, and the object that the tutorial's routes
/// show. Fields beyond the tutorial's three appear only where they were given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Who sent it.
    pub from: Sender,
    /// Whose inbox it is in.
    pub to: User,
    /// The text.
    pub message: String,
    /// A headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where it leads: http(s), or relative to the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Labels to filter by.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
    /// How urgent it is.
    #[serde(
        default,
        skip_serializing_if = "Priority::is_default",
        deserialize_with = "null_is_default"
    )]
    pub priority: Priority,
    /// Whatever the sender's application attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<RawJson>,
    /// From when on it is no longer shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Who sent a notification: a user, or a service that is none and has only a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The user's id, if it is a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    /// The name to show.
    pub name: String,
}

impl Notification {
    /// A notification as the tutorial has it: two users and a text.
    pub fn plain(from: User, to: User, message: String) -> Self {
        Self::of(Sender { id: Some(from.id), name: from.name }, to, message)
    }

    fn of(from: Sender, to: User, message: String) -> Self {
        Self {
            from,
            to,
            message,
            title: None,
            url: None,
            tags: Vec::new(),
            priority: Priority::default(),
            data: None,
            expires_at: None,
        }
    }

    /// The same without what the tutorial does not have.
    pub fn into_plain(self) -> Self {
        Self::of(self.from, self.to, self.message)
    }

    /// Whether it has nothing but the tutorial's three fields.
    pub fn is_plain(&self) -> bool {
        self.title.is_none()
            && self.url.is_none()
            && self.tags.is_empty()
            && self.priority.is_default()
            && self.data.is_none()
            && self.expires_at.is_none()
    }
}

/// A field that a record sets to null is a field it leaves out.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// How urgent a notification is, from 1 (lowest) to 5; 3 where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct Priority(u8);

/// The number is no priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a priority is a number from 1 to 5, not {0}")]
pub struct InvalidPriority(u8);

impl Priority {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(3)
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

impl TryFrom<u8> for Priority {
    type Error = InvalidPriority;

    fn try_from(number: u8) -> Result<Self, InvalidPriority> {
        match number {
            1..=5 => Ok(Self(number)),
            _ => Err(InvalidPriority(number)),
        }
    }
}

/// A notification's id: a UUID (RFC 9562).
///
/// Made once, before the first try to append the record, so that every copy a retry appends has
/// the same one and the inbox shows it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotificationId(Uuid);

/// Namespace of the ids of foreign CloudEvents. Changing it shows every such event twice.
const FOREIGN_EVENTS: Uuid = Uuid::from_u128(0x6f0a_91f6_0d5c_4e0b_9b0e_6b1d_8a54_20c1);
/// Namespace of the ids of plain records. Changing it shows every such record twice.
const PLAIN_RECORDS: Uuid = Uuid::from_u128(0x2d6d_7a0e_31a4_4b52_a1c8_5f7e_94b3_0d76);

impl NotificationId {
    /// A new id: version 7, so ids made later sort later.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of a CloudEvent from elsewhere: `source` and `id` together name an event
    /// (CloudEvents 1.0, "id"), so its copies share this id. One event may go to several inboxes,
    /// and is a notification in each.
    pub fn of_foreign_event(source: &str, id: &str, recipient: &UserId) -> Self {
        // The lengths keep ("a", "bc") and ("ab", "c") apart.
        let name = format!("{}:{source}{}:{id}{recipient}", source.len(), id.len());
        Self(Uuid::new_v5(&FOREIGN_EVENTS, name.as_bytes()))
    }

    /// The id of a record without an id of its own: its place.
    pub fn of_place(place: Place) -> Self {
        let mut name = Vec::with_capacity(28);
        name.extend_from_slice(place.topic_id.0.as_bytes());
        name.extend_from_slice(&place.partition.0.to_be_bytes());
        name.extend_from_slice(&place.offset.0.to_be_bytes());
        Self(Uuid::new_v5(&PLAIN_RECORDS, &name))
    }

    /// The id's 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl Default for NotificationId {
    fn default() -> Self {
        Self::new()
    }
}

impl FromStr for NotificationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
