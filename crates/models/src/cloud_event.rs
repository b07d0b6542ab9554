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

/// The headers that matter here, each as it was written.
#[derive(Default)]
pub(crate) struct Attributes<'a> {
    pub(crate) fingerprint: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    is_cloud_event: bool,
}

impl<'a> Attributes<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut found = Self::default();
        for (name, value) in record.headers.iter() {
            let Ok(name) = std::str::from_utf8(name) else { continue };
            found.is_cloud_event |= name.starts_with(header::PREFIX);
            match name {
                header::TYPE => found.kind = Some(value),
                header::TIME => found.time = Some(value),
                header::ID => found.id = Some(value),
                header::SOURCE => found.source = Some(value),
                header::FINGERPRINT => found.fingerprint = Some(value),
                _ => {}
            }
        }
        found
    }

    /// None for a record without any `ce_*` header.
    pub(crate) fn cloud_event(&self) -> Result<Option<CloudEvent<'a>>, Undecodable> {
        if !self.is_cloud_event {
            return Ok(None);
        }
        let text = |value: Option<&'a [u8]>| {
            std::str::from_utf8(value?).ok().filter(|text| !text.is_empty())
        };
        let required = |value, name| text(value).ok_or(Undecodable::Attribute(name));
        Ok(Some(CloudEvent {
            kind: required(self.kind, header::TYPE)?,
            id: required(self.id, header::ID)?,
            source: required(self.source, header::SOURCE)?,
            time: text(self.time).and_then(|time| time.parse().ok()),
        }))
    }
}

impl CloudEvent<'_> {
    pub(crate) fn is_one(record: &Record) -> bool {
        Attributes::of(record).is_cloud_event
    }

    pub(crate) fn event_id(&self, recipient: &UserId) -> NotificationId {
        match self.id.parse() {
            Ok(id) if self.source == OWN_SOURCE => id,
            _ => NotificationId::of_foreign_event(self.source, self.id, recipient),
        }
    }
}
