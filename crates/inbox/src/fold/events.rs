//! What each kind of event does to an inbox.

use models::{Change, Changed, Erased, Offset, Selection, Sent, UserId};

use super::Fold;
use crate::InboxError;
use crate::entry_row::{self, EntryChange};

impl Fold<'_> {
    pub(super) fn add_sent(
        &mut self,
        offset: Offset,
        user_id: UserId,
        sent: &Sent,
    ) -> Result<(), InboxError> {
        let partition = self.ground.home.partition;
        self.applied.sent += 1;
        self.scratch.clear();
        entry_row::write_entry(sent, &mut self.scratch)
            .map_err(InboxError::failed(partition, "write JSON"))?;
        self.inboxes.add(user_id, offset, &self.scratch)
    }

    pub(super) fn add_changed(
        &mut self,
        offset: Offset,
        changed: Changed,
    ) -> Result<(), InboxError> {
        self.applied.commands += 1;
        let Changed { user_id, changed_at, selection, change, .. } = changed;
        let change = match change {
            Change::Read(is_read) => EntryChange::Read(is_read.then_some(changed_at)),
            Change::Archived(is_archived) => {
                EntryChange::Archived(is_archived.then_some(changed_at))
            }
            Change::Deleted => EntryChange::Gone,
            Change::Seen => {
                // Decoded with nothing else.
                let Selection::Before(before) = selection else { return Ok(()) };
                return self.inboxes.see_below(user_id, before.min(offset));
            }
        };
        match selection {
            Selection::Before(before) => {
                self.inboxes.change_below(&user_id, before.min(offset), change)?;
            }
            Selection::Ids(ids) => {
                for id in ids {
                    // One of another inbox has no entry there; one of a command has none at all.
                    if let Some(offset) = self.ids.offset_of(id)? {
                        self.inboxes.change(&user_id, offset, change)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn add_erased(&mut self, offset: Offset, erased: &Erased) -> Result<(), InboxError> {
        self.applied.commands += 1;
        let before = erased.before.min(offset);
        self.inboxes.change_below(&erased.user_id, before, EntryChange::Gone)
    }
}
