//! One user's inbox, where it differs from what the store holds.

use std::collections::BTreeMap;
use std::ops::Range;

use fjall::Slice;
use models::Offset;

use crate::InboxError;
use crate::block_row::{BlockRow, Counts};
use crate::rows::HeadRow;
use crate::scan::{Scan, Stored};
use crate::state_row::EntryState;

/// What is different in a user's inbox.
#[derive(Clone)]
pub(crate) struct Overlay {
    pub(crate) head: HeadRow,
    /// The rows of new entries, in the order of the log: all of them behind those in the store.
    pub(crate) new: Vec<(Offset, Slice)>,
    /// The states of entries that were changed; none: the entry is no more. A map of its own,
    /// because most records change nothing, and an empty map takes no memory.
    pub(crate) changed: BTreeMap<Offset, Option<EntryState>>,
    /// Blocks that are different, by where they begin; none: the block is no more.
    pub(crate) blocks: BTreeMap<Offset, Option<BlockRow>>,
}

/// An inbox as it is: what the store holds, and what is different.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) scan: Scan<'a>,
    pub(crate) overlay: &'a Overlay,
}

impl Overlay {
    /// Nothing is different.
    pub(crate) fn nothing(head: HeadRow) -> Self {
        Self { head, new: Vec::new(), changed: BTreeMap::new(), blocks: BTreeMap::new() }
    }

    /// What is pending of an inbox; where nothing is, its head in the store.
    pub(crate) fn or_stored(pending: Option<Self>, scan: Scan<'_>) -> Result<Self, InboxError> {
        pending.map_or_else(|| scan.head().map(Self::nothing), Ok)
    }

    /// Leaves out what is in the store by now: all that was different below this offset.
    pub(crate) fn leave_out(&mut self, stored: &Self, below: Offset) {
        self.new.drain(..self.new.partition_point(|(offset, _)| *offset < below));
        self.changed.retain(|offset, state| stored.changed.get(offset) != Some(state));
        self.blocks.retain(|first, block| stored.blocks.get(first) != Some(block));
    }

    pub(crate) fn is_new(&self, offset: Offset) -> bool {
        self.new_at(offset).is_some()
    }

    fn new_at(&self, offset: Offset) -> Option<&Slice> {
        let index = self.new.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
        self.new.get(index).map(|(_, row)| row)
    }

    /// The new entries in this range.
    fn new_in(&self, range: &Range<Offset>) -> &[(Offset, Slice)] {
        let place_of = |end: Offset| self.new.partition_point(|(offset, _)| *offset < end);
        self.new.get(place_of(range.start)..place_of(range.end)).unwrap_or_default()
    }

    /// An entry with the state that it has now, if it is still there.
    fn as_changed(&self, stored: Stored) -> Option<Stored> {
        match self.changed.get(&stored.offset) {
            None => Some(stored),
            Some(state) => state.map(|state| Stored { state, ..stored }),
        }
    }
}

fn as_new((offset, row): &(Offset, Slice)) -> Stored {
    Stored { offset: *offset, row: row.clone(), state: EntryState::default() }
}

impl<'a> Sight<'a> {
    pub(crate) fn entry(self, offset: Offset) -> Result<Option<Stored>, InboxError> {
        let found = match self.overlay.new_at(offset) {
            Some(row) => Some(as_new(&(offset, row.clone()))),
            None => self.scan.entry(offset)?,
        };
        Ok(found.and_then(|stored| self.overlay.as_changed(stored)))
    }

    /// The entries in this range, newest first.
    pub(crate) fn entries(
        self,
        range: Range<Offset>,
    ) -> impl Iterator<Item = Result<Stored, InboxError>> + use<'a> {
        let Self { scan, overlay } = self;
        let new = overlay.new_in(&range).iter().rev().map(as_new).map(Ok);
        new.chain(scan.entries(range)).filter_map(|stored| match stored {
            Ok(stored) => overlay.as_changed(stored).map(Ok),
            Err(error) => Some(Err(error)),
        })
    }

    /// The same, oldest first.
    pub(crate) fn entries_up(
        self,
        range: Range<Offset>,
    ) -> impl Iterator<Item = Result<Stored, InboxError>> + use<'a> {
        let Self { scan, overlay } = self;
        let new = overlay.new_in(&range).iter().map(as_new).map(Ok);
        scan.entries_up(range).chain(new).filter_map(|stored| match stored {
            Ok(stored) => overlay.as_changed(stored).map(Ok),
            Err(error) => Some(Err(error)),
        })
    }

    /// The closed block that this offset is in.
    pub(crate) fn block_at(self, offset: Offset) -> Result<Option<BlockRow>, InboxError> {
        if offset >= self.overlay.head.tail_from {
            return Ok(None);
        }
        let block = self.blocks_to(offset).next().transpose()?;
        Ok(block.filter(|block| offset <= block.last))
    }

    /// The closed blocks that begin at this offset or before it, newest first.
    pub(crate) fn blocks_to(
        self,
        newest: Offset,
    ) -> impl Iterator<Item = Result<BlockRow, InboxError>> + use<'a> {
        let Self { scan, overlay: Overlay { head, blocks, .. } } = self;
        // Most inboxes never had one.
        let has_blocks = head.tail_from > Offset(0);
        let stored = has_blocks.then(|| scan.blocks_to(newest)).into_iter().flatten();
        let mut stored = stored
            .filter(|block| block.as_ref().map_or(true, |it| !blocks.contains_key(&it.first)))
            .peekable();
        let different = blocks.range(..=newest).rev();
        let mut different = different.filter_map(|(_, block)| block.clone()).peekable();
        std::iter::from_fn(move || {
            let is_stored_next = match (different.peek(), stored.peek()) {
                (Some(one), Some(Ok(other))) => other.first > one.first,
                (None, _) | (_, Some(Err(_))) => true,
                (Some(_), None) => false,
            };
            if is_stored_next { stored.next() } else { different.next().map(Ok) }
        })
    }

    /// What there is of a block from an offset on.
    pub(crate) fn counts_from(self, block: &BlockRow, first: Offset) -> Result<Counts, InboxError> {
        if first <= block.first {
            return Ok(block.counts);
        }
        let mut counts = Counts::default();
        for entry in self.entries(first..block.last.next()) {
            counts.add(&entry?.state.under(&block.changes));
        }
        Ok(counts)
    }
}
