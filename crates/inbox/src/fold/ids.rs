//! Which events are known while a batch is folded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use models::{NotificationId, Offset, Partition};

use crate::InboxError;
use crate::rows::KnownId;
use crate::spaces::{IDS, Spaces};

/// The ids in the store and those that the batch has so far.
pub(super) struct Ids<'a> {
    partition: Partition,
    spaces: &'a Spaces,
    /// Those looked up so far.
    seen: HashMap<NotificationId, KnownId>,
    /// No id of version 7 that is known is greater. Most records bring one that is, and are spared
    /// the look into the store.
    pub(super) highest: NotificationId,
}

impl<'a> Ids<'a> {
    pub(super) fn new(
        partition: Partition,
        spaces: &'a Spaces,
        records: usize,
        highest: NotificationId,
    ) -> Self {
        Self { partition, spaces, seen: HashMap::with_capacity(records), highest }
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
        let stored = if id.sorts_by_time() && id > self.highest {
            self.highest = id;
            None
        } else {
            stored(self.partition, self.spaces, id)?
        };
        vacant.insert(stored.unwrap_or(new));
        Ok(stored)
    }

    /// The offset of the first record with this event id.
    pub(super) fn offset_of(&self, id: NotificationId) -> Result<Option<Offset>, InboxError> {
        let known = match self.seen.get(&id) {
            Some(seen) => Some(*seen),
            None => stored(self.partition, self.spaces, id)?,
        };
        Ok(known.map(|known| known.offset))
    }
}

fn stored(
    partition: Partition,
    spaces: &Spaces,
    id: NotificationId,
) -> Result<Option<KnownId>, InboxError> {
    let row = spaces.ids.get(id.as_bytes());
    let row = row.map_err(InboxError::failed(partition, "look up an id"))?;
    let unreadable = InboxError::UnreadableRow { partition, keyspace: IDS };
    row.map(|row| KnownId::read(&row).ok_or(unreadable)).transpose()
}
