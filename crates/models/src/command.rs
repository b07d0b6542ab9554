//! Commands: what a person did to an inbox.
//!
//! Their values are arrays of one element on purpose: the tutorial's own consumer, which decodes
//! every value into one struct, logs and skips them instead of showing blank notifications.

use serde::{Deserialize, Serialize};

use crate::record::own_attributes;
use crate::{
    Fingerprint, NotificationId, Offset, Record, TYPE_CHANGED, TYPE_ERASED, Timestamp, Undecodable,
    UserId,
};

/// Something was done to notifications of one inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The event's id.
    pub id: NotificationId,
    /// Whose inbox it is about.
    pub user_id: UserId,
    /// When: `ce_time`, or the record's timestamp where there is none.
    pub changed_at: Timestamp,
    /// To which notifications.
    pub selection: Selection,
    /// What was done.
    pub change: Change,
    /// Why, for whoever looks at the log: `user`, `expired`.
    pub reason: Option<String>,
    /// Of the request, where it was sent with an Idempotency-Key.
    pub fingerprint: Option<Fingerprint>,
}

/// All of an inbox is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The event's id.
    pub id: NotificationId,
    /// Whose inbox it is about.
    pub user_id: UserId,
    /// When: `ce_time`, or the record's timestamp where there is none.
    pub erased_at: Timestamp,
    /// What was sent below this offset, but nothing behind the command itself.
    pub before: Offset,
    /// Of the request, where it was sent with an Idempotency-Key.
    pub fingerprint: Option<Fingerprint>,
}

/// Which notifications of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These. Those that are in no inbox, or in another one, are none.
    Ids(Vec<NotificationId>),
    /// All that were sent below this offset, but none behind the command itself.
    Before(Offset),
}

impl Selection {
    /// The same for a command that stands at this offset: it reaches nothing behind itself.
    #[must_use]
    pub fn below(self, command: Offset) -> Self {
        match self {
            Self::Before(before) => Self::Before(before.min(command)),
            ids @ Self::Ids(_) => ids,
        }
    }
}

/// What is done to a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is read, or unread again. What is read already stays read since then.
    Read(bool),
    /// It is archived, or back in the list. What is archived already stays so since then.
    Archived(bool),
    /// It is in no inbox any more.
    Deleted,
    /// The list was opened: only with [`Selection::Before`].
    Seen,
}

/// The value of a change, as it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct ChangedValue {
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<NotificationId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The value of an erasure, as it is written.
#[derive(Serialize, Deserialize)]
struct ErasedValue {
    before: i64,
}

/// What a command's value says.
pub(crate) struct ChangedParts {
    pub(crate) selection: Selection,
    pub(crate) change: Change,
    pub(crate) reason: Option<String>,
}

const NOT_ITS_JSON: Undecodable = Undecodable::ValueIsNoCommand("not the JSON of one");

pub(crate) fn read_changed(record: &Record) -> Result<ChangedParts, Undecodable> {
    let value = record.value.as_deref().ok_or(Undecodable::NoValue)?;
    let [value]: [ChangedValue; 1] = serde_json::from_slice(value).map_err(|_| NOT_ITS_JSON)?;
    let change = match (value.read, value.archived, value.deleted, value.seen) {
        (Some(is_read), None, None, None) => Change::Read(is_read),
        (None, Some(is_archived), None, None) => Change::Archived(is_archived),
        (None, None, Some(true), None) => Change::Deleted,
        (None, None, None, Some(true)) => Change::Seen,
        _ => return Err(Undecodable::ValueIsNoCommand("not exactly one change")),
    };
    let selection = match (value.ids, value.before) {
        (Some(ids), None) if change != Change::Seen => Selection::Ids(ids),
        (None, Some(before)) => Selection::Before(offset(before)?),
        _ => return Err(Undecodable::ValueIsNoCommand("not exactly one selection")),
    };
    Ok(ChangedParts { selection, change, reason: value.reason })
}

pub(crate) fn read_erased(record: &Record) -> Result<Offset, Undecodable> {
    let value = record.value.as_deref().ok_or(Undecodable::NoValue)?;
    let [value]: [ErasedValue; 1] = serde_json::from_slice(value).map_err(|_| NOT_ITS_JSON)?;
    offset(value.before)
}

fn offset(before: i64) -> Result<Offset, Undecodable> {
    if before < 0 {
        return Err(Undecodable::ValueIsNoCommand("an offset below zero"));
    }
    Ok(Offset(before))
}

impl Record {
    /// The record that says this; [`Self::with_fingerprint`] adds a fingerprint.
    ///
    /// # Errors
    /// Never for ids and texts; the error is that of the JSON writer.
    pub fn of_changed(changed: &Changed) -> Result<Self, serde_json::Error> {
        let mut value = ChangedValue { reason: changed.reason.clone(), ..Default::default() };
        match &changed.selection {
            Selection::Ids(ids) => value.ids = Some(ids.clone()),
            Selection::Before(before) => value.before = Some(before.0),
        }
        match changed.change {
            Change::Read(is_read) => value.read = Some(is_read),
            Change::Archived(is_archived) => value.archived = Some(is_archived),
            Change::Deleted => value.deleted = Some(true),
            Change::Seen => value.seen = Some(true),
        }
        Ok(Self {
            key: Some(changed.user_id.to_bytes()),
            value: Some(serde_json::to_vec(&[value])?.into()),
            headers: own_attributes(changed.id, TYPE_CHANGED, changed.changed_at),
            timestamp: changed.changed_at,
        })
    }

    /// The record that says this; [`Self::with_fingerprint`] adds a fingerprint.
    ///
    /// # Errors
    /// Never for ids and texts; the error is that of the JSON writer.
    pub fn of_erased(erased: &Erased) -> Result<Self, serde_json::Error> {
        let value = ErasedValue { before: erased.before.0 };
        Ok(Self {
            key: Some(erased.user_id.to_bytes()),
            value: Some(serde_json::to_vec(&[value])?.into()),
            headers: own_attributes(erased.id, TYPE_ERASED, erased.erased_at),
            timestamp: erased.erased_at,
        })
    }
}
