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
    /// New rows of entries; none: the entry is no more.
    entries: BTreeMap<Offset, Option<Slice>>,
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
        inbox.entries.insert(offset, Some(row.into()));
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
        let row = match inbox.entries.get(&offset) {
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
        let new = inbox.entries.range(..before);
        let new: Vec<_> = new.filter_map(|(at, row)| Some((*at, row.clone()?))).collect();
        for (offset, row) in new {
            inbox.change(offset, &row, change).ok_or_else(unreadable)?;
        }
        let Some(keys) = rows::entry_keys_below(user_id, before) else { return Ok(()) };
        for row in spaces.entries.range(keys) {
            let row = row.into_inner();
            let (key, row) = row.map_err(InboxError::failed(partition, "read an entry"))?;
            let offset = rows::offset_of_entry_key(&key).ok_or_else(unreadable)?;
            if !inbox.entries.contains_key(&offset) {
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
        let new = inbox.entries.range(before..).filter(|(_, row)| row.is_some()).count();
        let mut unseen_count = new as u64;
        for row in spaces.entries.range(keys) {
            let key = row.key().map_err(InboxError::failed(partition, "read an entry"))?;
            let offset = rows::offset_of_entry_key(&key).ok_or(unreadable_entry(partition))?;
            if !inbox.entries.contains_key(&offset) {
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
        for (user_id, inbox) in touched {
            for (offset, row) in inbox.entries {
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
                rows.insert(heads, user_id.as_str(), inbox.head.write());
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
        Ok(vacant.insert(Inbox { stored_head: head, head, entries: BTreeMap::new() }))
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
        self.entries.insert(offset, row);
        Some(())
    }
}

fn unreadable_entry(partition: Partition) -> InboxError {
    InboxError::UnreadableRow { partition, keyspace: ENTRIES }
}
