//! One user's inbox while records are folded into it.

use std::ops::Range;

use models::{Change, Offset, Timestamp};

use crate::InboxError;
use crate::block_row::{BlockChange, BlockRow, Counts};
use crate::entry_row::EntryHeader;
use crate::overlay::{Overlay, Sight};
use crate::rows::HeadRow;
use crate::scan::{Scan, Stored};
use crate::state_row::EntryState;

/// A user's inbox, and what a fold keeps of it beside.
pub(crate) struct Inbox {
    /// What is different in it.
    pub(crate) overlay: Overlay,
    pub(crate) stored_head: HeadRow,
    /// Entries that are gone and had a time to expire at.
    pub(super) no_longer_due: Vec<(Timestamp, Offset)>,
    /// Entries of a block. Where a command ends fewer than half as many their rows are removed with
    /// it; more are swept.
    block_entries: u64,
    /// Rows below it are to be swept.
    pub(super) purge_below: Option<Offset>,
    /// Rows and blocks looked at.
    pub(super) work: usize,
}

/// An entry as it is so far.
pub(super) struct Item {
    offset: Offset,
    header: EntryHeader,
    /// Its own state, without what was done to its block.
    state: EntryState,
}

/// A command on a part of an inbox.
#[derive(Clone, Copy)]
pub(super) struct Command {
    pub(super) at: Offset,
    pub(super) time: Timestamp,
    pub(super) change: Change,
}

impl Inbox {
    pub(super) fn new(head: HeadRow, block_entries: u64) -> Self {
        Self {
            overlay: Overlay::nothing(head),
            stored_head: head,
            block_entries,
            no_longer_due: Vec::new(),
            purge_below: None,
            work: 0,
        }
    }

    /// What is different in it by now is being stored, and there is nothing else.
    pub(super) fn after(storing: &Self) -> Self {
        let overlay = storing.overlay.clone();
        let stored_head = overlay.head;
        Self { overlay, stored_head, ..Self::new(stored_head, storing.block_entries) }
    }

    /// A notification comes in; true: it closes a block.
    pub(super) fn add(&mut self, offset: Offset, row: &[u8]) -> bool {
        self.overlay.new.push((offset, row.into()));
        let head = &mut self.overlay.head;
        head.total_count += 1;
        head.unread_count += 1;
        // `seen_to` is never behind the command that set it, and so never behind this.
        head.unseen_count += 1;
        head.tail_len += 1;
        head.tail_len >= self.block_entries
    }

    /// The tail becomes a block, which ends with this entry.
    pub(super) fn close_block(&mut self, scan: Scan<'_>, last: Offset) -> Result<(), InboxError> {
        let first = self.overlay.head.tail_from;
        let mut counts = Counts::default();
        let mut created: Option<(Timestamp, Timestamp)> = None;
        for item in self.entries(scan, self.from(first)..last.next())? {
            counts.add(&item.state);
            let at = item.header.created_at;
            created = Some(created.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
        }
        (self.overlay.head.tail_from, self.overlay.head.tail_len) = (last.next(), 0);
        if let Some((created_from, created_to)) = created {
            let (changes, written) = (Vec::new(), None);
            let block =
                BlockRow { first, last, counts, created_from, created_to, changes, written };
            self.overlay.blocks.insert(first, Some(block));
        }
        Ok(())
    }

    /// One notification changes, if it is there.
    pub(super) fn change(
        &mut self,
        scan: Scan<'_>,
        offset: Offset,
        command: Command,
    ) -> Result<(), InboxError> {
        self.work += 1;
        let Some(item) = self.entry(scan, offset)? else { return Ok(()) };
        let Some(mut block) = self.in_sight_of(scan).block_at(offset)? else {
            self.change_item(&item, &[], command);
            return Ok(());
        };
        self.change_in_block(&item, &mut block, command);
        Ok(())
    }

    /// All notifications below an offset change.
    pub(super) fn change_below(
        &mut self,
        scan: Scan<'_>,
        before: Offset,
        command: Command,
    ) -> Result<(), InboxError> {
        let Command { change, at, time } = command;
        let Some(of_block) = BlockChange::of(change, at, time) else {
            return self.drop_below(scan, before);
        };
        for item in self.entries(scan, self.from(self.overlay.head.tail_from)..before)? {
            self.change_item(&item, &[], command);
        }
        for mut block in self.blocks_below(scan, before)? {
            if block.last >= before {
                for item in self.entries(scan, self.from(block.first)..before)? {
                    self.change_in_block(&item, &mut block, command);
                }
                continue;
            }
            let unread = block.counts.unread;
            if !block.change(of_block) {
                continue;
            }
            let unread_count = self.overlay.head.unread_count.saturating_sub(unread);
            self.overlay.head.unread_count = unread_count + block.counts.unread;
            if block.changes.len() > crate::block_row::MAX_CHANGES {
                self.merge_changes(scan, &mut block)?;
            }
            self.overlay.blocks.insert(block.first, Some(block));
        }
        Ok(())
    }

    /// All notifications below an offset are gone.
    pub(super) fn drop_below(&mut self, scan: Scan<'_>, before: Offset) -> Result<(), InboxError> {
        let mut gone = Counts::default();
        for item in self.entries(scan, self.from(self.overlay.head.tail_from)..before)? {
            gone.add(&item.state);
        }
        for mut block in self.blocks_below(scan, before)? {
            if block.last < before {
                gone.add_all(&block.counts);
                self.overlay.blocks.insert(block.first, None);
                continue;
            }
            for item in self.entries(scan, self.from(block.first)..before)? {
                let state = item.state.under(&block.changes);
                gone.add(&state);
                block.counts.remove(&state);
            }
            let is_left = block.counts.total() > 0;
            self.overlay.blocks.insert(block.first, is_left.then_some(block));
        }
        let total = gone.total();
        if total == 0 {
            return Ok(());
        }
        if total <= self.block_entries / 2 {
            for item in self.entries(scan, self.overlay.head.floor..before)? {
                self.remove(&item);
            }
        } else {
            self.purge_below = Some(before);
            self.overlay.head.floor = before;
        }
        let head = &mut self.overlay.head;
        head.total_count = head.total_count.saturating_sub(total);
        head.unread_count = head.unread_count.saturating_sub(gone.unread);
        if head.seen_to < before {
            // What is left lies behind `before`.
            head.unseen_count = head.total_count;
        }
        Ok(())
    }

    /// The user has seen all below an offset.
    pub(super) fn see_below(&mut self, scan: Scan<'_>, before: Offset) -> Result<(), InboxError> {
        if before <= self.overlay.head.seen_to {
            return Ok(());
        }
        let from = before.max(self.from(self.overlay.head.tail_from));
        let mut unseen_count = self.entries(scan, from..END)?.len() as u64;
        for block in self.blocks_below(scan, END)? {
            if block.last < before {
                continue;
            }
            unseen_count += if block.first >= before {
                block.counts.total()
            } else {
                let from = before.max(self.overlay.head.floor);
                self.entries(scan, from..block.last.next())?.len() as u64
            };
        }
        self.overlay.head = HeadRow { seen_to: before, unseen_count, ..self.overlay.head };
        Ok(())
    }

    fn change_in_block(&mut self, item: &Item, block: &mut BlockRow, command: Command) {
        let Some((before, after)) = self.change_item(item, &block.changes, command) else { return };
        block.counts.remove(&before);
        if let Some(after) = after {
            block.counts.add(&after);
        }
        block.written = Some(command.at);
        let is_left = block.counts.total() > 0;
        self.overlay.blocks.insert(block.first, is_left.then(|| block.clone()));
    }

    /// Changes one entry and the head's counts; what it was and what it is, if that is different.
    fn change_item(
        &mut self,
        item: &Item,
        of_block: &[BlockChange],
        command: Command,
    ) -> Option<(EntryState, Option<EntryState>)> {
        let before = item.state.under(of_block);
        let after = before.after(command.change, command.time);
        if after == Some(before) {
            return None;
        }
        let head = &mut self.overlay.head;
        let is_unread = |state: &EntryState| state.read_at.is_none() && state.archived_at.is_none();
        match (is_unread(&before), after.as_ref().is_some_and(is_unread)) {
            (true, false) => head.unread_count = head.unread_count.saturating_sub(1),
            (false, true) => head.unread_count += 1,
            (true, true) | (false, false) => {}
        }
        let Some(after) = after else {
            head.total_count = head.total_count.saturating_sub(1);
            if item.offset >= head.seen_to {
                head.unseen_count = head.unseen_count.saturating_sub(1);
            }
            self.remove(item);
            return Some((before, None));
        };
        let after = EntryState { written: Some(command.at), ..after };
        self.overlay.changed.insert(item.offset, Some(after));
        Some((before, Some(after)))
    }

    fn remove(&mut self, item: &Item) {
        self.overlay.changed.insert(item.offset, None);
        if let Some(expires_at) = item.header.expires_at {
            self.no_longer_due.push((expires_at, item.offset));
        }
    }

    /// Entries that were changed alone take over what was done to the block since; then one change
    /// is enough for the others.
    fn merge_changes(&mut self, scan: Scan<'_>, block: &mut BlockRow) -> Result<(), InboxError> {
        let merged_at = block.changes.last().map(|change| change.at);
        for item in self.entries(scan, self.from(block.first)..block.last.next())? {
            let Some(written) = item.state.written else { continue };
            let written = Some(written).max(merged_at);
            let state = EntryState { written, ..item.state.under(&block.changes) };
            self.overlay.changed.insert(item.offset, Some(state));
        }
        block.merge_changes();
        Ok(())
    }

    fn from(&self, first: Offset) -> Offset {
        first.max(self.overlay.head.floor)
    }

    fn entry(&self, scan: Scan<'_>, offset: Offset) -> Result<Option<Item>, InboxError> {
        if offset < self.overlay.head.floor {
            return Ok(None);
        }
        let stored = self.in_sight_of(scan).entry(offset)?;
        stored.map(|stored| item(scan, &stored)).transpose()
    }

    /// The entries in this range, newest first.
    fn entries(&mut self, scan: Scan<'_>, range: Range<Offset>) -> Result<Vec<Item>, InboxError> {
        let entries = self.in_sight_of(scan).entries(range);
        let items = entries.map(|stored| item(scan, &stored?)).collect::<Result<Vec<_>, _>>()?;
        self.work += items.len();
        Ok(items)
    }

    /// The closed blocks that begin below an offset, newest first.
    fn blocks_below(
        &mut self,
        scan: Scan<'_>,
        before: Offset,
    ) -> Result<Vec<BlockRow>, InboxError> {
        let newest = Offset(before.0.saturating_sub(1));
        let blocks = self.in_sight_of(scan).blocks_to(newest).collect::<Result<Vec<_>, _>>()?;
        self.work += blocks.len();
        Ok(blocks)
    }

    fn in_sight_of<'a>(&'a self, scan: Scan<'a>) -> Sight<'a> {
        Sight { scan, overlay: &self.overlay }
    }
}

fn item(scan: Scan<'_>, stored: &Stored) -> Result<Item, InboxError> {
    Ok(Item { offset: stored.offset, header: scan.header(stored)?, state: stored.state })
}

/// Behind every offset.
const END: Offset = Offset(i64::MAX);
