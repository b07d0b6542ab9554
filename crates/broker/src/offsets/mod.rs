//! The offsets that groups committed: in memory to be read, in one file to outlive the process.

mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::data_dir::DataDir;
use crate::error::StartError;
use file::OffsetsFile;

/// A partition of one life of a topic: a topic that is deleted and made again has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) topic: Uuid,
    pub(crate) partition: i32,
}

/// Where a group reads on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    /// -1 when the client did not say.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

pub(crate) type Offsets = BTreeMap<Place, Committed>;

/// No group is without offsets.
type Groups = BTreeMap<String, Offsets>;

#[derive(Debug)]
pub(crate) struct GroupOffsets {
    groups: RwLock<Groups>,
    /// Held by the one who changes the groups. `None` after a failure: a failed sync says nothing about
    /// what the disk holds, so nothing may be acknowledged on top of it.
    file: Arc<Mutex<Option<OffsetsFile>>>,
    limit: usize,
}

/// The broker keeps as many offsets as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The disk failed, now or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offline;

impl GroupOffsets {
    /// Opens the file, or makes it, and forgets what belongs to no topic of `catalog`. Blocks.
    pub(crate) fn open(
        data_dir: Arc<DataDir>,
        catalog: &Catalog,
        limit: usize,
    ) -> Result<GroupOffsets, StartError> {
        let mut groups = file::read(&data_dir)?;
        keep(&mut groups, |place| catalog.topic_by_id(place.topic).is_some());
        let file = OffsetsFile::create(data_dir, &groups)?;
        Ok(GroupOffsets {
            groups: RwLock::new(groups),
            file: Arc::new(Mutex::new(Some(file))),
            limit,
        })
    }

    /// The names of all groups.
    pub(crate) fn groups(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.read().contains_key(group)
    }

    pub(crate) fn get(&self, group: &str, place: Place) -> Option<Committed> {
        self.read().get(group)?.get(&place).cloned()
    }

    /// Everything a group committed; `None` if that is more than `most`.
    pub(crate) fn of_group(&self, group: &str, most: usize) -> Option<Offsets> {
        let groups = self.read();
        let Some(offsets) = groups.get(group) else { return Some(Offsets::new()) };
        (offsets.len() <= most).then(|| offsets.clone())
    }

    /// Begins a commit, when those before it are done.
    pub(crate) async fn commit(self: &Arc<Self>, group: &str) -> Commit {
        let file = Arc::clone(&self.file).lock_owned().await;
        let taken: usize = self.read().values().map(BTreeMap::len).sum();
        Commit {
            all: Arc::clone(self),
            file,
            group: group.to_owned(),
            offsets: Offsets::new(),
            room: self.limit.saturating_sub(taken),
        }
    }

    /// Forgets the offsets in a deleted topic. In the file they stay until it is rewritten; a start
    /// forgets them all the same.
    pub(crate) async fn forget(&self, topic: Uuid) {
        // A commit that found the topic before it was deleted is waited for.
        let _no_commit = self.file.lock().await;
        keep(&mut self.write(), |place| place.topic != topic);
    }

    fn read(&self) -> RwLockReadGuard<'_, Groups> {
        self.groups.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Groups> {
        self.groups.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(groups: &mut Groups, is_kept: impl Fn(&Place) -> bool) {
    groups.retain(|_, offsets| {
        offsets.retain(|place, _| is_kept(place));
        !offsets.is_empty()
    });
}

/// A group's commit. There is one at a time: look up topics after it has begun, and none is deleted
/// unnoticed.
#[derive(Debug)]
pub(crate) struct Commit {
    all: Arc<GroupOffsets>,
    file: OwnedMutexGuard<Option<OffsetsFile>>,
    group: String,
    offsets: Offsets,
    room: usize,
}

impl Commit {
    /// Adds an offset to the commit.
    pub(crate) fn add(&mut self, place: Place, committed: Committed) -> Result<(), Full> {
        let is_known = self.offsets.contains_key(&place)
            || self.all.read().get(&self.group).is_some_and(|known| known.contains_key(&place));
        if !is_known {
            self.room = self.room.checked_sub(1).ok_or(Full)?;
        }
        self.offsets.insert(place, committed);
        Ok(())
    }

    /// Returns when the offsets are on the disk. Once begun it is done, also when nobody waits for it.
    pub(crate) async fn finish(self) -> Result<(), Offline> {
        if self.offsets.is_empty() {
            return Ok(());
        }
        task::spawn_blocking(move || self.on_disk()).await.unwrap_or(Err(Offline))
    }

    fn on_disk(mut self) -> Result<(), Offline> {
        let file = self.file.as_mut().ok_or(Offline)?;
        if let Err(error) = file.append(&self.group, &self.offsets) {
            self.give_up(&error);
            return Err(Offline);
        }
        let mut groups = self.all.write();
        groups.entry(self.group.clone()).or_default().append(&mut self.offsets);
        drop(groups);
        if file.has_grown() {
            let content = file::encode(&self.all.read());
            // The offsets are on the disk whether or not this succeeds.
            if let Err(error) = content.and_then(|content| file.rewrite(&content)) {
                self.give_up(&error);
            }
        }
        Ok(())
    }

    fn give_up(&mut self, error: &io::Error) {
        tracing::error!(%error, "the disk failed; no offsets are committed until restart");
        *self.file = None;
    }
}
