//! The store: one database for all partitions of the process.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::{Database, PersistMode};
use models::{Partition, TopicId};

use crate::meta::{Meta, Progress};
use crate::shared::Shared;
use crate::spaces::{Home, Spaces};
use crate::{FOLD_VERSION, InboxError, PartitionInbox, StoreConfig};

/// One database for all partitions of the process. Clones are the same store.
///
/// The folder is locked against other processes until the last clone and the last handle and
/// reader of a partition are dropped. Dropping them syncs the journal.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    config: StoreConfig,
    /// The partitions opened so far.
    partitions: Mutex<HashMap<Partition, Slot>>,
}

#[derive(Default)]
struct Slot {
    has_writer: bool,
    /// What the readers of the latest writer share with it.
    shared: Option<Arc<Shared>>,
}

impl Store {
    /// Opens the store in this folder, or makes it.
    ///
    /// Reads all journals again, at most [`StoreConfig::journal_bytes`] of them.
    ///
    /// # Errors
    /// [`InboxError::InUse`] (after 0.3 s) when another process holds it, [`InboxError::Open`],
    /// [`InboxError::Damaged`].
    pub fn open(path: impl AsRef<Path>, config: &StoreConfig) -> Result<Self, InboxError> {
        let path = path.as_ref();
        let database = open_or_finish(path, config)
            .map_err(|error| InboxError::of_open(path.to_owned(), error))?;
        let inner = Inner { database, config: config.clone(), partitions: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens the partition of this epoch, or makes it. The handle is its only writer.
    ///
    /// Other epochs of the partition are dropped, with a warning: the log that they were folded
    /// from is gone. So is what another [`FOLD_VERSION`] wrote, or a fold that skipped events of a
    /// type that this one knows. Readers of an earlier handle of the partition answer
    /// [`InboxError::NotOpen`] from now on.
    ///
    /// Counts what waits in the outbox, row by row.
    ///
    /// # Errors
    /// [`InboxError::AlreadyOpen`] while an earlier handle lives, [`InboxError::UnreadableRow`],
    /// [`InboxError::Failed`].
    pub fn partition(
        &self,
        partition: Partition,
        topic_id: TopicId,
    ) -> Result<PartitionInbox, InboxError> {
        let hold = self.hold(partition)?;
        let home = Home { partition, topic_id };
        let (spaces, progress) = self.open_spaces(home)?;
        let waiting = spaces.waiting(partition)?;
        let database = self.inner.database.clone();
        let shared = Arc::new(Shared::new(partition, database, spaces, progress, waiting));
        self.lock().entry(partition).or_default().shared = Some(Arc::clone(&shared));
        Ok(PartitionInbox::new(home, shared, hold))
    }

    /// Syncs the journal: everything applied so far survives a power loss.
    ///
    /// Writers wait meanwhile, for as long as the disk takes. A process that is killed needs no
    /// sync; see the crate's documentation.
    ///
    /// # Errors
    /// [`InboxError::Persist`].
    pub fn persist(&self) -> Result<(), InboxError> {
        let result = self.inner.database.persist(PersistMode::SyncAll);
        result.map_err(|source| InboxError::Persist { source: source.into() })
    }

    /// Makes the partition's keyspaces anew.
    pub(crate) fn make_spaces(&self, home: Home) -> fjall::Result<Spaces> {
        Spaces::make(&self.inner.database, home, &self.inner.config)
    }

    pub(crate) fn block_entries(&self) -> u64 {
        self.inner.config.block_entries.max(1)
    }

    /// What may be pending of a partition.
    pub(crate) fn max_pending_bytes(&self) -> usize {
        usize::try_from(self.inner.config.write_buffer_bytes / 4).unwrap_or(usize::MAX)
    }

    fn open_spaces(&self, home: Home) -> Result<(Spaces, Option<Progress>), InboxError> {
        let Inner { database, config, .. } = &*self.inner;
        let partition = home.partition;
        let others = Spaces::remove_other_epochs(database, home)
            .map_err(InboxError::failed(partition, "drop another epoch"))?;
        for epoch in others {
            tracing::warn!(%partition, %epoch, "dropped the inbox of another life of the topic");
        }
        let failed = InboxError::failed(partition, "open the keyspaces");
        let spaces = Spaces::open(database, home, config).map_err(&failed)?;
        match spaces.meta(partition)? {
            None => Ok((spaces, None)),
            Some(Meta::Progress(progress)) => Ok((spaces, Some(progress))),
            Some(Meta::OtherVersion(found)) => {
                tracing::warn!(%partition, epoch = %home.topic_id, found, FOLD_VERSION, "dropped the inbox of another fold version");
                drop(spaces);
                Ok((self.make_spaces(home).map_err(&failed)?, None))
            }
            Some(Meta::OtherTypes(known_types)) => {
                tracing::warn!(%partition, epoch = %home.topic_id, known_types, "dropped an inbox that was folded without all types of events");
                drop(spaces);
                Ok((self.make_spaces(home).map_err(&failed)?, None))
            }
        }
    }

    fn hold(&self, partition: Partition) -> Result<Hold, InboxError> {
        let mut partitions = self.lock();
        let slot = partitions.entry(partition).or_default();
        if slot.has_writer {
            return Err(InboxError::AlreadyOpen { partition });
        }
        slot.has_writer = true;
        if let Some(shared) = slot.shared.take() {
            shared.close();
        }
        Ok(Hold { store: self.clone(), partition })
    }

    /// No code panics while it holds the lock, so a poisoned one still guards a whole map.
    fn lock(&self) -> MutexGuard<'_, HashMap<Partition, Slot>> {
        self.inner.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to be a partition's writer, given back on drop.
pub(crate) struct Hold {
    pub(crate) store: Store,
    partition: Partition,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.store.lock().entry(self.partition).or_default().has_writer = false;
    }
}

/// A process killed while fjall made the database leaves a first journal and no version marker,
/// the file that is written last; opening such a folder fails on that journal for ever. Nothing was
/// ever stored in it, so the journal goes and the making starts again.
fn open_or_finish(path: &Path, config: &StoreConfig) -> fjall::Result<Database> {
    let open = || config.apply_to(Database::builder(path)).open();
    match open() {
        Err(fjall::Error::Io(error)) if error.kind() == ErrorKind::AlreadyExists => {
            if path.join("version").try_exists()? {
                return Err(fjall::Error::Io(error));
            }
            std::fs::remove_file(path.join("0.jnl"))?;
            open()
        }
        result => result,
    }
}
