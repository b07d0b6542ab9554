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

    /// Appends it to `row`: four numbers of as many bytes as they need. A head is written with
    /// every batch that touches its user, and up to 20 bytes fjall keeps without asking for memory.
    pub(crate) fn write(&self, row: &mut Vec<u8>) {
        let seen_to = self.seen_to.0.unsigned_abs();
        for number in [self.total_count, self.unread_count, self.unseen_count, seen_to] {
            write_number(row, number);
        }
    }

    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let (total_count, row) = read_number(row)?;
        let (unread_count, row) = read_number(row)?;
        let (unseen_count, row) = read_number(row)?;
        let (seen_to, row) = read_number(row)?;
        let seen_to = Offset(i64::try_from(seen_to).ok()?);
        row.is_empty().then_some(Self { total_count, unread_count, unseen_count, seen_to })
    }
}

/// Seven bits a byte, the lowest first; the eighth says that more follow (LEB128).
fn write_number(row: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        row.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    row.push(number as u8);
}

fn read_number(row: &[u8]) -> Option<(u64, &[u8])> {
    let length = 1 + row.iter().position(|byte| byte & 0x80 == 0)?;
    let (digits, rest) = row.split_at_checked(length)?;
    let number = digits.iter().rev().try_fold(0u64, |number, digit| {
        Some(number.checked_mul(0x80)? | u64::from(digit & 0x7f))
    })?;
    Some((number, rest))
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
        for number in [0, 1, 127, 128, 16_384, u64::MAX >> 1] {
            let seen_to = Offset(number as i64);
            let (total_count, unread_count, unseen_count) = (number, number / 2, u64::MAX);
            let head = HeadRow { total_count, unread_count, unseen_count, seen_to };
            let mut row = Vec::new();
            head.write(&mut row);
            assert_eq!(HeadRow::read(&row), Some(head));
            assert_eq!(HeadRow::read(&row[..row.len() - 1]), None);
            assert_eq!(HeadRow::read(&[row, vec![0]].concat()), None);
        }
        assert_eq!(HeadRow::read(&[0xff; 40]), None);
    }
}
