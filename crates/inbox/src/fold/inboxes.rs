//! The users' inboxes while a batch is folded into them.

use std::collections::{BTreeMap, HashMap};

use fjall::{OwnedWriteBatch, Readable, Snapshot};
use models::{Changed, Offset, Partition, Timestamp, UserId};

use super::inbox::{Command, Inbox};
use crate::InboxError;
use crate::change_row::write_change;
use crate::index_rows as index;
use crate::rows::{self, HeadRow};
use crate::scan::Scan;
use crate::spaces::{INDEX, Spaces};

/// Bytes of recent changes that are kept of an inbox. Larger takes more disk for each user; smaller,
/// and streams that were away for long have to begin anew.
const MAX_CHANGES_BYTES: u64 = 64 * 1024;

/// The inboxes in the store, with what the batch has changed of them so far.
pub(super) struct Inboxes<'a> {
    partition: Partition,
    snapshot: &'a Snapshot,
    spaces: &'a Spaces,
    block_entries: u64,
    log_start: Offset,
    touched: HashMap<UserId, Inbox>,
    /// Rows of the index that are different; none: the row is no more.
    index: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Rows looked at for commands.
    pub(super) work: usize,
}

impl<'a> Inboxes<'a> {
    pub(super) fn new(
        partition: Partition,
        snapshot: &'a Snapshot,
        spaces: &'a Spaces,
        block_entries: u64,
        log_start: Offset,
    ) -> Self {
        Self {
            partition,
            snapshot,
            spaces,
            block_entries,
            log_start,
            touched: HashMap::new(),
            index: BTreeMap::new(),
            work: 0,
        }
    }

    /// A notification comes in.
    pub(super) fn add(
        &mut self,
        user_id: &UserId,
        offset: Offset,
        row: &[u8],
        expires_at: Option<Timestamp>,
    ) -> Result<(), InboxError> {
        let (scan, inbox) = self.touch(user_id)?;
        if inbox.add(offset, row) {
            inbox.close_block(scan, offset)?;
        }
        if let Some(expires_at) = expires_at {
            let key = index::due_key(expires_at, offset).to_vec();
            self.index.insert(key, Some(user_id.as_str().into()));
        }
        Ok(())
    }

    /// One notification changes, if it is there.
    pub(super) fn change(
        &mut self,
        user_id: &UserId,
        offset: Offset,
        command: Command,
    ) -> Result<(), InboxError> {
        let (scan, inbox) = self.touch(user_id)?;
        inbox.change(scan, offset, command)?;
        self.settle(user_id);
        Ok(())
    }

    /// All notifications below an offset change.
    pub(super) fn change_below(
        &mut self,
        user_id: &UserId,
        before: Offset,
        command: Command,
    ) -> Result<(), InboxError> {
        let (scan, inbox) = self.touch(user_id)?;
        inbox.change_below(scan, before, command)?;
        self.settle(user_id);
        Ok(())
    }

    /// The user has seen all below an offset.
    pub(super) fn see_below(&mut self, user_id: &UserId, before: Offset) -> Result<(), InboxError> {
        let (scan, inbox) = self.touch(user_id)?;
        inbox.see_below(scan, before)?;
        self.settle(user_id);
        Ok(())
    }

    /// Keeps what a command did, for streams that resume.
    pub(super) fn note(&mut self, offset: Offset, changed: &Changed) -> Result<(), InboxError> {
        let user_id = &changed.user_id;
        let row = write_change(changed);
        let (_, inbox) = self.touch(user_id)?;
        let bytes = inbox.head.changes_bytes + row.len() as u64;
        inbox.head.changes_bytes = bytes;
        self.index.insert(index::change_key(user_id, offset), Some(row));
        if bytes > MAX_CHANGES_BYTES {
            let keep_bytes = MAX_CHANGES_BYTES / 2;
            self.drop_changes(user_id, |_, bytes| bytes > keep_bytes)?;
        }
        Ok(())
    }

    /// Removes a user's changes, the oldest first, for as long as `is_dropped` says so of the next
    /// one's offset and of the bytes there are.
    fn drop_changes(
        &mut self,
        user_id: &UserId,
        is_dropped: impl Fn(Offset, u64) -> bool,
    ) -> Result<(), InboxError> {
        let Some(mut head) = self.touched.get(user_id).map(|inbox| inbox.head) else {
            return Ok(());
        };
        let keys = index::change_keys_from(user_id, head.changes_from);
        let mut dropped = Vec::new();
        let mut drop = |key: &[u8], length: usize| {
            let offset = index::offset_of_change_key(key);
            let Some(offset) = offset.filter(|offset| is_dropped(*offset, head.changes_bytes))
            else {
                return false;
            };
            head.changes_from = offset.next();
            head.changes_bytes = head.changes_bytes.saturating_sub(length as u64);
            dropped.push(key.to_vec());
            true
        };
        let mut is_more = true;
        for row in self.snapshot.range(&self.spaces.index, keys.clone()) {
            let row = row.into_inner();
            let (key, row) = row.map_err(InboxError::failed(self.partition, "read a change"))?;
            is_more = drop(&key, row.len());
            if !is_more {
                break;
            }
        }
        if is_more {
            for (key, row) in self.index.range(keys) {
                let Some(row) = row else { continue };
                if !drop(key, row.len()) {
                    break;
                }
            }
        }
        self.index.extend(dropped.into_iter().map(|key| (key, None)));
        if let Some(inbox) = self.touched.get_mut(user_id) {
            inbox.head = head;
        }
        Ok(())
    }

    /// Hands out all rows that are different.
    pub(super) fn write(&mut self, rows: &mut OwnedWriteBatch) {
        // Neighbours in the store one after the other.
        let mut touched: Vec<_> = self.touched.drain().collect();
        touched.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (user_id, inbox) in touched {
            write_inbox(self.spaces, &user_id, inbox, rows);
        }
        for (key, row) in std::mem::take(&mut self.index) {
            match row {
                Some(row) => rows.insert(&self.spaces.index, key, row),
                None => rows.remove(&self.spaces.index, key),
            }
        }
    }

    /// What a command left to do outside of the inbox.
    fn settle(&mut self, user_id: &UserId) {
        let Some(inbox) = self.touched.get_mut(user_id) else { return };
        for (expires_at, offset) in inbox.no_longer_due.drain(..) {
            self.index.insert(index::due_key(expires_at, offset).to_vec(), None);
        }
        if let Some(below) = inbox.purge_below.take() {
            let below = below.0.to_be_bytes().to_vec();
            self.index.insert(index::purge_key(user_id), Some(below));
        }
        self.work += std::mem::take(&mut inbox.work);
    }

    /// The user's inbox, without what retention has cut.
    pub(super) fn touch<'s>(
        &'s mut self,
        user_id: &'s UserId,
    ) -> Result<(Scan<'s>, &'s mut Inbox), InboxError> {
        let (snapshot, spaces, partition) = (self.snapshot, self.spaces, self.partition);
        let scan = Scan { partition, snapshot, spaces, user: user_id };
        if !self.touched.contains_key(user_id) {
            let head = scan.head()?;
            let mut inbox = Inbox::new(head, self.block_entries);
            let is_cut = head.floor < self.log_start && head != HeadRow::NOTHING;
            if is_cut {
                inbox.drop_below(scan, self.log_start)?;
                inbox.head.floor = self.log_start;
            }
            self.touched.insert(user_id.clone(), inbox);
            if is_cut {
                let log_start = self.log_start;
                self.settle(user_id);
                self.drop_changes(user_id, |offset, _| offset < log_start)?;
            }
        }
        let inbox = self.touched.get_mut(user_id);
        // It was just put there.
        Ok((scan, inbox.ok_or(InboxError::UnreadableRow { partition, keyspace: INDEX })?))
    }
}

fn write_inbox(spaces: &Spaces, user_id: &UserId, inbox: Inbox, rows: &mut OwnedWriteBatch) {
    let Inbox { new, changed, blocks, head, stored_head, .. } = inbox;
    let is_gone = |offset: &Offset| changed.get(offset) == Some(&None);
    for (offset, row) in &new {
        if !is_gone(offset) {
            rows.insert(&spaces.entries, rows::entry_key(user_id, *offset), row.clone());
        }
    }
    for (offset, state) in &changed {
        let key = rows::state_key(user_id, *offset);
        match state {
            Some(state) => rows.insert(&spaces.entries, key, state.write()),
            None if new.binary_search_by_key(offset, |(at, _)| *at).is_ok() => {}
            None => {
                rows.remove(&spaces.entries, key);
                rows.remove(&spaces.entries, rows::entry_key(user_id, *offset));
            }
        }
    }
    for (first, block) in &blocks {
        let key = index::block_key(user_id, *first);
        match block {
            Some(block) => rows.insert(&spaces.index, key, block.write()),
            None => rows.remove(&spaces.index, key),
        }
    }
    if head == stored_head {
        return;
    }
    // A head that says nothing is no row, so that it makes no difference whether a notification and
    // its end came in one batch.
    if head == HeadRow::NOTHING {
        rows.remove(&spaces.heads, user_id.as_str());
    } else {
        let mut row = Vec::with_capacity(24);
        head.write(&mut row);
        rows.insert(&spaces.heads, user_id.as_str(), row);
    }
}
