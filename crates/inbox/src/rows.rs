//! Rows: how keys and values are written.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use std::ops::RangeInclusive;

use models::{Fingerprint, Offset, UserId};

/// What all keys of a user's entries begin with, and no other user's do.
pub(crate) fn entry_prefix(user: &UserId) -> Vec<u8> {
    let id = user.as_str().as_bytes();
    let mut key = Vec::with_capacity(1 + id.len() + 8);
    // A user id has at most MAX_USER_ID_BYTES, which is less than a byte counts.
    key.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(id);
    key
}

pub(crate) fn entry_key(user: &UserId, offset: Offset) -> Vec<u8> {
    let mut key = entry_prefix(user);
    key.extend_from_slice(&(!offset.0).to_be_bytes());
    key
}

pub(crate) fn offset_of_entry_key(key: &[u8]) -> Option<Offset> {
    let (_, offset) = key.split_last_chunk()?;
    Some(Offset(!i64::from_be_bytes(*offset)))
}

/// The keys of a user's entries below this offset, if there can be any.
pub(crate) fn entry_keys_below(user: &UserId, before: Offset) -> Option<RangeInclusive<Vec<u8>>> {
    let newest = Offset(before.0.checked_sub(1).filter(|newest| *newest >= 0)?);
    Some(entry_key(user, newest)..=entry_key(user, Offset(0)))
}

/// The keys of a user's entries from this offset on.
pub(crate) fn entry_keys_from(user: &UserId, first: Offset) -> RangeInclusive<Vec<u8>> {
    entry_prefix(user)..=entry_key(user, first)
}

/// What the row of an event's id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownId {
    /// Of the first record with it.
    pub(crate) offset: Offset,
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl KnownId {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = self.offset.0.to_be_bytes().to_vec();
        if let Some(Fingerprint(hash)) = self.fingerprint {
            row.extend_from_slice(&hash.to_be_bytes());
        }
        row
    }

    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let (offset, row) = row.split_first_chunk()?;
        let fingerprint = match row {
            [] => None,
            hash => Some(Fingerprint(u64::from_be_bytes(hash.try_into().ok()?))),
        };
        Some(Self { offset: Offset(i64::from_be_bytes(*offset)), fingerprint })
    }
}

/// A user's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) total_count: u64,
    pub(crate) unread_count: u64,
    /// Entries from `seen_to` on.
    pub(crate) unseen_count: u64,
    /// The user has seen the list below it.
    pub(crate) seen_to: Offset,
}

impl HeadRow {
    /// Of a user nothing is known of.
    pub(crate) const NOTHING: Self =
        Self { total_count: 0, unread_count: 0, unseen_count: 0, seen_to: Offset(0) };

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(32);
        for count in [self.total_count, self.unread_count, self.unseen_count] {
            row.extend_from_slice(&count.to_be_bytes());
        }
        row.extend_from_slice(&self.seen_to.0.to_be_bytes());
        row
    }

    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let (total_count, row) = row.split_first_chunk()?;
        let (unread_count, row) = row.split_first_chunk()?;
        let (unseen_count, seen_to) = row.split_first_chunk()?;
        Some(Self {
            total_count: u64::from_be_bytes(*total_count),
            unread_count: u64::from_be_bytes(*unread_count),
            unseen_count: u64::from_be_bytes(*unseen_count),
            seen_to: Offset(i64::from_be_bytes(seen_to.try_into().ok()?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    #[test]
    fn keys_sort_by_user_and_then_newest_first() {
        let mut keys = Vec::new();
        for id in ["1", "2", "10", "a-longer-id"] {
            for offset in [i64::MAX, 300, 256, 255, 1, 0] {
                let key = entry_key(&user(id), Offset(offset));
                assert_eq!(offset_of_entry_key(&key), Some(Offset(offset)));
                assert!(key.starts_with(&entry_prefix(&user(id))));
                keys.push(key);
            }
        }
        assert!(keys.is_sorted());
        // "1" is a prefix of "10" as text; its keys are not a prefix of the other's.
        assert!(!entry_key(&user("10"), Offset(0)).starts_with(&entry_prefix(&user("1"))));
    }

    #[test]
    fn keys_of_a_part_of_an_inbox_are_those_and_no_others() {
        let emma = user("1");
        let is_in = |keys: &RangeInclusive<Vec<u8>>, user: &UserId, offset| {
            keys.contains(&entry_key(user, Offset(offset)))
        };
        let (below, from) =
            (entry_keys_below(&emma, Offset(256)), entry_keys_from(&emma, Offset(256)));
        let below = below.unwrap();
        for offset in [0, 1, 254, 255, 256, 257, 65_536, i64::MAX] {
            assert_eq!(is_in(&below, &emma, offset), offset < 256, "{offset}");
            assert_eq!(is_in(&from, &emma, offset), offset >= 256, "{offset}");
            for other in ["0", "2", "10", "11"] {
                assert!(
                    !is_in(&below, &user(other), offset) && !is_in(&from, &user(other), offset)
                );
            }
        }
        assert_eq!(entry_keys_below(&emma, Offset(0)), None);
    }

    #[test]
    fn the_row_of_an_id_survives_and_a_damaged_one_is_noticed() {
        for fingerprint in [None, Some(Fingerprint(9))] {
            let known = KnownId { offset: Offset(258), fingerprint };
            let row = known.write();
            assert_eq!(row[..8], [0, 0, 0, 0, 0, 0, 1, 2]);
            assert_eq!(KnownId::read(&row), Some(known));
            assert_eq!(KnownId::read(&row[..row.len() - 1]), None);
        }
    }

    #[test]
    fn the_head_row_survives_and_a_damaged_one_is_noticed() {
        let head =
            HeadRow { total_count: 3, unread_count: 2, unseen_count: 1, seen_to: Offset(258) };
        let row = head.write();
        assert_eq!(HeadRow::read(&row), Some(head));
        assert_eq!(HeadRow::read(&row[..row.len() - 1]), None);
        assert_eq!(HeadRow::read(&[row, vec![0]].concat()), None);
    }
}
