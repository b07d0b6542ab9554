//! Rows of entries: how a notification is written. They never change.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use models::{NotificationId, Sent, Timestamp};

const FORMAT: u8 = 2;
const FLAG_PLAIN: u8 = 1;
const FLAG_EXPIRES: u8 = 2;

/// What an entry's row holds before its JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryHeader {
    pub(crate) id: NotificationId,
    pub(crate) created_at: Timestamp,
    pub(crate) is_plain: bool,
    pub(crate) expires_at: Option<Timestamp>,
}

impl EntryHeader {
    /// The header, and the JSON behind it.
    pub(crate) fn read(row: &[u8]) -> Option<(Self, &[u8])> {
        let ([format, flags], row) = row.split_first_chunk()?;
        let (id, row) = row.split_first_chunk()?;
        let (created_at, row) = read_time(row)?;
        let (expires_at, row) = read_time_if(flags & FLAG_EXPIRES != 0, row)?;
        let (id, is_plain) = (NotificationId::from_bytes(*id), flags & FLAG_PLAIN != 0);
        (*format == FORMAT).then_some((Self { id, created_at, is_plain, expires_at }, row))
    }

    fn write(&self, row: &mut Vec<u8>) {
        let plain = if self.is_plain { FLAG_PLAIN } else { 0 };
        let expires = if self.expires_at.is_some() { FLAG_EXPIRES } else { 0 };
        row.extend_from_slice(&[FORMAT, plain | expires]);
        row.extend_from_slice(self.id.as_bytes());
        row.extend_from_slice(&self.created_at.as_ms().to_be_bytes());
        if let Some(expires_at) = self.expires_at {
            row.extend_from_slice(&expires_at.as_ms().to_be_bytes());
        }
    }
}

/// Appends the row of a notification.
pub(crate) fn write_entry(sent: &Sent, row: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let Sent { id, created_at, .. } = *sent;
    let (is_plain, expires_at) = (sent.notification.is_plain(), sent.notification.expires_at);
    EntryHeader { id, created_at, is_plain, expires_at }.write(row);
    serde_json::to_writer(row, &sent.notification)
}

pub(crate) fn read_time(row: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (ms, row) = row.split_first_chunk()?;
    Some((Timestamp::from_ms_clamped(i64::from_be_bytes(*ms)), row))
}

pub(crate) fn read_time_if(is_there: bool, row: &[u8]) -> Option<(Option<Timestamp>, &[u8])> {
    if !is_there {
        return Some((None, row));
    }
    let (time, row) = read_time(row)?;
    Some((Some(time), row))
}

#[cfg(test)]
mod tests {
    use models::{Notification, User};

    use super::*;

    #[test]
    fn the_entry_row_is_these_bytes() {
        let [emma, bruno, ..] = <[User; 4]>::try_from(models::seed_users()).unwrap();
        let notification = Notification::plain(bruno, emma, "hi".to_owned());
        let id = NotificationId::from_bytes([7; 16]);
        let created_at = Timestamp::from_ms_clamped(258);
        let mut sent = Sent { id, created_at, notification, fingerprint: None };
        let mut row = Vec::new();
        write_entry(&sent, &mut row).unwrap();
        let header = [&[2, 1][..], &[7; 16], &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        let json =
            br#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"hi"}"#;
        assert_eq!(row, [&header[..], json].concat());

        sent.notification.expires_at = Some(Timestamp::from_ms_clamped(259));
        row.clear();
        write_entry(&sent, &mut row).unwrap();
        let (read, json) = EntryHeader::read(&row).unwrap();
        let expires_at = sent.notification.expires_at;
        assert_eq!(read, EntryHeader { id, created_at, is_plain: false, expires_at });
        assert!(json.starts_with(b"{"));
        for cut in 0..34 {
            assert_eq!(EntryHeader::read(&row[..cut]), None);
        }
        row[0] = 9;
        assert_eq!(EntryHeader::read(&row), None);
    }
}
