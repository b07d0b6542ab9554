//! The keyspaces of a partition and epoch.

use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable, Snapshot};
use models::{NotificationId, Partition, TopicId};
use uuid::Uuid;

use crate::meta::{META_KEY, Meta};
use crate::outbox::Waiting;
use crate::rows::KnownId;
use crate::{InboxError, StoreConfig};

/// A partition's keyspaces. `heads` holds the meta row, so it is made last and dropped first:
/// after a crash in between there are no heads, and what else is there is known to be a rest.
///
/// Each time they are made their names end in another random number. fjall replays what a journal
/// holds for a dropped keyspace into one that was made later under the same name (3.1.13: an id is
/// looked up by name, and the mark that the id is gone can be lost with a restart in between), and
/// so would mix the rows of two logs.
pub(crate) struct Spaces {
    pub(crate) entries: Keyspace,
    pub(crate) ids: Keyspace,
    pub(crate) outbox: Keyspace,
    pub(crate) index: Keyspace,
    pub(crate) heads: Keyspace,
}

pub(crate) const ENTRIES: &str = "entries";
pub(crate) const IDS: &str = "ids";
pub(crate) const OUTBOX: &str = "outbox";
pub(crate) const INDEX: &str = "index";
pub(crate) const HEADS: &str = "heads";

const KINDS_AS_DROPPED: [&str; 5] = [HEADS, ENTRIES, IDS, OUTBOX, INDEX];

/// One life of a partition, as names of keyspaces write it: `3.0199...-....heads.` and a number.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) partition: Partition,
    pub(crate) topic_id: TopicId,
}

impl Home {
    fn prefix(self, kind: &str) -> String {
        format!("{}.{}.{kind}.", self.partition, self.topic_id)
    }
}

impl Spaces {
    /// Opens what is there or makes it.
    pub(crate) fn open(db: &Database, home: Home, config: &StoreConfig) -> fjall::Result<Self> {
        let heads = home.prefix(HEADS);
        let names = db.list_keyspace_names();
        match names.iter().find_map(|name| name.strip_prefix(&heads)) {
            Some(number) => Self::named(db, home, number, config),
            None => Self::make(db, home, config),
        }
    }

    /// Drops what is there and makes it anew.
    pub(crate) fn make(db: &Database, home: Home, config: &StoreConfig) -> fjall::Result<Self> {
        for kind in KINDS_AS_DROPPED {
            remove(db, &home.prefix(kind))?;
        }
        Self::named(db, home, &Uuid::new_v4().simple().to_string(), config)
    }

    fn named(db: &Database, home: Home, number: &str, config: &StoreConfig) -> fjall::Result<Self> {
        let name = |kind| home.prefix(kind) + number;
        Ok(Self {
            entries: db.keyspace(&name(ENTRIES), || config.of_entries())?,
            ids: db.keyspace(&name(IDS), || config.of_ids())?,
            outbox: db.keyspace(&name(OUTBOX), || config.of_outbox())?,
            index: db.keyspace(&name(INDEX), || config.of_index())?,
            heads: db.keyspace(&name(HEADS), || config.of_heads())?,
        })
    }

    /// Drops all other epochs of the partition and returns their topic ids.
    pub(crate) fn remove_other_epochs(db: &Database, home: Home) -> fjall::Result<Vec<String>> {
        let partition = format!("{}.", home.partition);
        let epoch = home.topic_id.to_string();
        let mut others: Vec<String> = db
            .list_keyspace_names()
            .iter()
            .filter_map(|name| name.strip_prefix(&partition)?.split_once('.'))
            .map(|(epoch, _)| epoch.to_owned())
            .filter(|other| *other != epoch)
            .collect();
        others.sort();
        others.dedup();
        for other in &others {
            for kind in KINDS_AS_DROPPED {
                remove(db, &format!("{partition}{other}.{kind}."))?;
            }
        }
        Ok(others)
    }

    /// The meta row; none: nothing was ever applied.
    pub(crate) fn meta(&self, partition: Partition) -> Result<Option<Meta>, InboxError> {
        let row = self.heads.get(META_KEY);
        let row = row.map_err(InboxError::failed(partition, "read the meta row"))?;
        let unreadable = InboxError::UnreadableRow { partition, keyspace: HEADS };
        row.map(|row| Meta::read(&row).ok_or(unreadable)).transpose()
    }

    /// What is known under an event's id.
    pub(crate) fn known(
        &self,
        partition: Partition,
        snapshot: &Snapshot,
        id: NotificationId,
    ) -> Result<Option<KnownId>, InboxError> {
        let row = snapshot.get(&self.ids, id.as_bytes());
        let row = row.map_err(InboxError::failed(partition, "look up an id"))?;
        let unreadable = InboxError::UnreadableRow { partition, keyspace: IDS };
        row.map(|row| KnownId::read(&row).ok_or(unreadable)).transpose()
    }

    /// What waits in the outbox, counted.
    pub(crate) fn waiting(&self, partition: Partition) -> Result<Waiting, InboxError> {
        let mut waiting = Waiting::default();
        for row in self.outbox.iter() {
            let (_, row) =
                row.into_inner().map_err(InboxError::failed(partition, "count the outbox"))?;
            waiting.add(row.len());
        }
        Ok(waiting)
    }
}

/// Drops the keyspaces whose names start so.
///
/// The files of a keyspace stay, and can be read, until its last handle is gone: readers in the
/// middle of an answer, and journals not yet thrown away, hold some. A restart removes what is left.
fn remove(db: &Database, prefix: &str) -> fjall::Result<()> {
    for name in db.list_keyspace_names() {
        if name.starts_with(prefix) {
            db.delete_keyspace(db.keyspace(&name, KeyspaceCreateOptions::default)?)?;
        }
    }
    Ok(())
}
