//! Ids of notifications and other events.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::{IdempotencyKey, Place, UserId};

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
/// Namespace of the ids made of idempotency keys. Changing it sends twice what is retried meanwhile.
const KEYS: Uuid = Uuid::from_u128(0xb1f2_7a0c_77c4_4d0f_8f5e_23a9_60d1_4e55);
/// Namespace of the ids of the ends of notifications that expired. Changing it repeats such ends,
/// which changes nothing.
const EXPIRIES: Uuid = Uuid::from_u128(0x43c8_5a5d_92f1_4c7b_b6a0_1d7d_0e63_fa12);

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

    /// The id of what was sent with an idempotency key: the same sender, key and recipient are the
    /// same notification.
    pub fn of_key(sender: &str, key: &IdempotencyKey, recipient: &UserId) -> Self {
        let key = key.as_str();
        let name = format!("{}:{sender}{}:{key}{recipient}", sender.len(), key.len());
        Self(Uuid::new_v5(&KEYS, name.as_bytes()))
    }

    /// The id of a record without an id of its own: its place.
    pub fn of_place(place: Place) -> Self {
        Self(Uuid::new_v5(&PLAIN_RECORDS, &bytes_of(place)))
    }

    /// The id of the event that ends this notification because it expired. The place is a part of it,
    /// because a copy that retention lets be shown again expires again.
    pub fn of_expiry(id: Self, place: Place) -> Self {
        let name = [id.as_bytes().as_slice(), &bytes_of(place)].concat();
        Self(Uuid::new_v5(&EXPIRIES, &name))
    }

    /// Whether ids of its kind sort by when they were made: version 7.
    pub fn sorts_by_time(&self) -> bool {
        self.0.get_version_num() == 7
    }

    /// The id's 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id as a UUID is written.
    pub(crate) fn to_text(self) -> [u8; 36] {
        let mut text = [0; 36];
        self.0.hyphenated().encode_lower(&mut text);
        text
    }

    /// The id with these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

fn bytes_of(place: Place) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    bytes.extend_from_slice(place.topic_id.0.as_bytes());
    bytes.extend_from_slice(&place.partition.0.to_be_bytes());
    bytes.extend_from_slice(&place.offset.0.to_be_bytes());
    bytes
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

impl Serialize for NotificationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NotificationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
