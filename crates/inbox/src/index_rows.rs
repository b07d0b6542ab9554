//! Keys of the keyspace `index`: what is kept to find things without reading entries.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use fjall::Slice;
use models::{Offset, Timestamp, UserId};

use crate::rows::entry_prefix;

/// Closed blocks of an inbox, newest first.
const BLOCK: u8 = b'B';
/// Recent changes of an inbox, oldest first.
const CHANGE: u8 = b'C';
/// Entries that expire, by time.
const DUE: u8 = b'D';
/// Inboxes with rows below their floor.
const PURGE: u8 = b'P';

/// Rows of the index that are different from those in the store; none: the row is no more.
pub(crate) type IndexRows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What the store holds, with what is different, in the order of the keys.
pub(crate) fn with(
    stored: fjall::Iter,
    different: IndexRows,
) -> impl Iterator<Item = fjall::Result<(Slice, Slice)>> {
    let mut stored = stored.map(fjall::Guard::into_inner).peekable();
    let mut different = different.into_iter().peekable();
    let row = |(key, row): (Vec<u8>, Option<Vec<u8>>)| Some(Ok((key.into(), row?.into())));
    let next = move || match (stored.peek(), different.peek()) {
        (Some(Ok((one, _))), Some((other, _))) if **one > **other => different.next().map(row),
        (Some(Ok((one, _))), Some((other, _))) if **one == **other => {
            stored.next();
            different.next().map(row)
        }
        (Some(_), _) => stored.next().map(Some),
        (None, _) => different.next().map(row),
    };
    // None: a row that is no more.
    std::iter::from_fn(next).flatten()
}

fn of_user(kind: u8, user: &UserId) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&entry_prefix(user));
    key
}

pub(crate) fn block_key(user: &UserId, first: Offset) -> Vec<u8> {
    let mut key = of_user(BLOCK, user);
    key.extend_from_slice(&(!first.0).to_be_bytes());
    key
}

/// The keys of blocks that begin at this offset or before it, newest first.
pub(crate) fn block_keys_to(user: &UserId, newest: Offset) -> RangeInclusive<Vec<u8>> {
    block_key(user, newest)..=block_key(user, Offset(0))
}

pub(crate) fn first_of_block_key(key: &[u8]) -> Option<Offset> {
    let (_, first) = key.split_last_chunk()?;
    Some(Offset(!i64::from_be_bytes(*first)))
}

pub(crate) fn change_key(user: &UserId, offset: Offset) -> Vec<u8> {
    let mut key = of_user(CHANGE, user);
    key.extend_from_slice(&offset.0.to_be_bytes());
    key
}

/// The keys of changes from this offset on, oldest first.
pub(crate) fn change_keys_from(user: &UserId, first: Offset) -> RangeInclusive<Vec<u8>> {
    change_key(user, first)..=change_key(user, Offset(i64::MAX))
}

pub(crate) fn offset_of_change_key(key: &[u8]) -> Option<Offset> {
    let (_, offset) = key.split_last_chunk()?;
    Some(Offset(i64::from_be_bytes(*offset)))
}

pub(crate) fn due_key(expires_at: Timestamp, offset: Offset) -> [u8; 17] {
    let mut key = [DUE; 17];
    let (time, place) = (sortable(expires_at).to_be_bytes(), offset.0.to_be_bytes());
    for (slot, byte) in key.iter_mut().skip(1).zip(time.into_iter().chain(place)) {
        *slot = byte;
    }
    key
}

/// The keys of entries that expire at `now` or before it, the first to expire first.
pub(crate) fn due_keys_to(now: Timestamp) -> Range<Vec<u8>> {
    let mut end = vec![DUE];
    end.extend_from_slice(&sortable(now).saturating_add(1).to_be_bytes());
    vec![DUE]..end
}

pub(crate) fn offset_of_due_key(key: &[u8]) -> Option<Offset> {
    let (_, offset) = key.split_last_chunk()?;
    Some(Offset(i64::from_be_bytes(*offset)))
}

/// Times before 1970 sort first.
fn sortable(time: Timestamp) -> u64 {
    (time.as_ms() as u64) ^ (1 << 63)
}

pub(crate) fn purge_key(user: &UserId) -> Vec<u8> {
    of_user(PURGE, user)
}

/// The keys of all inboxes with rows below their floor.
pub(crate) fn purge_keys() -> Range<[u8; 1]> {
    [PURGE]..[PURGE + 1]
}

pub(crate) fn user_of_purge_key(key: &[u8]) -> Option<UserId> {
    // Behind the kind and the id's length.
    std::str::from_utf8(key.get(2..)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_sort_by_time_and_then_by_offset() {
        let times = [-9, -1, 0, 1, 255, 256, 1 << 40].map(Timestamp::from_ms_clamped);
        let mut keys = Vec::new();
        for time in times {
            for offset in [0, 1, 300].map(Offset) {
                let key = due_key(time, offset).to_vec();
                assert_eq!(offset_of_due_key(&key), Some(offset));
                for now in times {
                    assert_eq!(due_keys_to(now).contains(&key), time <= now);
                }
                keys.push(key);
            }
        }
        assert!(keys.is_sorted());
    }

    #[test]
    fn keys_of_a_user_are_found_again() {
        let emma: UserId = "1".parse().unwrap();
        let key = purge_key(&emma);
        assert_eq!(user_of_purge_key(&key), Some(emma.clone()));
        assert!(purge_keys().start[..] <= key[..] && key[..] < purge_keys().end[..]);
        let key = block_key(&emma, Offset(7));
        assert_eq!(first_of_block_key(&key), Some(Offset(7)));
        assert!(block_keys_to(&emma, Offset(7)).contains(&key));
        assert!(!block_keys_to(&emma, Offset(6)).contains(&key));
        let key = change_key(&emma, Offset(7));
        assert_eq!(offset_of_change_key(&key), Some(Offset(7)));
        assert!(!change_keys_from(&emma, Offset(8)).contains(&key));
    }
}
