//! The meta row: how far a partition is folded, and by which program.
//!
//! Any change here is a new [`FOLD_VERSION`].

use models::{NotificationId, Offset};

use crate::RecordHash;

/// What the fold makes of a record and how it is written. A store of another version is dropped
/// and folded anew.
///
/// Larger by one whenever the same log would give other rows; left as it is, and readers find rows
/// they do not understand.
pub const FOLD_VERSION: u16 = 5;

/// How many types of events this fold knows. Larger by one with each; left as it is, and a store
/// that skipped such events never shows what they say.
const KNOWN_TYPES: u16 = 3;

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

/// How far the partition is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) next_offset: Offset,
    pub(crate) last_record: Option<LastRecord>,
    /// Effects of what lies below were not written: they were seen to in an earlier life of the
    /// store.
    pub(crate) effects_from: Offset,
    /// The first record of a type that this fold does not know.
    pub(crate) lowest_unknown: Option<Offset>,
    /// The first offset that the log still holds, as far as is known.
    pub(crate) log_start: Offset,
    /// No id of version 7 that was applied is greater: one that is, is new.
    pub(crate) highest_id: NotificationId,
}

/// What a meta row says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meta {
    Progress(Progress),
    /// Written by another fold.
    OtherVersion(u16),
    /// Written by a fold that knew so many types, and the rows would be others with those that
    /// this one knows.
    OtherTypes(u16),
}

impl Progress {
    /// Before anything was applied.
    pub(crate) fn nothing(effects_from: Offset) -> Self {
        Self {
            next_offset: Offset(0),
            last_record: None,
            effects_from,
            lowest_unknown: None,
            log_start: Offset(0),
            highest_id: NotificationId::from_bytes([0; 16]),
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = FOLD_VERSION.to_be_bytes().to_vec();
        row.extend_from_slice(&KNOWN_TYPES.to_be_bytes());
        row.extend_from_slice(&self.next_offset.0.to_be_bytes());
        row.extend_from_slice(&self.effects_from.0.to_be_bytes());
        let lowest_unknown = self.lowest_unknown.unwrap_or(NO_OFFSET);
        row.extend_from_slice(&lowest_unknown.0.to_be_bytes());
        row.extend_from_slice(&self.log_start.0.to_be_bytes());
        row.extend_from_slice(self.highest_id.as_bytes());
        if let Some(last) = self.last_record {
            row.extend_from_slice(&last.offset.0.to_be_bytes());
            row.extend_from_slice(&last.hash.0.to_be_bytes());
        }
        row
    }

    fn read(row: &[u8]) -> Option<Self> {
        let (next_offset, row) = read_offset(row)?;
        let (effects_from, row) = read_offset(row)?;
        let (lowest_unknown, row) = read_offset(row)?;
        let (log_start, row) = read_offset(row)?;
        let (highest_id, row) = row.split_first_chunk()?;
        let highest_id = NotificationId::from_bytes(*highest_id);
        let last_record = match row {
            [] => None,
            _ => {
                let (offset, row) = read_offset(row)?;
                let hash = RecordHash(u64::from_be_bytes(row.try_into().ok()?));
                Some(LastRecord { offset, hash })
            }
        };
        let lowest_unknown = Some(lowest_unknown).filter(|offset| *offset != NO_OFFSET);
        Some(Self { next_offset, last_record, effects_from, lowest_unknown, log_start, highest_id })
    }
}

/// No record has it.
const NO_OFFSET: Offset = Offset(-1);

impl Meta {
    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let (version, row) = row.split_first_chunk()?;
        let version = u16::from_be_bytes(*version);
        if version != FOLD_VERSION {
            return Some(Self::OtherVersion(version));
        }
        let (types, row) = row.split_first_chunk()?;
        let types = u16::from_be_bytes(*types);
        let progress = Progress::read(row)?;
        let has_skipped_known = types < KNOWN_TYPES && progress.lowest_unknown.is_some();
        if types > KNOWN_TYPES || has_skipped_known {
            return Some(Self::OtherTypes(types));
        }
        Some(Self::Progress(progress))
    }
}

fn read_offset(row: &[u8]) -> Option<(Offset, &[u8])> {
    let (offset, row) = row.split_first_chunk()?;
    Some((Offset(i64::from_be_bytes(*offset)), row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress {
            next_offset: Offset(42),
            last_record: Some(LastRecord { offset: Offset(41), hash: RecordHash(9) }),
            effects_from: Offset(7),
            lowest_unknown: Some(Offset(0)),
            log_start: Offset(3),
            highest_id: NotificationId::from_bytes([5; 16]),
        }
    }

    #[test]
    fn the_meta_row_survives_and_a_damaged_one_is_noticed() {
        let bare = Progress { last_record: None, lowest_unknown: None, ..progress() };
        for progress in [progress(), bare] {
            let row = progress.write();
            assert_eq!(Meta::read(&row), Some(Meta::Progress(progress)));
            assert_eq!(Meta::read(&row[..row.len() - 1]), None);
            assert_eq!(Meta::read(&[row, vec![0]].concat()), None);
        }
        assert_eq!(Meta::read(&[0xff, 0xfe, 7]), Some(Meta::OtherVersion(0xfffe)));
        assert_eq!(Meta::read(&[]), None);
    }

    #[test]
    fn a_fold_that_knows_what_was_skipped_starts_again() {
        let row = |types: u16, progress: Progress| {
            let mut row = progress.write();
            row[2..4].copy_from_slice(&types.to_be_bytes());
            row
        };
        let nothing_skipped = Progress { lowest_unknown: None, ..progress() };
        let fewer = KNOWN_TYPES - 1;
        let more = KNOWN_TYPES + 1;
        for (row, meta) in [
            (row(fewer, progress()), Meta::OtherTypes(fewer)),
            (row(fewer, nothing_skipped), Meta::Progress(nothing_skipped)),
            (row(more, nothing_skipped), Meta::OtherTypes(more)),
        ] {
            assert_eq!(Meta::read(&row), Some(meta));
        }
    }
}
