//! Reading a partition.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use fjall::{Readable, Slice};
use models::{NotificationId, Offset, Timestamp, UserId};

use crate::InboxError;
use crate::rows::{self, EntryHeader};
use crate::shared::Shared;
use crate::spaces::{ENTRIES, HEADS};

/// Reads a partition while it is being written, from any thread; clones read the same.
///
/// Each answer is of one moment: the records below its `next_offset`, all of them and no others.
/// A reader follows its writer through a reset. It outlives the writer and then shows where the
/// writer ended, until the partition is opened anew: from then on it answers
/// [`InboxError::NotOpen`]. While a reader lives the store's folder stays locked.
#[derive(Clone)]
pub struct PartitionReader {
    shared: Arc<Shared>,
}

/// The newest of a user's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// Whether there are entries older than these.
    pub has_older: bool,
    /// The page shows the records below it; none: nothing was applied yet.
    pub next_offset: Option<Offset>,
}

/// What is known of a user without reading entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The user's notifications.
    pub total_count: u64,
    /// The counts are of the records below it; none: nothing was applied yet.
    pub next_offset: Option<Offset>,
}

/// A notification in an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The offset of the first record that said it.
    pub offset: Offset,
    /// Its id.
    pub id: NotificationId,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Whether it has nothing but the tutorial's three fields, so that [`Entry::json`] is what the
    /// tutorial's routes show.
    pub is_plain: bool,
    /// The notification as [`models::Notification`] writes it.
    pub json: Json,
}

/// JSON text as it lies in the store. Cloning copies no text. It keeps the block of the store in
/// memory that it is a part of (4 KiB, or all of a larger entry): hold it for an answer, not in a
/// cache.
#[derive(Clone, PartialEq, Eq)]
pub struct Json {
    /// The whole row: fjall lets nobody else cut a slice without copying it.
    row: Slice,
}

impl PartitionReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The newest of the user's inbox, at most `limit`; empty for a user it knows nothing of.
    ///
    /// Reads `limit` + 1 entries. The page is in memory as a whole: its size is the caller's to
    /// bound.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn newest(&self, user: &UserId, limit: usize) -> Result<Page, InboxError> {
        let partition = self.shared.partition;
        let view = self.shared.view()?;
        let mut entries = Vec::new();
        let mut has_older = false;
        for row in view.snapshot.prefix(&view.spaces.entries, rows::entry_prefix(user)) {
            if entries.len() == limit {
                has_older = true;
                break;
            }
            let row = row.into_inner();
            let (key, row) = row.map_err(InboxError::failed(partition, "read an entry"))?;
            let unreadable = InboxError::UnreadableRow { partition, keyspace: ENTRIES };
            entries.push(Entry::read(&key, row).ok_or(unreadable)?);
        }
        Ok(Page { entries, has_older, next_offset: view.next_offset() })
    }

    /// The user's head; zeros for a user it knows nothing of.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn head(&self, user: &UserId) -> Result<Head, InboxError> {
        let partition = self.shared.partition;
        let view = self.shared.view()?;
        let row = view.snapshot.get(&view.spaces.heads, user.as_str());
        let row = row.map_err(InboxError::failed(partition, "read a head"))?;
        let unreadable = InboxError::UnreadableRow { partition, keyspace: HEADS };
        let total_count = match row {
            None => 0,
            Some(row) => rows::read_count(&row).ok_or(unreadable)?,
        };
        Ok(Head { total_count, next_offset: view.next_offset() })
    }

    /// The first offset not yet applied; none while nothing was.
    pub fn next_offset(&self) -> Option<Offset> {
        self.shared.progress().map(|progress| progress.next_offset)
    }
}

impl Entry {
    fn read(key: &[u8], row: Slice) -> Option<Self> {
        let offset = rows::offset_of_entry_key(key)?;
        let EntryHeader { id, created_at, is_plain } = EntryHeader::read(&row)?;
        Some(Self { offset, id, created_at, is_plain, json: Json { row } })
    }
}

impl Deref for Json {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.row.get(EntryHeader::BYTES..).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Json {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A message is nobody's business but its reader's: a log line gets its length.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.len())
    }
}
