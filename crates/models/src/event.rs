//! Events: what a record says.

use crate::record::{OWN_SOURCE, header};
use crate::{Notification, NotificationId, Place, Record, TYPE_SENT, Timestamp, UserId};

/// What a record of the notifications topic says.
///
/// Exhaustive on purpose: whoever folds events has to say what each kind does.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A notification was sent.
    Sent(Sent),
}

/// A notification was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The notification's id; the event's too.
    pub id: NotificationId,
    /// When it was sent: `ce_time`, or the record's timestamp where there is none.
    pub created_at: Timestamp,
    /// What was sent.
    pub notification: Notification,
}

/// Why a record says nothing that can be folded into an inbox. The texts hold no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecodable {
    /// Without a key a record is in nobody's inbox.
    #[error("the record has no key")]
    NoKey,
    /// The key is no user id.
    #[error("the record's key is no user id")]
    KeyIsNoUserId,
    /// A tombstone says nothing in a topic that is not compacted.
    #[error("the record has no value")]
    NoValue,
    /// The value is not the JSON of a notification; line and column where reading stopped.
    #[error("the record's value is no notification (line {line}, column {column})")]
    ValueIsNoNotification {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Key and value name different recipients.
    #[error("the record's key and its value name different recipients")]
    KeyAndValueDisagree,
    /// A CloudEvent without one of the attributes that name it.
    #[error("the CloudEvent has no usable {0} header")]
    Attribute(&'static str),
    /// A type this program does not know; a later one may.
    #[error("the record's type {0:?} is not known to this version")]
    UnknownType(String),
}

impl Undecodable {
    /// A short name for metrics and headers.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::KeyIsNoUserId => "key_is_no_user_id",
            Self::NoValue => "no_value",
            Self::ValueIsNoNotification { .. } => "value_is_no_notification",
            Self::KeyAndValueDisagree => "key_and_value_disagree",
            Self::Attribute(_) => "cloudevent_attribute_missing",
            Self::UnknownType(_) => "unknown_type",
        }
    }
}

impl Event {
    /// Reads what a record says. The same record at the same place always gives the same event.
    ///
    /// A record without any `ce_*` header is a plain tutorial notification.
    ///
    /// # Errors
    /// [`Undecodable`], with the reason.
    pub fn decode(record: &Record, place: Place) -> Result<Self, Undecodable> {
        let event = CloudEvent::read(record)?;
        if let Some(event) = event.as_ref().filter(|event| event.kind != TYPE_SENT) {
            return Err(Undecodable::UnknownType(shortened(event.kind)));
        }
        let notification = read_notification(record)?;
        let id = match &event {
            Some(event) => event.event_id(&notification.to.id),
            None => NotificationId::of_place(place),
        };
        let created_at = event.and_then(|event| event.time).unwrap_or(record.timestamp);
        Ok(Self::Sent(Sent { id, created_at, notification }))
    }
}

fn read_notification(record: &Record) -> Result<Notification, Undecodable> {
    let key = record.key.as_deref().ok_or(Undecodable::NoKey)?;
    let user_id: UserId = std::str::from_utf8(key)
        .ok()
        .and_then(|key| key.parse().ok())
        .ok_or(Undecodable::KeyIsNoUserId)?;
    let value = record.value.as_deref().ok_or(Undecodable::NoValue)?;
    let notification: Notification = serde_json::from_slice(value)
        .map_err(|e| Undecodable::ValueIsNoNotification { line: e.line(), column: e.column() })?;
    if notification.to.id != user_id {
        return Err(Undecodable::KeyAndValueDisagree);
    }
    Ok(notification)
}

/// The attributes that matter here.
struct CloudEvent<'a> {
    kind: &'a str,
    id: &'a str,
    source: &'a str,
    time: Option<Timestamp>,
}

impl<'a> CloudEvent<'a> {
    fn read(record: &'a Record) -> Result<Option<Self>, Undecodable> {
        if !record.headers.keys().any(|k| k.starts_with(header::PREFIX)) {
            return Ok(None);
        }
        let text = |name: &str| {
            let value = record.headers.get(name)?;
            std::str::from_utf8(value).ok().filter(|v| !v.is_empty())
        };
        let required = |name| text(name).ok_or(Undecodable::Attribute(name));
        Ok(Some(Self {
            kind: required(header::TYPE)?,
            id: required(header::ID)?,
            source: required(header::SOURCE)?,
            time: text(header::TIME).and_then(|time| time.parse().ok()),
        }))
    }

    fn event_id(&self, recipient: &UserId) -> NotificationId {
        match self.id.parse() {
            Ok(id) if self.source == OWN_SOURCE => id,
            _ => NotificationId::of_foreign_event(self.source, self.id, recipient),
        }
    }
}

/// A foreign type name may be of any length; a log line and a header may not.
fn shortened(kind: &str) -> String {
    kind.chars().take(100).collect()
}
