//! The attributes of a CloudEvent.

use crate::record::{OWN_SOURCE, header};
use crate::{NotificationId, Record, Timestamp, Undecodable, UserId};

/// The attributes that matter here.
pub(crate) struct CloudEvent<'a> {
    pub(crate) kind: &'a str,
    pub(crate) time: Option<Timestamp>,
    id: &'a str,
    source: &'a str,
}

impl<'a> CloudEvent<'a> {
    /// None for a record without any `ce_*` header.
    pub(crate) fn read(record: &'a Record) -> Result<Option<Self>, Undecodable> {
        if !Self::is_one(record) {
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

    pub(crate) fn is_one(record: &Record) -> bool {
        record.headers.keys().any(|name| name.starts_with(header::PREFIX))
    }

    pub(crate) fn event_id(&self, recipient: &UserId) -> NotificationId {
        match self.id.parse() {
            Ok(id) if self.source == OWN_SOURCE => id,
            _ => NotificationId::of_foreign_event(self.source, self.id, recipient),
        }
    }
}
