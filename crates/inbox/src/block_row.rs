//! Rows of blocks: what is known of 1,024 neighbours of an inbox without reading them.
//!
//! Any change here is a new [`crate::FOLD_VERSION`].

use models::{Change, Offset, Timestamp};

use crate::Status;
use crate::entry_row::read_time;
use crate::rows::{read_number, write_number};
use crate::state_row::EntryState;

/// The entries of one inbox from `first` to `last`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockRow {
    /// Where the block begins; in the row's key.
    pub(crate) first: Offset,
    /// The entry that closed it, which may be gone by now.
    pub(crate) last: Offset,
    /// How many entries are there.
    pub(crate) counts: Counts,
    /// The least `created_at` of an entry, or less.
    pub(crate) created_from: Timestamp,
    /// The greatest, or more.
    pub(crate) created_to: Timestamp,
    /// What was done to all of it at once, ascending.
    pub(crate) changes: Vec<BlockChange>,
    /// The last command that wrote the state of one of its entries alone.
    pub(crate) written: Option<Offset>,
}

/// Entries by what a status asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) unread: u64,
    pub(crate) read: u64,
    pub(crate) archived_unread: u64,
    pub(crate) archived_read: u64,
}

/// What was done to all entries of a block at once: by the command at this offset, and by those
/// before it between which no entry was written alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockChange {
    pub(crate) at: Offset,
    read: Overlay,
    archived: Overlay,
}

/// What becomes of a time that an entry has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlay {
    /// It stays.
    Keep,
    /// It is this one, where there was none.
    Fill(Timestamp),
    /// It is this one.
    Set(Option<Timestamp>),
}

/// The most changes that a block keeps apart. More, and every entry that is read pays for them;
/// fewer, and the states of its entries are written again more often.
pub(crate) const MAX_CHANGES: usize = 32;

impl Overlay {
    fn over(self, time: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Keep => time,
            Self::Fill(at) => Some(time.unwrap_or(at)),
            Self::Set(time) => time,
        }
    }

    /// First this one, then the other.
    fn then(self, next: Self) -> Self {
        match (self, next) {
            (first, Self::Keep) => first,
            (Self::Keep, next) | (_, next @ Self::Set(_)) => next,
            (first @ Self::Fill(_), Self::Fill(_)) => first,
            (Self::Set(time), Self::Fill(at)) => Self::Set(Some(time.unwrap_or(at))),
        }
    }

    fn write(self, row: &mut Vec<u8>) {
        let (kind, time) = match self {
            Self::Keep => (0, None),
            Self::Fill(at) => (1, Some(at)),
            Self::Set(None) => (2, None),
            Self::Set(Some(at)) => (3, Some(at)),
        };
        row.push(kind);
        if let Some(time) = time {
            row.extend_from_slice(&time.as_ms().to_be_bytes());
        }
    }

    fn read(row: &[u8]) -> Option<(Self, &[u8])> {
        let (kind, row) = row.split_first()?;
        Some(match kind {
            0 => (Self::Keep, row),
            2 => (Self::Set(None), row),
            1 | 3 => {
                let (at, row) = read_time(row)?;
                (if *kind == 1 { Self::Fill(at) } else { Self::Set(Some(at)) }, row)
            }
            _ => return None,
        })
    }
}

impl BlockChange {
    /// What a command does to all; none: it removes them, or only moves a mark.
    pub(crate) fn of(change: Change, at: Offset, time: Timestamp) -> Option<Self> {
        let overlay = |is_set: bool| if is_set { Overlay::Fill(time) } else { Overlay::Set(None) };
        let (read, archived) = match change {
            Change::Read(is_read) => (overlay(is_read), Overlay::Keep),
            Change::Archived(is_archived) => (Overlay::Keep, overlay(is_archived)),
            Change::Deleted | Change::Seen => return None,
        };
        Some(Self { at, read, archived })
    }

    pub(crate) fn over(&self, state: EntryState) -> EntryState {
        let read_at = self.read.over(state.read_at);
        let archived_at = self.archived.over(state.archived_at);
        EntryState { read_at, archived_at, written: Some(self.at) }
    }

    fn then(self, next: Self) -> Self {
        let (read, archived) = (self.read.then(next.read), self.archived.then(next.archived));
        Self { at: next.at, read, archived }
    }
}

impl BlockRow {
    /// Does this to all entries; false: it makes no difference to any.
    pub(crate) fn change(&mut self, change: BlockChange) -> bool {
        let after = self.counts.after(&change);
        if after == self.counts {
            return false;
        }
        self.counts = after;
        match self.changes.last_mut() {
            // Every entry is below both, or none was written in between.
            Some(last) if self.written.is_none_or(|at| at < last.at) => *last = last.then(change),
            _ => self.changes.push(change),
        }
        true
    }

    /// Once the states of all entries that were written alone are written again with what was done
    /// to the block since: one change is enough for the others.
    pub(crate) fn merge_changes(&mut self) {
        let mut changes = std::mem::take(&mut self.changes).into_iter();
        if let Some(first) = changes.next() {
            let merged = changes.fold(first, BlockChange::then);
            self.written = self.written.map(|at| at.max(merged.at));
            self.changes.push(merged);
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(48);
        row.extend_from_slice(&self.last.0.to_be_bytes());
        for time in [self.created_from, self.created_to] {
            row.extend_from_slice(&time.as_ms().to_be_bytes());
        }
        row.extend_from_slice(&self.written.unwrap_or(NEVER).0.to_be_bytes());
        let Counts { unread, read, archived_unread, archived_read } = self.counts;
        for count in [unread, read, archived_unread, archived_read] {
            write_number(&mut row, count);
        }
        for change in &self.changes {
            row.extend_from_slice(&change.at.0.to_be_bytes());
            change.read.write(&mut row);
            change.archived.write(&mut row);
        }
        row
    }

    pub(crate) fn read(first: Offset, row: &[u8]) -> Option<Self> {
        let (last, row) = read_offset(row)?;
        let (created_from, row) = read_time(row)?;
        let (created_to, row) = read_time(row)?;
        let (written, row) = read_offset(row)?;
        let (unread, row) = read_number(row)?;
        let (read, row) = read_number(row)?;
        let (archived_unread, row) = read_number(row)?;
        let (archived_read, mut row) = read_number(row)?;
        let mut changes = Vec::new();
        while !row.is_empty() {
            let (at, rest) = read_offset(row)?;
            let (read, rest) = Overlay::read(rest)?;
            let (archived, rest) = Overlay::read(rest)?;
            changes.push(BlockChange { at, read, archived });
            row = rest;
        }
        let counts = Counts { unread, read, archived_unread, archived_read };
        let written = Some(written).filter(|at| *at != NEVER);
        Some(Self { first, last, counts, created_from, created_to, changes, written })
    }
}

/// No command has it.
const NEVER: Offset = Offset(-1);

fn read_offset(row: &[u8]) -> Option<(Offset, &[u8])> {
    let (offset, row) = row.split_first_chunk()?;
    Some((Offset(i64::from_be_bytes(*offset)), row))
}

impl Counts {
    pub(crate) fn total(&self) -> u64 {
        self.unread + self.read + self.archived_unread + self.archived_read
    }

    pub(crate) fn of(&self, status: Status) -> u64 {
        match status {
            Status::Inbox => self.unread + self.read,
            Status::Unread => self.unread,
            Status::Read => self.read,
            Status::Archived => self.archived_unread + self.archived_read,
            Status::All => self.total(),
        }
    }

    pub(crate) fn add(&mut self, state: &EntryState) {
        *self.slot(state) += 1;
    }

    pub(crate) fn remove(&mut self, state: &EntryState) {
        let slot = self.slot(state);
        *slot = slot.saturating_sub(1);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        self.unread += other.unread;
        self.read += other.read;
        self.archived_unread += other.archived_unread;
        self.archived_read += other.archived_read;
    }

    fn after(self, change: &BlockChange) -> Self {
        let Self { unread, read, archived_unread, archived_read } = self;
        let read_or_not = match change.read {
            Overlay::Keep => self,
            Overlay::Set(None) => Self {
                unread: unread + read,
                read: 0,
                archived_unread: archived_unread + archived_read,
                archived_read: 0,
            },
            Overlay::Fill(_) | Overlay::Set(Some(_)) => Self {
                unread: 0,
                read: unread + read,
                archived_unread: 0,
                archived_read: archived_unread + archived_read,
            },
        };
        let Self { unread, read, archived_unread, archived_read } = read_or_not;
        let (unread, read) = (unread + archived_unread, read + archived_read);
        match change.archived {
            Overlay::Keep => read_or_not,
            Overlay::Set(None) => Self { unread, read, ..Self::default() },
            Overlay::Fill(_) | Overlay::Set(Some(_)) => {
                Self { archived_unread: unread, archived_read: read, ..Self::default() }
            }
        }
    }

    fn slot(&mut self, state: &EntryState) -> &mut u64 {
        match (state.archived_at.is_some(), state.read_at.is_some()) {
            (false, false) => &mut self.unread,
            (false, true) => &mut self.read,
            (true, false) => &mut self.archived_unread,
            (true, true) => &mut self.archived_read,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(ms: i64) -> Timestamp {
        Timestamp::from_ms_clamped(ms)
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![any::<bool>().prop_map(Change::Read), any::<bool>().prop_map(Change::Archived),]
    }

    proptest! {
        /// Commands on the whole block and on single entries, kept in the block's row, and the same
        /// done to every entry at once.
        #[test]
        fn changes_of_a_block_come_to_the_same_as_changes_of_its_entries(
            commands in prop::collection::vec((change(), prop::option::of(0..5usize)), 0..60),
            merged_at in prop::collection::vec(any::<bool>(), 60),
        ) {
            let mut block = BlockRow {
                first: Offset(0), last: Offset(4),
                counts: Counts { unread: 5, ..Counts::default() },
                created_from: time(0), created_to: time(0), changes: Vec::new(), written: None,
            };
            let mut eager = [EntryState::default(); 5];
            let mut lazy = [EntryState::default(); 5];
            for ((at, (change, which)), is_merged) in (5..).zip(commands).zip(merged_at) {
                let (at, now) = (Offset(at), time(at));
                match which {
                    None => {
                        eager = eager.map(|state| state.after(change, now).unwrap());
                        block.change(BlockChange::of(change, at, now).unwrap());
                    }
                    Some(n) => {
                        eager[n] = eager[n].after(change, now).unwrap();
                        let seen = lazy[n].under(&block.changes);
                        let after = seen.after(change, now).unwrap();
                        block.counts.remove(&seen);
                        block.counts.add(&after);
                        lazy[n] = EntryState { written: Some(at), ..after };
                        block.written = Some(at);
                    }
                }
                if is_merged {
                    let merged_at = block.changes.last().map(|change| change.at);
                    for state in lazy.iter_mut().filter(|state| state.written.is_some()) {
                        *state = EntryState { written: state.written.max(merged_at), ..state.under(&block.changes) };
                    }
                    block.merge_changes();
                }
                let mut counts = Counts::default();
                for (eager, lazy) in eager.iter().zip(&lazy) {
                    let shown = lazy.under(&block.changes);
                    prop_assert_eq!((shown.read_at, shown.archived_at), (eager.read_at, eager.archived_at));
                    counts.add(eager);
                }
                prop_assert_eq!(block.counts, counts);
                prop_assert_eq!(BlockRow::read(Offset(0), &block.write()), Some(block.clone()));
            }
        }

        #[test]
        fn no_row_panics(row: Vec<u8>) {
            let _ = BlockRow::read(Offset(0), &row);
        }
    }
}
