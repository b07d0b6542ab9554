//! The users' inboxes while records are folded into them.

use std::collections::HashMap;

use fjall::Readable;
use models::{Offset, Timestamp, UserId};

use super::Ground;
use super::inbox::{Command, Inbox};
use crate::change_row::RecentChange;
use crate::index_rows::{self as index, IndexRows};
use crate::rows::HeadRow;
use crate::scan::{Scan, Stored};
use crate::spaces::INDEX;
use crate::state_row::EntryState;
use crate::{Entry, InboxError};

/// Bytes of recent changes that are kept of an inbox. Larger takes more disk for each user; smaller,
/// and streams that were away for long have to begin anew.
const MAX_CHANGES_BYTES: u64 = 64 * 1024;

/// The inboxes in the store, with what is pending of them.
pub(super) struct Inboxes<'a> {
    ground: &'a Ground<'a>,
    log_start: Offset,
    touched: &'a mut HashMap<UserId, Inbox>,
    index: &'a mut IndexRows,
    /// Rows looked at for commands.
    pub(super) work: usize,
}

impl<'a> Inboxes<'a> {
    pub(super) fn new(
        ground: &'a Ground<'a>,
        log_start: Offset,
        touched: &'a mut HashMap<UserId, Inbox>,
        index: &'a mut IndexRows,
    ) -> Self {
        Self { ground, log_start, touched, index, work: 0 }
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

    /// The notification that came in last.
    pub(super) fn newest(&self, user_id: &UserId) -> Option<Entry> {
        let (offset, row) = self.touched.get(user_id)?.overlay.new.last()?;
        let state = EntryState::default();
        Entry::of(Stored { offset: *offset, row: row.clone(), state }, state)
    }

    /// The counts that an inbox has by now.
    pub(super) fn head(&self, user_id: &UserId) -> HeadRow {
        self.touched.get(user_id).map_or(HeadRow::NOTHING, |inbox| inbox.overlay.head)
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

    /// Keeps what a command did, for streams that resume; how many bytes that is.
    pub(super) fn note(
        &mut self,
        user_id: &UserId,
        change: &RecentChange,
    ) -> Result<usize, InboxError> {
        let row = change.write();
        let length = row.len();
        let (_, inbox) = self.touch(user_id)?;
        let bytes = inbox.overlay.head.changes_bytes + length as u64;
        inbox.overlay.head.changes_bytes = bytes;
        self.index.insert(index::change_key(user_id, change.offset), Some(row));
        if bytes > MAX_CHANGES_BYTES {
            let keep_bytes = MAX_CHANGES_BYTES / 2;
            self.drop_changes(user_id, |_, bytes| bytes > keep_bytes)?;
        }
        Ok(length)
    }

    /// Removes a user's changes, the oldest first, for as long as `is_dropped` says so of the next
    /// one's offset and of the bytes there are.
    fn drop_changes(
        &mut self,
        user_id: &UserId,
        is_dropped: impl Fn(Offset, u64) -> bool,
    ) -> Result<(), InboxError> {
        let Some(mut head) = self.touched.get(user_id).map(|inbox| inbox.overlay.head) else {
            return Ok(());
        };
        let Ground { home, snapshot, spaces, storing, .. } = self.ground;
        let keys = index::change_keys_from(user_id, head.changes_from);
        let stored = snapshot.range(&spaces.index, keys.clone());
        let storing = storing.iter().flat_map(|storing| storing.index.range(keys.clone()));
        let different = storing.chain(self.index.range(keys.clone()));
        let different = different.map(|(key, row)| (key.clone(), row.clone())).collect();
        let mut dropped = Vec::new();
        for row in index::with(stored, different) {
            let (key, row) = row.map_err(InboxError::failed(home.partition, "read a change"))?;
            let offset = index::offset_of_change_key(&key);
            let Some(offset) = offset.filter(|offset| is_dropped(*offset, head.changes_bytes))
            else {
                break;
            };
            head.changes_from = offset.next();
            head.changes_bytes = head.changes_bytes.saturating_sub(row.len() as u64);
            dropped.push(key.to_vec());
        }
        self.index.extend(dropped.into_iter().map(|key| (key, None)));
        if let Some(inbox) = self.touched.get_mut(user_id) {
            inbox.overlay.head = head;
        }
        Ok(())
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
        let Ground { home, snapshot, spaces, storing, .. } = self.ground;
        let partition = home.partition;
        let scan = Scan { partition, snapshot, spaces, user: user_id };
        if !self.touched.contains_key(user_id) {
            match storing.and_then(|storing| storing.inboxes.get(user_id)) {
                Some(inbox) => {
                    self.touched.insert(user_id.clone(), Inbox::after(inbox));
                }
                None => self.begin(scan)?,
            }
        }
        let inbox = self.touched.get_mut(user_id);
        // It was just put there.
        Ok((scan, inbox.ok_or(InboxError::UnreadableRow { partition, keyspace: INDEX })?))
    }

    /// Begins with what the store holds of an inbox, without what retention has cut.
    fn begin(&mut self, scan: Scan<'_>) -> Result<(), InboxError> {
        let (user_id, log_start) = (scan.user, self.log_start);
        let head = scan.head()?;
        let mut inbox = Inbox::new(head, self.ground.block_entries);
        let is_cut = head.floor < log_start && head != HeadRow::NOTHING;
        if is_cut {
            inbox.drop_below(scan, log_start)?;
            inbox.overlay.head.floor = log_start;
        }
        self.touched.insert(user_id.clone(), inbox);
        if is_cut {
            self.settle(user_id);
            self.drop_changes(user_id, |offset, _| offset < log_start)?;
        }
        Ok(())
    }
}
