//! What each kind of event does to an inbox.

use models::{Change, Changed, Erased, Offset, Selection, Sent, Timestamp, UserId};

use super::Fold;
use super::inbox::Command;
use crate::entry_row;
use crate::{InboxError, InboxEvent, RecentChange};

impl Fold<'_> {
    /// What has expired by its record's own time is no entry: whoever wrote it wanted nobody to see
    /// it by now, and every copy of the log agrees.
    pub(super) fn add_sent(
        &mut self,
        offset: Offset,
        user_id: &UserId,
        sent: &Sent,
        timestamp: Timestamp,
    ) -> Result<(), InboxError> {
        let partition = self.ground.home.partition;
        let expires_at = sent.notification.expires_at;
        if expires_at.is_some_and(|expires_at| expires_at <= timestamp) {
            self.applied.expired += 1;
            return Ok(());
        }
        self.applied.sent += 1;
        self.scratch.clear();
        entry_row::write_entry(sent, &mut self.scratch)
            .map_err(InboxError::failed(partition, "write JSON"))?;
        self.bytes += self.scratch.len();
        self.inboxes.add(user_id, offset, &self.scratch, expires_at)?;
        if self.ground.watchers.is_watched(user_id)
            && let Some(entry) = self.inboxes.newest(user_id)
        {
            self.note_news(user_id, InboxEvent::Sent(entry));
        }
        Ok(())
    }

    pub(super) fn add_changed(
        &mut self,
        offset: Offset,
        changed: Changed,
    ) -> Result<(), InboxError> {
        self.applied.commands += 1;
        let changed = Changed { selection: changed.selection.below(offset), ..changed };
        let Changed { user_id, changed_at, change, .. } = &changed;
        let command = Command { at: offset, time: *changed_at, change: *change };
        match &changed.selection {
            Selection::Before(before) if *change == Change::Seen => {
                self.inboxes.see_below(user_id, *before)?;
            }
            Selection::Before(before) => self.inboxes.change_below(user_id, *before, command)?,
            Selection::Ids(ids) => {
                for id in ids {
                    // One of another inbox has no entry there; one of a command has none at all.
                    if let Some(offset) = self.ids.offset_of(*id)? {
                        self.inboxes.change(user_id, offset, command)?;
                    }
                }
            }
        }
        let change = RecentChange::of(offset, &changed);
        self.bytes += self.inboxes.note(&changed.user_id, &change)?;
        if self.ground.watchers.is_watched(&changed.user_id) {
            self.note_news(&changed.user_id, InboxEvent::Changed(change));
        }
        Ok(())
    }

    fn note_news(&mut self, user_id: &UserId, event: InboxEvent) {
        match self.news.get_mut(user_id) {
            Some(events) => events.push(event),
            None => drop(self.news.insert(user_id.clone(), vec![event])),
        }
    }

    pub(super) fn add_erased(&mut self, offset: Offset, erased: Erased) -> Result<(), InboxError> {
        let Erased { id, user_id, erased_at, before, fingerprint } = erased;
        self.add_changed(
            offset,
            Changed {
                id,
                user_id,
                changed_at: erased_at,
                selection: Selection::Before(before),
                change: Change::Deleted,
                reason: Some("erased".to_owned()),
                fingerprint,
            },
        )
    }
}
