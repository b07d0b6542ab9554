//! Rows: how keys and values are written.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use models::{Fingerprint, NotificationId, Offset, Sent, Timestamp, UserId};

const ENTRY_FORMAT: u8 = 1;
const FLAG_PLAIN: u8 = 1;

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

/// Appends the entry's value to `row`.
pub(crate) fn write_entry(sent: &Sent, row: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let flags = if sent.notification.is_plain() { FLAG_PLAIN } else { 0 };
    row.extend_from_slice(&[ENTRY_FORMAT, flags]);
    row.extend_from_slice(sent.id.as_bytes());
    row.extend_from_slice(&sent.created_at.as_ms().to_be_bytes());
    serde_json::to_writer(row, &sent.notification)
}

/// The row of an event's id.
pub(crate) fn write_id(offset: Offset, fingerprint: Option<Fingerprint>) -> Vec<u8> {
    let mut row = offset.0.to_be_bytes().to_vec();
    if let Some(Fingerprint(hash)) = fingerprint {
        row.extend_from_slice(&hash.to_be_bytes());
    }
    row
}

/// The fingerprint in the row of an event's id.
pub(crate) fn read_fingerprint(row: &[u8]) -> Option<Option<Fingerprint>> {
    match row.get(8..)? {
        [] => Some(None),
        hash => Some(Some(Fingerprint(u64::from_be_bytes(hash.try_into().ok()?)))),
    }
}

pub(crate) fn write_count(count: u64) -> [u8; 8] {
    count.to_be_bytes()
}

pub(crate) fn read_count(row: &[u8]) -> Option<u64> {
    row.try_into().ok().map(u64::from_be_bytes)
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
    fn the_row_of_an_id_survives_and_a_damaged_one_is_noticed() {
        for fingerprint in [None, Some(Fingerprint(9))] {
            let row = write_id(Offset(258), fingerprint);
            assert_eq!(row[..8], [0, 0, 0, 0, 0, 0, 1, 2]);
            assert_eq!(read_fingerprint(&row), Some(fingerprint));
            assert_eq!(read_fingerprint(&row[..row.len() - 1]), None);
        }
    }

    #[test]
    fn the_entry_row_is_these_bytes() {
        let [emma, bruno, ..] = <[User; 4]>::try_from(models::seed_users()).unwrap();
        let notification = Notification::plain(bruno, emma, "hi".to_owned());
        let id = NotificationId::from_bytes([7; 16]);
        let created_at = Timestamp::from_ms_clamped(258);
        let sent = Sent { id, created_at, notification, fingerprint: None };
        let mut row = Vec::new();
        write_entry(&sent, &mut row).unwrap();
        let header = [&[1, 1][..], &[7; 16], &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        let json =
            br#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"hi"}"#;
        assert_eq!(row, [&header[..], json].concat());
        let read = EntryHeader::read(&row);
        assert_eq!(read, Some(EntryHeader { id, created_at, is_plain: true }));
        assert_eq!(EntryHeader::read(&row[..25]), None);
    }
}
