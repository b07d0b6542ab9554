//! The users directory: what a record of the compacted users topic says.

use crate::{Headers, Record, Timestamp, User, UserId};

/// The reserved key of the record that describes the layout of the topics. `$` is in no user id.
pub const LAYOUT_KEY: &str = "$layout";

/// A change of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryChange {
    /// The user exists and has this name.
    Present(User),
    /// The user is gone.
    Removed(UserId),
}

impl DirectoryChange {
    /// Reads a record of the users topic; `None` where it names no user or makes no sense.
    pub fn decode(record: &Record) -> Option<Self> {
        let key = std::str::from_utf8(record.key.as_deref()?).ok()?;
        let id: UserId = key.parse().ok()?;
        let Some(value) = &record.value else {
            return Some(Self::Removed(id));
        };
        let user: User = serde_json::from_slice(value).ok()?;
        (user.id == id).then_some(Self::Present(user))
    }

    /// The record that says this.
    ///
    /// # Errors
    /// Never for texts; the error is that of the JSON writer.
    pub fn to_record(&self, timestamp: Timestamp) -> Result<Record, serde_json::Error> {
        let (id, value) = match self {
            Self::Present(user) => (&user.id, Some(serde_json::to_vec(user)?.into())),
            Self::Removed(id) => (id, None),
        };
        Ok(Record { key: Some(id.to_bytes()), value, headers: Headers::default(), timestamp })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_change_survives_its_record(
            id in "[A-Za-z0-9._:@-]{1,128}|[0-9]{1,20}",
            name in proptest::option::of(".*"),
        ) {
            let id: UserId = id.parse().unwrap();
            let change = match name {
                Some(name) => DirectoryChange::Present(User { id, name }),
                None => DirectoryChange::Removed(id),
            };
            let record = change.to_record(Timestamp::from_ms_clamped(0)).unwrap();
            prop_assert_eq!(DirectoryChange::decode(&record), Some(change));
        }
    }

    #[test]
    fn what_names_no_user_is_no_change() {
        let record = |key: Option<&str>, value: &str| Record {
            key: key.map(|key| key.to_owned().into()),
            value: Some(value.to_owned().into()),
            headers: Headers::default(),
            timestamp: Timestamp::from_ms_clamped(0),
        };
        for (key, value) in [
            (Some(LAYOUT_KEY), r#"{"format":1}"#),
            (None, r#"{"id":1,"name":"Emma"}"#),
            (Some("2"), r#"{"id":1,"name":"Emma"}"#),
            (Some("1"), r#"{"id":1}"#),
            (Some("1"), "Emma"),
        ] {
            assert_eq!(DirectoryChange::decode(&record(key, value)), None, "{key:?} {value}");
        }
    }
}
