//! Events: what a record says.

use crate::cloud_event::CloudEvent;
use crate::record::header;
use crate::{
    Fingerprint, Notification, NotificationId, Place, Record, TYPE_SENT, Timestamp, Undecodable,
    UserId,
};

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
    /// Of the request, where it was sent with an Idempotency-Key.
    pub fingerprint: Option<Fingerprint>,
}

impl Event {
    /// Reads what a record says. The same record at the same place always gives the same event.
    ///
    /// A record without any `ce_*` header is a plain tutorial notification.
    ///
    /// # Errors
    /// [`Undecodable`], with the reason.
    pub fn decode(record: &Record, place: Place) -> Result<Self, Undecodable> {
        Self::decode_for(&record.user_id()?, record, place)
    }

    /// The same for who has read the key already.
    ///
    /// # Errors
    /// [`Undecodable`], with the reason.
    pub fn decode_for(
        user_id: &UserId,
        record: &Record,
        place: Place,
    ) -> Result<Self, Undecodable> {
        let event = CloudEvent::read(record)?;
        if let Some(event) = event.as_ref().filter(|event| event.kind != TYPE_SENT) {
            return Err(Undecodable::UnknownType(shortened(event.kind)));
        }
        let notification = read_notification(record, user_id)?;
        let id = match &event {
            Some(event) => event.event_id(user_id),
            None => NotificationId::of_place(place),
        };
        let created_at = event.and_then(|event| event.time).unwrap_or(record.timestamp);
        let fingerprint = record.headers.get(header::FINGERPRINT);
        let fingerprint = fingerprint.map(|header| Fingerprint::of(header));
        Ok(Self::Sent(Sent { id, created_at, notification, fingerprint }))
    }

    /// The event's own id: the same one twice is the same event twice.
    pub fn id(&self) -> NotificationId {
        let Self::Sent(sent) = self;
        sent.id
    }

    /// Whose inbox it is about.
    pub fn user_id(&self) -> &UserId {
        let Self::Sent(sent) = self;
        &sent.notification.to.id
    }
}

fn read_notification(record: &Record, user_id: &UserId) -> Result<Notification, Undecodable> {
    let value = record.value.as_deref().ok_or(Undecodable::NoValue)?;
    let notification: Notification = serde_json::from_slice(value)
        .map_err(|e| Undecodable::ValueIsNoNotification { line: e.line(), column: e.column() })?;
    if notification.to.id != *user_id {
        return Err(Undecodable::KeyAndValueDisagree);
    }
    Ok(notification)
}

/// A foreign type name may be of any length; a log line and a header may not.
fn shortened(kind: &str) -> String {
    kind.chars().take(100).collect()
}
