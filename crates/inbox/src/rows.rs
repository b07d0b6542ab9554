//! Rows: how keys and values are written.
//!
//! Any change here is a new [`FOLD_VERSION`].

use models::{NotificationId, Offset, Sent, Timestamp, UserId};

use crate::RecordHash;

/// What the fold makes of a record and how it is written. A store of another version is dropped
/// and folded anew.
///
/// Larger by one whenever the same log would give other rows; left as it is, and readers find rows
/// they do not understand.
pub const FOLD_VERSION: u16 = 1;

const ENTRY_FORMAT: u8 = 1;
const FLAG_PLAIN: u8 = 1;

/// The key of the meta row. It lives among the heads, because both are small, always hit and are
/// written together; no user id has a zero byte.
pub(crate) const META_KEY: [u8; 1] = [0];

/// The last record below `next_offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// Its place.
    pub offset: Offset,
    /// Its hash: another one there, and the log is another log.
    pub hash: RecordHash,
}

/// How far the partition is folded: the meta row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) next_offset: Offset,
    pub(crate) last_record: Option<LastRecord>,
}

/// What a meta row says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meta {
    Progress(Progress),
    OtherVersion(u16),
}

impl Progress {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = FOLD_VERSION.to_be_bytes().to_vec();
        row.extend_from_slice(&self.next_offset.0.to_be_bytes());
        if let Some(last) = self.last_record {
            row.extend_from_slice(&last.offset.0.to_be_bytes());
            row.extend_from_slice(&last.hash.0.to_be_bytes());
        }
        row
    }
}

impl Meta {
    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let (version, row) = row.split_first_chunk()?;
        let version = u16::from_be_bytes(*version);
        if version != FOLD_VERSION {
            return Some(Self::OtherVersion(version));
        }
        let (next_offset, row) = read_offset(row)?;
        let last_record = match row {
            [] => None,
            _ => {
                let (offset, row) = read_offset(row)?;
                let hash = RecordHash(u64::from_be_bytes(row.try_into().ok()?));
                Some(LastRecord { offset, hash })
            }
        };
        Some(Self::Progress(Progress { next_offset, last_record }))
    }
}

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

/// What an entry's value holds before its JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EntryHeader {
    pub(crate) id: NotificationId,
    pub(crate) created_at: Timestamp,
    pub(crate) is_plain: bool,
}

impl EntryHeader {
    pub(crate) const BYTES: usize = 1 + 1 + 16 + 8;

    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let ([format, flags], row) = row.split_first_chunk()?;
        let (id, row) = row.split_first_chunk()?;
        let (created_at, _) = row.split_first_chunk()?;
        (*format == ENTRY_FORMAT).then(|| Self {
            id: NotificationId::from_bytes(*id),
            created_at: Timestamp::from_ms_clamped(i64::from_be_bytes(*created_at)),
            is_plain: flags & FLAG_PLAIN != 0,
        })
    }
}

pub(crate) fn write_entry(sent: &Sent) -> Result<Vec<u8>, serde_json::Error> {
    let flags = if sent.notification.is_plain() { FLAG_PLAIN } else { 0 };
    let mut row = Vec::with_capacity(EntryHeader::BYTES + 256);
    row.extend_from_slice(&[ENTRY_FORMAT, flags]);
    row.extend_from_slice(sent.id.as_bytes());
    row.extend_from_slice(&sent.created_at.as_ms().to_be_bytes());
    serde_json::to_writer(&mut row, &sent.notification)?;
    Ok(row)
}

pub(crate) fn write_count(count: u64) -> [u8; 8] {
    count.to_be_bytes()
}

pub(crate) fn read_count(row: &[u8]) -> Option<u64> {
    row.try_into().ok().map(u64::from_be_bytes)
}

fn read_offset(row: &[u8]) -> Option<(Offset, &[u8])> {
    let (offset, row) = row.split_first_chunk()?;
    Some((Offset(i64::from_be_bytes(*offset)), row))
}

#[cfg(test)]
mod tests {
    use models::{Notification, User};

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
    fn the_meta_row_survives_and_a_damaged_one_is_noticed() {
        let last_record = LastRecord { offset: Offset(41), hash: RecordHash(9) };
        for last_record in [None, Some(last_record)] {
            let progress = Progress { next_offset: Offset(42), last_record };
            let row = progress.write();
            assert_eq!(Meta::read(&row), Some(Meta::Progress(progress)));
            assert_eq!(Meta::read(&row[..row.len() - 1]), None);
            assert_eq!(Meta::read(&[row, vec![0]].concat()), None);
        }
        assert_eq!(Meta::read(&[0xff, 0xfe, 7]), Some(Meta::OtherVersion(0xfffe)));
        assert_eq!(Meta::read(&[]), None);
    }

    #[test]
    fn the_entry_row_is_these_bytes() {
        let [emma, bruno, ..] = <[User; 4]>::try_from(models::seed_users()).unwrap();
        let notification = Notification::plain(bruno, emma, "hi".to_owned());
        let id = NotificationId::from_bytes([7; 16]);
        let created_at = Timestamp::from_ms_clamped(258);
        let row = write_entry(&Sent { id, created_at, notification, fingerprint: None }).unwrap();
        let header = [&[1, 1][..], &[7; 16], &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        let json =
            br#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"hi"}"#;
        assert_eq!(row, [&header[..], json].concat());
        let read = EntryHeader::read(&row);
        assert_eq!(read, Some(EntryHeader { id, created_at, is_plain: true }));
        assert_eq!(EntryHeader::read(&row[..25]), None);
    }
}
