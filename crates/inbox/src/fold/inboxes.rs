//! The users' inboxes while a batch is folded into them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use fjall::{OwnedWriteBatch, Slice};
use models::{Offset, Partition, UserId};

use crate::InboxError;
use crate::entry_row::{EntryChange, EntryHeader};
use crate::rows::{self, HeadRow};
use crate::spaces::{ENTRIES, HEADS, Spaces};

/// The inboxes in the store, with what the batch has changed of them so far.
pub(super) struct Inboxes<'a> {
    partition: Partition,
    spaces: &'a Spaces,
    touched: HashMap<UserId, Inbox>,
}

/// What is different in a user's inbox.
struct Inbox {
    stored_head: HeadRow,
    head: HeadRow,
    /// The rows of entries that came with the batch, in the order of the log; none: the entry is
    /// no more.
    new: Vec<(Offset, Option<Slice>)>,
    /// Those of entries that changed. A map of its own, because most batches change nothing, and
    /// an empty map takes no memory.
    changed: BTreeMap<Offset, Option<Slice>>,
}

impl<'a> Inboxes<'a> {
    pub(super) fn new(partition: Partition, spaces: &'a Spaces) -> Self {
        Self { partition, spaces, touched: HashMap::new() }
    }

    /// A notification comes in.
    pub(super) fn add(
        &mut self,
        user_id: UserId,
        offset: Offset,
        row: &[u8],
    ) -> Result<(), InboxError> {
        let inbox = self.touch(user_id)?;
        inbox.new.push((offset, Some(row.into())));
        inbox.head.total_count += 1;
        inbox.head.unread_count += 1;
        // `seen_to` is never behind the command that set it, and so never behind this.
        inbox.head.unseen_count += 1;
        Ok(())
    }

    /// One notification changes, if it is there.
    pub(super) fn change(
        &mut self,
        user_id: &UserId,
        offset: Offset,
        change: EntryChange,
    ) -> Result<(), InboxError> {
        let (partition, spaces) = (self.partition, self.spaces);
        let inbox = self.touch(user_id.clone())?;
        let row = match inbox.row(offset) {
            Some(row) => row.clone(),
            None => {
                let row = spaces.entries.get(rows::entry_key(user_id, offset));
                row.map_err(InboxError::failed(partition, "read an entry"))?
            }
        };
        match row {
            Some(row) => inbox.change(offset, &row, change).ok_or(unreadable_entry(partition)),
            None => Ok(()),
        }
    }

    /// All notifications below an offset change.
    ///
    /// Reads all of them, and keeps those that are different afterwards in memory.
    pub(super) fn change_below(
        &mut self,
        user_id: &UserId,
        before: Offset,
        change: EntryChange,
    ) -> Result<(), InboxError> {
        let (partition, spaces) = (self.partition, self.spaces);
        let unreadable = || unreadable_entry(partition);
        let inbox = self.touch(user_id.clone())?;
        for (offset, row) in inbox.rows_below(before) {
            inbox.change(offset, &row, change).ok_or_else(unreadable)?;
        }
        let Some(keys) = rows::entry_keys_below(user_id, before) else { return Ok(()) };
        for row in spaces.entries.range(keys) {
            let row = row.into_inner();
            let (key, row) = row.map_err(InboxError::failed(partition, "read an entry"))?;
            let offset = rows::offset_of_entry_key(&key).ok_or_else(unreadable)?;
            if inbox.row(offset).is_none() {
                inbox.change(offset, &row, change).ok_or_else(unreadable)?;
            }
        }
        Ok(())
    }

    /// The user has seen all below an offset.
    pub(super) fn see_below(&mut self, user_id: UserId, before: Offset) -> Result<(), InboxError> {
        let (partition, spaces) = (self.partition, self.spaces);
        let keys = rows::entry_keys_from(&user_id, before);
        let inbox = self.touch(user_id)?;
        if before <= inbox.head.seen_to {
            return Ok(());
        }
        let mut unseen_count = inbox.count_from(before);
        for row in spaces.entries.range(keys) {
            let key = row.key().map_err(InboxError::failed(partition, "read an entry"))?;
            let offset = rows::offset_of_entry_key(&key).ok_or(unreadable_entry(partition))?;
            if inbox.row(offset).is_none() {
                unseen_count += 1;
            }
        }
        inbox.head = HeadRow { seen_to: before, unseen_count, ..inbox.head };
        Ok(())
    }

    /// Hands out all rows that are different.
    pub(super) fn write(&mut self, rows: &mut OwnedWriteBatch) {
        let Spaces { entries, heads, .. } = self.spaces;
        // Neighbours in the store one after the other.
        let mut touched: Vec<_> = self.touched.drain().collect();
        touched.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut head = Vec::new();
        for (user_id, inbox) in touched {
            for (offset, row) in inbox.changed.into_iter().chain(inbox.new) {
                let key = rows::entry_key(&user_id, offset);
                match row {
                    Some(row) => rows.insert(entries, key, row),
                    None => rows.remove(entries, key),
                }
            }
            if inbox.head == inbox.stored_head {
                continue;
            }
            // A head that says nothing is no row, so that it makes no difference whether a
            // notification and its end came in one batch.
            if inbox.head == HeadRow::NOTHING {
                rows.remove(heads, user_id.as_str());
            } else {
                head.clear();
                inbox.head.write(&mut head);
                rows.insert(heads, user_id.as_str(), head.as_slice());
            }
        }
    }

    fn touch(&mut self, user_id: UserId) -> Result<&mut Inbox, InboxError> {
        let partition = self.partition;
        let vacant = match self.touched.entry(user_id) {
            Entry::Occupied(inbox) => return Ok(inbox.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let row = self.spaces.heads.get(vacant.key().as_str());
        let head = match row.map_err(InboxError::failed(partition, "read a head"))? {
            None => HeadRow::NOTHING,
            Some(row) => {
                let unreadable = InboxError::UnreadableRow { partition, keyspace: HEADS };
                HeadRow::read(&row).ok_or(unreadable)?
            }
        };
        let (new, changed) = (Vec::new(), BTreeMap::new());
        Ok(vacant.insert(Inbox { stored_head: head, head, new, changed }))
    }
}

impl Inbox {
    /// Changes an entry that has this row; none: the row is no entry's.
    fn change(&mut self, offset: Offset, row: &Slice, change: EntryChange) -> Option<()> {
        let (before, json) = EntryHeader::read(row)?;
        let after = before.after(change);
        if after == Some(before) {
            return Some(());
        }
        let head = &mut self.head;
        let is_unread = after.is_some_and(|after| after.is_unread());
        match (before.is_unread(), is_unread) {
            (true, false) => head.unread_count = head.unread_count.saturating_sub(1),
            (false, true) => head.unread_count += 1,
            (true, true) | (false, false) => {}
        }
        if after.is_none() {
            head.total_count = head.total_count.saturating_sub(1);
            if offset >= head.seen_to {
                head.unseen_count = head.unseen_count.saturating_sub(1);
            }
        }
        let row = after.map(|after| {
            let mut row = Vec::with_capacity(row.len() + 16);
            after.write(&mut row);
            row.extend_from_slice(json);
            row.into()
        });
        match self.new.binary_search_by_key(&offset, |(at, _)| *at) {
            Ok(index) => self.new.get_mut(index)?.1 = row,
            Err(_) => {
                self.changed.insert(offset, row);
            }
        }
        Some(())
    }

    /// What the batch made of an entry; none: nothing yet.
    fn row(&self, offset: Offset) -> Option<&Option<Slice>> {
        match self.new.binary_search_by_key(&offset, |(at, _)| *at) {
            Ok(index) => self.new.get(index).map(|(_, row)| row),
            Err(_) => self.changed.get(&offset),
        }
    }

    /// The entries below an offset that the batch brought or changed, and that are still there.
    fn rows_below(&self, before: Offset) -> Vec<(Offset, Slice)> {
        let new = self.new.iter().map(|(at, row)| (at, row)).filter(|(at, _)| **at < before);
        let rows = self.changed.range(..before).chain(new);
        rows.filter_map(|(at, row)| Some((*at, row.clone()?))).collect()
    }

    /// How many of them are there from an offset on.
    fn count_from(&self, first: Offset) -> u64 {
        let new = self.new.iter().filter(|(at, row)| *at >= first && row.is_some()).count();
        let changed = self.changed.range(first..).filter(|(_, row)| row.is_some()).count();
        (new + changed) as u64
    }
}

fn unreadable_entry(partition: Partition) -> InboxError {
    InboxError::UnreadableRow { partition, keyspace: ENTRIES }
}
