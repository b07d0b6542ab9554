//! Rows: how keys and values are written.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use std::ops::{Range, RangeInclusive};

use models::{Fingerprint, Offset, UserId};

use crate::Head;

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

/// The key of an entry's state: right behind the entry's.
pub(crate) fn state_key(user: &UserId, offset: Offset) -> Vec<u8> {
    let mut key = entry_key(user, offset);
    key.push(STATE);
    key
}

const STATE: u8 = 1;

/// What a key of the keyspace of entries names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKey {
    Entry(Offset),
    State(Offset),
}

impl EntryKey {
    /// A key that belongs to this user; `prefix_length` is that of [`entry_prefix`].
    pub(crate) fn read(key: &[u8], prefix_length: usize) -> Option<Self> {
        let (offset, rest) = key.get(prefix_length..)?.split_first_chunk()?;
        let offset = Offset(!i64::from_be_bytes(*offset));
        match rest {
            [] => Some(Self::Entry(offset)),
            [STATE] => Some(Self::State(offset)),
            _ => None,
        }
    }
}

/// The keys of a user's entries in this range, with their states; none: the range is empty.
pub(crate) fn entry_keys(user: &UserId, range: Range<Offset>) -> Option<RangeInclusive<Vec<u8>>> {
    let newest = Offset(range.end.0.checked_sub(1)?);
    if newest < range.start {
        return None;
    }
    Some(entry_key(user, newest)..=state_key(user, range.start))
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
    /// Nothing below it is shown or counted; rows that are still there are on their way out.
    pub(crate) floor: Offset,
    /// Behind the last closed block.
    pub(crate) tail_from: Offset,
    /// Entries that came since then.
    pub(crate) tail_len: u64,
    /// The changes from it on are all kept.
    pub(crate) changes_from: Offset,
    /// What they take.
    pub(crate) changes_bytes: u64,
}

impl HeadRow {
    /// Of a user nothing is known of.
    pub(crate) const NOTHING: Self = Self {
        total_count: 0,
        unread_count: 0,
        unseen_count: 0,
        seen_to: Offset(0),
        floor: Offset(0),
        tail_from: Offset(0),
        tail_len: 0,
        changes_from: Offset(0),
        changes_bytes: 0,
    };

    /// What readers see of it.
    pub(crate) fn shown(&self, next_offset: Option<Offset>) -> Head {
        let Self { total_count, unread_count, unseen_count, .. } = *self;
        Head { total_count, unread_count, unseen_count, next_offset }
    }

    /// Appends it to `row`: numbers of as many bytes as they need. A head is written with every batch
    /// that touches its user, and up to 20 bytes fjall keeps without asking for memory.
    pub(crate) fn write(&self, row: &mut Vec<u8>) {
        let offset = |offset: Offset| offset.0.unsigned_abs();
        for number in [
            self.total_count,
            self.unread_count,
            self.unseen_count,
            offset(self.seen_to),
            offset(self.floor),
            offset(self.tail_from),
            self.tail_len,
            offset(self.changes_from),
            self.changes_bytes,
        ] {
            write_number(row, number);
        }
    }

    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let mut numbers = [0; 9];
        let mut rest = row;
        for number in &mut numbers {
            (*number, rest) = read_number(rest)?;
        }
        let [total_count, unread_count, unseen_count, seen_to, floor, tail_from, tail_len, ..] =
            numbers;
        let [.., changes_from, changes_bytes] = numbers;
        let offset = |number| i64::try_from(number).ok().map(Offset);
        rest.is_empty().then_some(Self {
            total_count,
            unread_count,
            unseen_count,
            seen_to: offset(seen_to)?,
            floor: offset(floor)?,
            tail_from: offset(tail_from)?,
            tail_len,
            changes_from: offset(changes_from)?,
            changes_bytes,
        })
    }
}

/// Seven bits a byte, the lowest first; the eighth says that more follow (LEB128).
pub(crate) fn write_number(row: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        row.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    row.push(number as u8);
}

pub(crate) fn read_number(row: &[u8]) -> Option<(u64, &[u8])> {
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
    fn keys_sort_by_user_and_then_newest_first_states_behind_their_entries() {
        let mut keys = Vec::new();
        for id in ["1", "2", "10", "a-longer-id"] {
            let (user, prefix) = (user(id), entry_prefix(&user(id)));
            for offset in [i64::MAX, 300, 256, 255, 1, 0].map(Offset) {
                let (entry, state) = (entry_key(&user, offset), state_key(&user, offset));
                assert!(entry.starts_with(&prefix));
                let length = prefix.len();
                assert_eq!(EntryKey::read(&entry, length), Some(EntryKey::Entry(offset)));
                assert_eq!(EntryKey::read(&state, length), Some(EntryKey::State(offset)));
                keys.extend([entry, state]);
            }
        }
        assert!(keys.is_sorted());
        // "1" is a prefix of "10" as text; its keys are not a prefix of the other's.
        assert!(!entry_key(&user("10"), Offset(0)).starts_with(&entry_prefix(&user("1"))));
    }

    #[test]
    fn keys_of_a_part_of_an_inbox_are_those_and_no_others() {
        let emma = user("1");
        let (first, end) = (Offset(7), Offset(256));
        let keys = entry_keys(&emma, first..end).unwrap();
        for offset in [0, 6, 7, 8, 254, 255, 256, 257, 65_536, i64::MAX].map(Offset) {
            let is_in = (first..end).contains(&offset);
            assert_eq!(keys.contains(&entry_key(&emma, offset)), is_in, "{offset}");
            assert_eq!(keys.contains(&state_key(&emma, offset)), is_in, "{offset}");
            for other in ["0", "2", "10", "11"] {
                assert!(!keys.contains(&entry_key(&user(other), offset)));
            }
        }
        for empty in [Offset(0)..Offset(0), Offset(7)..Offset(7), Offset(8)..Offset(7)] {
            assert_eq!(entry_keys(&emma, empty), None);
        }
        assert!(entry_keys(&emma, Offset(0)..Offset(i64::MAX)).is_some());
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
            let offset = Offset(number as i64);
            let head = HeadRow {
                total_count: number,
                unread_count: number / 2,
                unseen_count: u64::MAX,
                seen_to: offset,
                floor: Offset(offset.0 / 3),
                tail_from: Offset(offset.0 / 4),
                tail_len: number / 5,
                changes_from: Offset(offset.0 / 6),
                changes_bytes: number / 7,
            };
            let mut row = Vec::new();
            head.write(&mut row);
            assert_eq!(HeadRow::read(&row), Some(head));
            assert_eq!(HeadRow::read(&row[..row.len() - 1]), None);
            assert_eq!(HeadRow::read(&[row, vec![0]].concat()), None);
        }
        assert_eq!(HeadRow::read(&[0xff; 40]), None);
    }
}
