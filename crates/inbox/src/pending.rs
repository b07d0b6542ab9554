//! What was folded and is not in the store yet.

use std::collections::HashMap;
use std::ops::RangeBounds;

use fjall::OwnedWriteBatch;
use models::{NotificationId, Offset, UserId};

use crate::fold::Inbox;
use crate::index_rows::IndexRows;
use crate::meta::{META_KEY, Progress};
use crate::outbox::{Waiting, outbox_key};
use crate::overlay::Overlay;
use crate::rows::{self, HeadRow, KnownId};
use crate::spaces::Spaces;

/// Rows that may be pending. Larger takes more memory, and a `kill -9` has more to be folded again;
/// smaller, and one user's head is written more often, and folding waits for storing.
const MAX_ROWS: usize = 8 * 1024;

/// What was folded and is not in the store yet: all that differs from what the store holds.
pub(crate) struct Pending {
    /// How far the partition is folded with it.
    pub(crate) progress: Progress,
    /// Ids that were looked up or came in.
    pub(crate) ids: HashMap<NotificationId, KnownId>,
    pub(crate) inboxes: HashMap<UserId, Inbox>,
    pub(crate) index: IndexRows,
    /// Rows of the outbox.
    pub(crate) effects: Vec<(Offset, Vec<u8>)>,
    /// What comes before it ends here.
    begins_at: Offset,
    /// About how many rows, and how large.
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// All that the store does not hold yet: what is being stored, and what was folded since.
#[derive(Clone, Copy)]
pub(crate) struct Unstored<'a> {
    pub(crate) storing: Option<&'a Pending>,
    pub(crate) pending: Option<&'a Pending>,
}

impl<'a> Unstored<'a> {
    fn newest_first(self) -> impl Iterator<Item = &'a Pending> {
        self.pending.into_iter().chain(self.storing)
    }

    pub(crate) fn progress(self) -> Option<Progress> {
        self.newest_first().next().map(|pending| pending.progress)
    }

    pub(crate) fn has_effects(self) -> bool {
        self.newest_first().any(|pending| !pending.effects.is_empty())
    }

    pub(crate) fn known(self, id: NotificationId) -> Option<KnownId> {
        self.newest_first().find_map(|pending| pending.ids.get(&id)).copied()
    }

    /// What is different in a user's inbox.
    pub(crate) fn overlay(self, user: &UserId) -> Option<Overlay> {
        let inbox = self.newest_first().find_map(|pending| pending.inboxes.get(user));
        inbox.map(|inbox| inbox.overlay.clone())
    }

    /// Rows of the index with keys in this range.
    pub(crate) fn index(self, keys: impl RangeBounds<Vec<u8>> + Clone) -> IndexRows {
        let mut rows = IndexRows::new();
        for pending in self.storing.into_iter().chain(self.pending) {
            let range = pending.index.range(keys.clone());
            rows.extend(range.map(|(key, row)| (key.clone(), row.clone())));
        }
        rows
    }
}

impl Pending {
    /// Nothing is, with all else as far as this.
    pub(crate) fn nothing(before: Progress) -> Self {
        Self {
            progress: before,
            ids: HashMap::new(),
            inboxes: HashMap::new(),
            index: IndexRows::new(),
            effects: Vec::new(),
            begins_at: before.next_offset,
            rows: 0,
            bytes: 0,
        }
    }

    /// How much it is; 1: no more may be pending.
    pub(crate) fn share(&self, max_bytes: usize) -> f64 {
        let (rows, bytes) = (self.rows as f64, self.bytes as f64);
        (rows / MAX_ROWS as f64).max(bytes / max_bytes as f64)
    }

    /// Leaves out what was stored meanwhile.
    pub(crate) fn leave_out(&mut self, stored: &Self) {
        for (user_id, inbox) in &mut self.inboxes {
            if let Some(stored_inbox) = stored.inboxes.get(user_id) {
                inbox.overlay.leave_out(&stored_inbox.overlay, stored.progress.next_offset);
            }
        }
    }

    /// What the outbox has more with it.
    pub(crate) fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for (_, row) in &self.effects {
            waiting.add(row.len());
        }
        waiting
    }

    /// About how many rows [`Self::write`] writes.
    pub(crate) fn len(&self) -> usize {
        2 * self.rows + self.inboxes.len() + 1
    }

    /// All rows that are different.
    pub(crate) fn write(&self, spaces: &Spaces, rows: &mut OwnedWriteBatch) {
        // Neighbours in the store one after the other.
        let mut inboxes: Vec<_> = self.inboxes.iter().collect();
        inboxes.sort_unstable_by_key(|(user_id, _)| *user_id);
        for (user_id, inbox) in inboxes {
            write_inbox(spaces, user_id, inbox, rows);
        }
        let new = |(_, known): &(&NotificationId, &KnownId)| known.offset >= self.begins_at;
        let mut ids: Vec<_> = self.ids.iter().filter(new).collect();
        ids.sort_unstable_by_key(|(id, _)| *id);
        for (id, known) in ids {
            rows.insert(&spaces.ids, id.as_bytes().as_slice(), known.write());
        }
        for (key, row) in &self.index {
            match row {
                Some(row) => rows.insert(&spaces.index, key.as_slice(), row.as_slice()),
                None => rows.remove(&spaces.index, key.as_slice()),
            }
        }
        for (offset, row) in &self.effects {
            rows.insert(&spaces.outbox, outbox_key(*offset), row.as_slice());
        }
        rows.insert(&spaces.heads, META_KEY, self.progress.write());
    }
}

fn write_inbox(spaces: &Spaces, user_id: &UserId, inbox: &Inbox, rows: &mut OwnedWriteBatch) {
    let Inbox { overlay, stored_head, .. } = inbox;
    let is_gone = |offset: &Offset| overlay.changed.get(offset) == Some(&None);
    for (offset, row) in &overlay.new {
        if !is_gone(offset) {
            rows.insert(&spaces.entries, rows::entry_key(user_id, *offset), row.clone());
        }
    }
    for (offset, state) in &overlay.changed {
        let key = rows::state_key(user_id, *offset);
        match state {
            Some(state) => rows.insert(&spaces.entries, key, state.write()),
            None if overlay.is_new(*offset) => {}
            None => {
                rows.remove(&spaces.entries, key);
                rows.remove(&spaces.entries, rows::entry_key(user_id, *offset));
            }
        }
    }
    for (first, block) in &overlay.blocks {
        let key = crate::index_rows::block_key(user_id, *first);
        match block {
            Some(block) => rows.insert(&spaces.index, key, block.write()),
            None => rows.remove(&spaces.index, key),
        }
    }
    if overlay.head == *stored_head {
        return;
    }
    // A head that says nothing is no row, so that it makes no difference whether a notification and
    // its end came in one batch.
    if overlay.head == HeadRow::NOTHING {
        rows.remove(&spaces.heads, user_id.as_str());
    } else {
        let mut row = Vec::with_capacity(24);
        overlay.head.write(&mut row);
        rows.insert(&spaces.heads, user_id.as_str(), row);
    }
}
