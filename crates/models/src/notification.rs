//! Notifications.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{RawJson, Timestamp, User, UserId};

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

    /// A notification of nothing but a text.
    pub fn of(from: Sender, to: User, message: String) -> Self {
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

    /// As the value of a record.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        // Room for most, so that what is written is not moved while it grows.
        let mut json = Vec::with_capacity(self.message.len() + 200);
        serde_json::to_writer(&mut json, self)?;
        Ok(json)
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
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
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
