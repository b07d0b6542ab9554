//! The three keyspaces of a partition and epoch.

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use models::{Partition, TopicId};

use crate::rows::{META_KEY, Meta};
use crate::{InboxError, StoreConfig};

/// A partition's keyspaces. `heads` holds the meta row, so it is made last and dropped first:
/// after a crash in between there are no heads, and what else is there is known to be a rest.
pub(crate) struct Spaces {
    pub(crate) entries: Keyspace,
    pub(crate) ids: Keyspace,
    pub(crate) heads: Keyspace,
}

pub(crate) const ENTRIES: &str = "entries";
pub(crate) const IDS: &str = "ids";
pub(crate) const HEADS: &str = "heads";

/// One life of a partition, as names of keyspaces write it: `3.0199...-....heads`.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) partition: Partition,
    pub(crate) topic_id: TopicId,
}

impl Home {
    fn name(self, kind: &str) -> String {
        format!("{}.{}.{kind}", self.partition, self.topic_id)
    }
}

impl Spaces {
    /// Opens what is there or makes it.
    pub(crate) fn open(db: &Database, home: Home, config: &StoreConfig) -> fjall::Result<Self> {
        if !db.keyspace_exists(&home.name(HEADS)) {
            Self::remove(db, home)?;
        }
        Ok(Self {
            entries: db.keyspace(&home.name(ENTRIES), || config.of_entries())?,
            ids: db.keyspace(&home.name(IDS), || config.of_ids())?,
            heads: db.keyspace(&home.name(HEADS), || config.of_heads())?,
        })
    }

    /// Drops the keyspaces of this epoch that exist.
    ///
    /// The names are free at once. The files of a keyspace stay, and can be read, until its last
    /// handle is gone: readers in the middle of an answer, and journals not yet thrown away, hold
    /// some. A restart removes what is left.
    pub(crate) fn remove(db: &Database, home: Home) -> fjall::Result<()> {
        for kind in [HEADS, ENTRIES, IDS] {
            remove_named(db, &home.name(kind))?;
        }
        Ok(())
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
            for kind in [HEADS, ENTRIES, IDS] {
                remove_named(db, &format!("{partition}{other}.{kind}"))?;
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
}

fn remove_named(db: &Database, name: &str) -> fjall::Result<()> {
    if db.keyspace_exists(name) {
        db.delete_keyspace(db.keyspace(name, KeyspaceCreateOptions::default)?)?;
    }
    Ok(())
}
