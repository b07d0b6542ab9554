//! Events: what a record says.

use crate::cloud_event::Attributes;
use crate::command::{ChangedParts, read_changed, read_erased};
use crate::{
    Changed, Erased, Fingerprint, Notification, NotificationId, Place, Record, TYPE_CHANGED,
    TYPE_ERASED, TYPE_SENT, Timestamp, Undecodable, UserId,
};

/// What a record of the notifications topic says.
///
/// Exhaustive on purpose: whoever folds events has to say what each kind does.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A notification was sent.
    Sent(Sent),
    /// Something was done to notifications of one inbox.
    Changed(Changed),
    /// All of an inbox is gone.
    Erased(Erased),
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
        let attributes = Attributes::of(record);
        let event = attributes.cloud_event()?;
        let kind = event.as_ref().map_or(TYPE_SENT, |event| event.kind);
        let id = || match &event {
            Some(event) => event.event_id(user_id),
            None => NotificationId::of_place(place),
        };
        let time = event.as_ref().and_then(|event| event.time).unwrap_or(record.timestamp);
        let fingerprint = attributes.fingerprint.map(Fingerprint::of);
        match kind {
            TYPE_SENT => {
                let notification = read_notification(record, user_id)?;
                Ok(Self::Sent(Sent { id: id(), created_at: time, notification, fingerprint }))
            }
            TYPE_CHANGED => {
                let ChangedParts { selection, change, reason } = read_changed(record)?;
                let (id, user_id, changed_at) = (id(), user_id.clone(), time);
                let changed =
                    Changed { id, user_id, changed_at, selection, change, reason, fingerprint };
                Ok(Self::Changed(changed))
            }
            TYPE_ERASED => {
                let before = read_erased(record)?;
                let (id, user_id, erased_at) = (id(), user_id.clone(), time);
                Ok(Self::Erased(Erased { id, user_id, erased_at, before, fingerprint }))
            }
            _ => Err(Undecodable::UnknownType(shortened(kind))),
        }
    }

    /// The event's own id: the same one twice is the same event twice.
    pub fn id(&self) -> NotificationId {
        match self {
            Self::Sent(sent) => sent.id,
            Self::Changed(changed) => changed.id,
            Self::Erased(erased) => erased.id,
        }
    }

    /// Whose inbox it is about.
    pub fn user_id(&self) -> &UserId {
        match self {
            Self::Sent(sent) => &sent.notification.to.id,
            Self::Changed(changed) => &changed.user_id,
            Self::Erased(erased) => &erased.user_id,
        }
    }

    /// Of the request, where it was sent with an Idempotency-Key.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Sent(sent) => sent.fingerprint,
            Self::Changed(changed) => changed.fingerprint,
            Self::Erased(erased) => erased.fingerprint,
        }
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
