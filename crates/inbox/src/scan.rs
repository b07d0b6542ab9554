//! Reading one user's rows at one moment.

use std::iter::Peekable;
use std::ops::Range;

use fjall::{Iter, Readable, Slice, Snapshot};
use models::{Offset, Partition, UserId};

use crate::InboxError;
use crate::block_row::BlockRow;
use crate::entry_row::EntryHeader;
use crate::index_rows as index;
use crate::rows::{self, EntryKey, HeadRow};
use crate::spaces::{ENTRIES, HEADS, INDEX, Spaces};
use crate::state_row::EntryState;

/// A user's rows, as they are in the store at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'a> {
    pub(crate) partition: Partition,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) spaces: &'a Spaces,
    pub(crate) user: &'a UserId,
}

/// An entry and its own state, without what was done to its block.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) offset: Offset,
    pub(crate) row: Slice,
    pub(crate) state: EntryState,
}

impl Scan<'_> {
    pub(crate) fn head(&self) -> Result<HeadRow, InboxError> {
        let row = self.snapshot.get(&self.spaces.heads, self.user.as_str());
        match row.map_err(InboxError::failed(self.partition, "read a head"))? {
            None => Ok(HeadRow::NOTHING),
            Some(row) => HeadRow::read(&row).ok_or(self.unreadable(HEADS)),
        }
    }

    pub(crate) fn entry(&self, offset: Offset) -> Result<Option<Stored>, InboxError> {
        let get = |key| {
            let row = self.snapshot.get(&self.spaces.entries, key);
            row.map_err(InboxError::failed(self.partition, "read an entry"))
        };
        let Some(row) = get(rows::entry_key(self.user, offset))? else { return Ok(None) };
        let state = match get(rows::state_key(self.user, offset))? {
            None => EntryState::default(),
            Some(row) => EntryState::read(&row).ok_or(self.unreadable(ENTRIES))?,
        };
        Ok(Some(Stored { offset, row, state }))
    }

    /// The entries in this range, newest first.
    pub(crate) fn entries(&self, range: Range<Offset>) -> Entries {
        let keys = rows::entry_keys(self.user, range);
        Entries {
            partition: self.partition,
            prefix_length: rows::entry_prefix(self.user).len(),
            rows: keys.map(|keys| rows_of(self.snapshot.range(&self.spaces.entries, keys))),
        }
    }

    /// The entries in this range, oldest first.
    pub(crate) fn entries_up(
        &self,
        range: Range<Offset>,
    ) -> impl Iterator<Item = Result<Stored, InboxError>> + use<> {
        let (partition, prefix_length) = (self.partition, rows::entry_prefix(self.user).len());
        let keys = rows::entry_keys(self.user, range);
        let rows = keys.map(|keys| self.snapshot.range(&self.spaces.entries, keys).rev());
        // From behind, an entry's state comes before it.
        let mut last_state = None;
        let mut stored = move |row: fjall::Guard| {
            let row = row.into_inner();
            let (key, row) = row.map_err(InboxError::failed(partition, "read an entry"))?;
            let unreadable = InboxError::UnreadableRow { partition, keyspace: ENTRIES };
            match EntryKey::read(&key, prefix_length) {
                Some(EntryKey::State(offset)) => {
                    let state = EntryState::read(&row).ok_or(unreadable)?;
                    last_state = Some((offset, state));
                    Ok(None)
                }
                Some(EntryKey::Entry(offset)) => {
                    let state = last_state.take().filter(|(of, _)| *of == offset);
                    let state = state.map_or_else(EntryState::default, |(_, state)| state);
                    Ok(Some(Stored { offset, row, state }))
                }
                None => Err(unreadable),
            }
        };
        rows.into_iter().flatten().filter_map(move |row| stored(row).transpose())
    }

    /// The closed blocks that begin at this offset or before it, newest first.
    pub(crate) fn blocks_to(
        &self,
        newest: Offset,
    ) -> impl Iterator<Item = Result<BlockRow, InboxError>> + use<> {
        let keys = index::block_keys_to(self.user, newest);
        let partition = self.partition;
        self.snapshot.range(&self.spaces.index, keys).map(move |row| {
            let row = row.into_inner();
            let (key, row) = row.map_err(InboxError::failed(partition, "read a block"))?;
            let first = index::first_of_block_key(&key);
            let block = first.and_then(|first| BlockRow::read(first, &row));
            block.ok_or(InboxError::UnreadableRow { partition, keyspace: INDEX })
        })
    }

    pub(crate) fn header(&self, stored: &Stored) -> Result<EntryHeader, InboxError> {
        let header = EntryHeader::read(&stored.row).map(|(header, _)| header);
        header.ok_or(self.unreadable(ENTRIES))
    }

    pub(crate) fn unreadable(&self, keyspace: &'static str) -> InboxError {
        InboxError::UnreadableRow { partition: self.partition, keyspace }
    }
}

/// Entries one after the other, each with its state, which lies behind it.
pub(crate) struct Entries {
    partition: Partition,
    prefix_length: usize,
    rows: Option<Rows>,
}

type Row = Result<(Slice, Slice), fjall::Error>;
type Rows = Peekable<std::iter::Map<Iter, fn(fjall::Guard) -> Row>>;

fn rows_of(iter: Iter) -> Rows {
    let into_row: fn(fjall::Guard) -> Row = fjall::Guard::into_inner;
    iter.map(into_row).peekable()
}

impl Entries {
    fn stored(&mut self, row: Row) -> Result<Stored, InboxError> {
        let unreadable = InboxError::UnreadableRow { partition: self.partition, keyspace: ENTRIES };
        let (key, row) = row.map_err(InboxError::failed(self.partition, "read an entry"))?;
        let Some(EntryKey::Entry(offset)) = EntryKey::read(&key, self.prefix_length) else {
            return Err(unreadable);
        };
        let is_its_state = |next: &Row| {
            let key = next.as_ref().ok().map(|(key, _)| key);
            key.and_then(|key| EntryKey::read(key, self.prefix_length))
                == Some(EntryKey::State(offset))
        };
        let state = match self.rows.as_mut().and_then(|rows| rows.next_if(is_its_state)) {
            Some(Ok((_, state))) => EntryState::read(&state).ok_or(unreadable)?,
            // An error is not taken for the state.
            Some(Err(_)) | None => EntryState::default(),
        };
        Ok(Stored { offset, row, state })
    }
}

impl Iterator for Entries {
    type Item = Result<Stored, InboxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.as_mut()?.next()?;
        Some(self.stored(row))
    }
}
