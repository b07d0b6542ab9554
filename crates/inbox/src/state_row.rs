//! Rows of states: what commands did to one entry. An entry that none touched has no such row.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use models::{Change, Offset, Timestamp};

use crate::block_row::BlockChange;
use crate::entry_row::read_time_if;

const FLAG_READ: u8 = 1;
const FLAG_ARCHIVED: u8 = 2;

/// What became of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntryState {
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) archived_at: Option<Timestamp>,
    /// The last command that wrote it; what was done to its whole block later counts on top.
    pub(crate) written: Option<Offset>,
}

impl EntryState {
    /// What it is after a command on it alone; none: it is no more. What is read or archived already
    /// stays so since then.
    pub(crate) fn after(self, change: Change, time: Timestamp) -> Option<Self> {
        match change {
            Change::Read(is_read) => {
                let read_at = is_read.then(|| self.read_at.unwrap_or(time));
                Some(Self { read_at, ..self })
            }
            Change::Archived(is_archived) => {
                let archived_at = is_archived.then(|| self.archived_at.unwrap_or(time));
                Some(Self { archived_at, ..self })
            }
            Change::Deleted => None,
            Change::Seen => Some(self),
        }
    }

    /// What it is with what was done to its whole block.
    pub(crate) fn under(self, changes: &[BlockChange]) -> Self {
        let later = |change: &&BlockChange| self.written.is_none_or(|at| at < change.at);
        changes.iter().filter(later).fold(self, |state, change| change.over(state))
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.read_at.is_some(), FLAG_READ)
            | flag(self.archived_at.is_some(), FLAG_ARCHIVED);
        let mut row = vec![flags];
        row.extend_from_slice(&self.written.unwrap_or(Offset(0)).0.to_be_bytes());
        for time in [self.read_at, self.archived_at].into_iter().flatten() {
            row.extend_from_slice(&time.as_ms().to_be_bytes());
        }
        row
    }

    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let ([flags], row) = row.split_first_chunk()?;
        let (written, row) = row.split_first_chunk()?;
        let (read_at, row) = read_time_if(flags & FLAG_READ != 0, row)?;
        let (archived_at, row) = read_time_if(flags & FLAG_ARCHIVED != 0, row)?;
        let written = Some(Offset(i64::from_be_bytes(*written)));
        row.is_empty().then_some(Self { read_at, archived_at, written })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_survives_its_row_and_a_damaged_one_is_noticed() {
        let time = |ms| Some(Timestamp::from_ms_clamped(ms));
        for (read_at, archived_at) in
            [(None, None), (time(1), None), (None, time(2)), (time(1), time(2))]
        {
            let state = EntryState { read_at, archived_at, written: Some(Offset(258)) };
            let row = state.write();
            assert_eq!(EntryState::read(&row), Some(state));
            assert_eq!(EntryState::read(&row[..row.len() - 1]), None);
            assert_eq!(EntryState::read(&[row, vec![0]].concat()), None);
        }
    }
}
