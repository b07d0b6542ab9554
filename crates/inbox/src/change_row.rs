//! Rows of recent changes: what a stream that resumes has to tell.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use models::{Change, Changed, NotificationId, Offset, Selection, Timestamp};

use crate::entry_row::read_time;

/// What a command did to an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentChange {
    /// The command's own.
    pub offset: Offset,
    /// When.
    pub changed_at: Timestamp,
    /// To which notifications.
    pub selection: Selection,
    /// What was done.
    pub change: Change,
    /// Why, as the command says it.
    pub reason: Option<String>,
}

const BEFORE: u8 = 0;
const IDS: u8 = 1;

/// The longest reason that is kept. Anybody may write a longer one.
const MAX_REASON_BYTES: usize = 64;

impl RecentChange {
    pub(crate) fn of(offset: Offset, changed: &Changed) -> Self {
        let reason = changed.reason.as_deref().unwrap_or_default();
        let reason = reason.get(..reason.floor_char_boundary(MAX_REASON_BYTES));
        Self {
            offset,
            changed_at: changed.changed_at,
            selection: changed.selection.clone(),
            change: changed.change,
            reason: reason.filter(|text| !text.is_empty()).map(ToOwned::to_owned),
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let kind = match self.change {
            Change::Read(false) => 0,
            Change::Read(true) => 1,
            Change::Archived(false) => 2,
            Change::Archived(true) => 3,
            Change::Deleted => 4,
            Change::Seen => 5,
        };
        let mut row = vec![kind];
        row.extend_from_slice(&self.changed_at.as_ms().to_be_bytes());
        let reason = self.reason.as_deref().unwrap_or_default();
        row.push(u8::try_from(reason.len()).unwrap_or_default());
        row.extend_from_slice(reason.as_bytes());
        match &self.selection {
            Selection::Before(before) => {
                row.push(BEFORE);
                row.extend_from_slice(&before.0.to_be_bytes());
            }
            Selection::Ids(ids) => {
                row.push(IDS);
                for id in ids {
                    row.extend_from_slice(id.as_bytes());
                }
            }
        }
        row
    }

    pub(crate) fn read(offset: Offset, row: &[u8]) -> Option<Self> {
        let (kind, row) = row.split_first()?;
        let change = match kind {
            0 => Change::Read(false),
            1 => Change::Read(true),
            2 => Change::Archived(false),
            3 => Change::Archived(true),
            4 => Change::Deleted,
            5 => Change::Seen,
            _ => return None,
        };
        let (changed_at, row) = read_time(row)?;
        let (length, row) = row.split_first()?;
        let (reason, row) = row.split_at_checked(usize::from(*length))?;
        let reason = Some(String::from_utf8(reason.to_vec()).ok()?).filter(|text| !text.is_empty());
        let (kind, row) = row.split_first()?;
        let selection = match *kind {
            BEFORE => Selection::Before(Offset(i64::from_be_bytes(row.try_into().ok()?))),
            IDS => {
                let (ids, rest) = row.as_chunks::<16>();
                if !rest.is_empty() {
                    return None;
                }
                Selection::Ids(ids.iter().map(|id| NotificationId::from_bytes(*id)).collect())
            }
            _ => return None,
        };
        Some(Self { offset, changed_at, selection, change, reason })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_change_survives_its_row_and_a_damaged_one_is_noticed(
            kind in 0..6usize, ids in prop::option::of(prop::collection::vec(any::<[u8; 16]>(), 0..4)),
            before in 0..i64::MAX, reason in prop::option::of("[a-z]{1,64}"), ms in 0..i64::MAX,
        ) {
            let change = [
                Change::Read(false), Change::Read(true), Change::Archived(false),
                Change::Archived(true), Change::Deleted, Change::Seen,
            ][kind];
            let selection = match ids {
                Some(ids) => Selection::Ids(ids.into_iter().map(NotificationId::from_bytes).collect()),
                None => Selection::Before(Offset(before)),
            };
            let changed = Changed {
                id: NotificationId::new(), user_id: "1".parse().unwrap(),
                changed_at: Timestamp::from_ms_clamped(ms), selection: selection.clone(), change,
                reason: reason.clone(), fingerprint: None,
            };
            let row = RecentChange::of(Offset(7), &changed).write();
            let read = RecentChange::read(Offset(7), &row).unwrap();
            let changed_at = changed.changed_at;
            prop_assert_eq!(read, RecentChange { offset: Offset(7), changed_at, selection, change, reason });
            prop_assert_eq!(RecentChange::read(Offset(7), &row[..row.len() - 1]), None);
        }

        #[test]
        fn no_row_panics(row: Vec<u8>) {
            let _ = RecentChange::read(Offset(0), &row);
        }
    }
}
