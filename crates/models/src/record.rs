//! Records: what a partition holds.

use bytes::Bytes;

use crate::{Headers, NotificationId, Sent, Timestamp, Undecodable, UserId};

/// `ce_type` of a notification that was sent.
pub const TYPE_SENT: &str = "kafka-notify.notification.sent.v1";

/// `ce_type` of a change of notifications.
pub const TYPE_CHANGED: &str = "kafka-notify.notification.changed.v1";
/// `ce_type` of the end of an inbox.
pub const TYPE_ERASED: &str = "kafka-notify.inbox.erased.v1";

/// `ce_source` of the records that kafka-notify itself writes; their `ce_id` is the event's id.
pub(crate) const OWN_SOURCE: &str = "kafka-notify";

/// Names of headers.
pub(crate) mod header {
    // The CloudEvents Kafka binding, binary content mode (version 1.0.2, section 3.2).
    pub(crate) const PREFIX: &str = "ce_";
    pub(crate) const SPEC_VERSION: &str = "ce_specversion";
    pub(crate) const ID: &str = "ce_id";
    pub(crate) const TYPE: &str = "ce_type";
    pub(crate) const SOURCE: &str = "ce_source";
    pub(crate) const TIME: &str = "ce_time";
    pub(crate) const CONTENT_TYPE: &str = "content-type";
    // Our own.
    pub(crate) const FINGERPRINT: &str = "notify_fingerprint";
    pub(crate) const RELAYED_FROM: &str = "notify_relayed_from";
}

/// A record without its place: key, value, headers and time, as a producer gives them. Its bytes may
/// be a part of what it was fetched with, and keep all of that in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The recipient's user id.
    pub key: Option<Bytes>,
    /// The data; none is a tombstone.
    pub value: Option<Bytes>,
    /// Attributes.
    pub headers: Headers,
    /// The producer's time (CreateTime).
    pub timestamp: Timestamp,
}

impl Record {
    /// The record that says this. Without a fingerprint, whose text [`Sent`] does not keep:
    /// [`Self::with_fingerprint`] adds it.
    ///
    /// # Errors
    /// Never for a notification made of texts and ids; the error is that of the JSON writer.
    pub fn of_sent(sent: &Sent) -> Result<Self, serde_json::Error> {
        Ok(Self {
            key: Some(sent.notification.to.id.to_bytes()),
            value: Some(sent.notification.to_json()?.into()),
            headers: own_attributes(sent.id, TYPE_SENT, sent.created_at),
            timestamp: sent.created_at,
        })
    }

    /// The same for a request with an Idempotency-Key; the text is one that only the same request
    /// has.
    #[must_use]
    pub fn with_fingerprint(mut self, text: &str) -> Self {
        self.headers.set(header::FINGERPRINT, text);
        self
    }

    /// Whose inbox the record is about.
    ///
    /// # Errors
    /// [`Undecodable::NoKey`], [`Undecodable::KeyIsNoUserId`].
    pub fn user_id(&self) -> Result<UserId, Undecodable> {
        let key = self.key.as_deref().ok_or(Undecodable::NoKey)?;
        let key = std::str::from_utf8(key).map_err(|_| Undecodable::KeyIsNoUserId)?;
        key.parse().map_err(|_| Undecodable::KeyIsNoUserId)
    }

    /// Bytes of key, value and headers: what [`crate::MAX_RECORD_BYTES`] bounds.
    pub fn size_bytes(&self) -> usize {
        let part = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        part(&self.key) + part(&self.value) + self.headers.size_bytes()
    }
}

/// The attributes of an event of our own.
pub(crate) fn own_attributes(id: NotificationId, kind: &str, time: Timestamp) -> Headers {
    Headers::of(&[
        (header::SPEC_VERSION, b"1.0"),
        (header::ID, &id.to_text()),
        (header::TYPE, kind.as_bytes()),
        (header::SOURCE, OWN_SOURCE.as_bytes()),
        (header::TIME, &time.to_text()),
        (header::CONTENT_TYPE, b"application/json"),
    ])
}
