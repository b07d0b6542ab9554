//! Which events are known while records are folded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use models::{NotificationId, Offset};

use super::Ground;
use crate::InboxError;
use crate::rows::KnownId;

/// The ids in the store and those that are pending.
pub(super) struct Ids<'a> {
    ground: &'a Ground<'a>,
    /// Those looked up so far.
    seen: &'a mut HashMap<NotificationId, KnownId>,
    /// No id of version 7 that is known is greater. Most records bring one that is, and are spared
    /// the look into the store.
    pub(super) highest: NotificationId,
}

impl<'a> Ids<'a> {
    pub(super) fn new(
        ground: &'a Ground<'a>,
        highest: NotificationId,
        seen: &'a mut HashMap<NotificationId, KnownId>,
    ) -> Self {
        Self { ground, seen, highest }
    }

    /// What is known under this id; none: nothing was, and this is from now on.
    pub(super) fn known_or(
        &mut self,
        id: NotificationId,
        new: KnownId,
    ) -> Result<Option<KnownId>, InboxError> {
        let vacant = match self.seen.entry(id) {
            Entry::Occupied(seen) => return Ok(Some(*seen.get())),
            Entry::Vacant(vacant) => vacant,
        };
        let before = if id.sorts_by_time() && id > self.highest {
            self.highest = id;
            None
        } else {
            self.ground.known(id)?
        };
        vacant.insert(before.unwrap_or(new));
        Ok(before)
    }

    /// The offset of the first record with this event id.
    pub(super) fn offset_of(&self, id: NotificationId) -> Result<Option<Offset>, InboxError> {
        let known = match self.seen.get(&id) {
            Some(seen) => Some(*seen),
            None => self.ground.known(id)?,
        };
        Ok(known.map(|known| known.offset))
    }
}
