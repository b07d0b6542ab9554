//! Records: what a partition holds.

use std::collections::BTreeMap;

use crate::{Sent, Timestamp};

/// `ce_type` of a notification that was sent.
pub const TYPE_SENT: &str = "kafka-notify.notification.sent.v1";

/// `ce_source` of the records that kafka-notify itself writes; their `ce_id` is the event's id.
pub(crate) const OWN_SOURCE: &str = "kafka-notify";

/// Headers of the CloudEvents Kafka binding, binary content mode (version 1.0.2, section 3.2).
pub(crate) mod header {
    pub(crate) const PREFIX: &str = "ce_";
    pub(crate) const SPEC_VERSION: &str = "ce_specversion";
    pub(crate) const ID: &str = "ce_id";
    pub(crate) const TYPE: &str = "ce_type";
    pub(crate) const SOURCE: &str = "ce_source";
    pub(crate) const TIME: &str = "ce_time";
    pub(crate) const CONTENT_TYPE: &str = "content-type";
}

/// A record without its place: key, value, headers and time, as a producer gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The recipient's user id.
    pub key: Option<Vec<u8>>,
    /// The data; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Attributes. Where a header occurs twice the last one counts; a null value reads as empty.
    pub headers: BTreeMap<String, Vec<u8>>,
    /// The producer's time (CreateTime).
    pub timestamp: Timestamp,
}

impl Record {
    /// The record that says this.
    ///
    /// # Errors
    /// Never for a notification made of texts and ids; the error is that of the JSON writer.
    pub fn of_sent(sent: &Sent) -> Result<Self, serde_json::Error> {
        let time = sent.created_at.to_string();
        let id = sent.id.to_string();
        let headers = [
            (header::SPEC_VERSION, "1.0"),
            (header::ID, id.as_str()),
            (header::TYPE, TYPE_SENT),
            (header::SOURCE, OWN_SOURCE),
            (header::TIME, time.as_str()),
            (header::CONTENT_TYPE, "application/json"),
        ];
        Ok(Self {
            key: Some(sent.notification.to.id.as_str().into()),
            value: Some(serde_json::to_vec(&sent.notification)?),
            headers: headers.map(|(name, value)| (name.to_owned(), value.into())).into(),
            timestamp: sent.created_at,
        })
    }

    /// Bytes of key, value and headers: what [`crate::MAX_RECORD_BYTES`] bounds.
    pub fn size_bytes(&self) -> usize {
        let part = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(k, v)| k.len() + v.len()).sum();
        part(&self.key) + part(&self.value) + headers
    }
}
