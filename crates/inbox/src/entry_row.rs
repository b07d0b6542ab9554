//! Rows of entries: how a notification and its state are written.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use models::{NotificationId, Sent, Timestamp};

const FORMAT: u8 = 1;
const FLAG_PLAIN: u8 = 1;
const FLAG_READ: u8 = 2;
const FLAG_ARCHIVED: u8 = 4;

/// What an entry's row holds before its JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryHeader {
    pub(crate) id: NotificationId,
    pub(crate) created_at: Timestamp,
    pub(crate) is_plain: bool,
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) archived_at: Option<Timestamp>,
}

/// What a command does to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryChange {
    /// It is read since then; none: it is unread.
    Read(Option<Timestamp>),
    /// It is archived since then; none: it is not.
    Archived(Option<Timestamp>),
    Gone,
}

impl EntryHeader {
    /// What it is after a change; none: it is no more. What is read or archived already stays so
    /// since then.
    pub(crate) fn after(self, change: EntryChange) -> Option<Self> {
        match change {
            EntryChange::Read(at) => {
                Some(Self { read_at: at.map(|at| self.read_at.unwrap_or(at)), ..self })
            }
            EntryChange::Archived(at) => {
                Some(Self { archived_at: at.map(|at| self.archived_at.unwrap_or(at)), ..self })
            }
            EntryChange::Gone => None,
        }
    }

    /// Whether it counts as unread: what is archived does not.
    pub(crate) fn is_unread(&self) -> bool {
        self.read_at.is_none() && self.archived_at.is_none()
    }

    /// The header, and the JSON behind it.
    pub(crate) fn read(row: &[u8]) -> Option<(Self, &[u8])> {
        let ([format, flags], row) = row.split_first_chunk()?;
        let (id, row) = row.split_first_chunk()?;
        let (created_at, row) = read_time(row)?;
        let (read_at, row) = read_time_if(flags & FLAG_READ != 0, row)?;
        let (archived_at, row) = read_time_if(flags & FLAG_ARCHIVED != 0, row)?;
        let (id, is_plain) = (NotificationId::from_bytes(*id), flags & FLAG_PLAIN != 0);
        let header = Self { id, created_at, is_plain, read_at, archived_at };
        (*format == FORMAT).then_some((header, row))
    }

    /// Appends it to `row`.
    pub(crate) fn write(&self, row: &mut Vec<u8>) {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.is_plain, FLAG_PLAIN)
            | flag(self.read_at.is_some(), FLAG_READ)
            | flag(self.archived_at.is_some(), FLAG_ARCHIVED);
        row.extend_from_slice(&[FORMAT, flags]);
        row.extend_from_slice(self.id.as_bytes());
        row.extend_from_slice(&self.created_at.as_ms().to_be_bytes());
        for time in [self.read_at, self.archived_at].into_iter().flatten() {
            row.extend_from_slice(&time.as_ms().to_be_bytes());
        }
    }
}

/// Appends the row of a notification nobody has looked at yet.
pub(crate) fn write_entry(sent: &Sent, row: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let Sent { id, created_at, .. } = *sent;
    let is_plain = sent.notification.is_plain();
    let header = EntryHeader { id, created_at, is_plain, read_at: None, archived_at: None };
    header.write(row);
    serde_json::to_writer(row, &sent.notification)
}

fn read_time(row: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (ms, row) = row.split_first_chunk()?;
    Some((Timestamp::from_ms_clamped(i64::from_be_bytes(*ms)), row))
}

fn read_time_if(is_there: bool, row: &[u8]) -> Option<(Option<Timestamp>, &[u8])> {
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
        let sent = Sent { id, created_at, notification, fingerprint: None };
        let mut row = Vec::new();
        write_entry(&sent, &mut row).unwrap();
        let header = [&[1, 1][..], &[7; 16], &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        let json =
            br#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"hi"}"#;
        assert_eq!(row, [&header[..], json].concat());
    }

    #[test]
    fn every_state_survives_its_row_and_a_damaged_one_is_noticed() {
        let time = |ms| Some(Timestamp::from_ms_clamped(ms));
        for (read_at, archived_at) in
            [(None, None), (time(1), None), (None, time(2)), (time(1), time(2))]
        {
            let id = NotificationId::from_bytes([7; 16]);
            let created_at = Timestamp::from_ms_clamped(258);
            let header = EntryHeader { id, created_at, is_plain: true, read_at, archived_at };
            let mut row = Vec::new();
            header.write(&mut row);
            assert_eq!(EntryHeader::read(&row[..row.len() - 1]), None);
            row.extend_from_slice(b"{}");
            assert_eq!(EntryHeader::read(&row), Some((header, &b"{}"[..])));
            row[0] = 9;
            assert_eq!(EntryHeader::read(&row), None);
        }
    }
}
