//! Reading a partition.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use fjall::Slice;
use models::{NotificationId, Offset, Timestamp, UserId};

use crate::due::{self, Due};
use crate::entry_row::EntryHeader;
use crate::index_rows as index;
use crate::look::Look;
use crate::overlay::Overlay;
use crate::scan::{Scan, Stored};
use crate::shared::{Shared, View};
use crate::state_row::EntryState;
use crate::{InboxError, Query, Replay};

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

/// A part of a user's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// The next page has entries below this offset; none: there are no more. A page may end early,
    /// having looked at many entries and found few.
    pub next: Option<Offset>,
    /// The counts of the whole inbox, at the same moment.
    pub head: Head,
}

/// How much of what happened is told at once.
#[derive(Clone, Copy, Debug)]
pub struct ReplayBounds {
    /// The most notifications.
    pub limit: usize,
    /// With so many bytes of JSON no further notification is added.
    pub max_bytes: usize,
}

/// What is known of a user without reading entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The user's notifications: all that are not deleted.
    pub total_count: u64,
    /// Those that are neither read nor archived.
    pub unread_count: u64,
    /// Those that came since the user last opened the list.
    pub unseen_count: u64,
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
    /// Since when it is read; none: it is unread.
    pub read_at: Option<Timestamp>,
    /// Since when it is archived; none: it is not.
    pub archived_at: Option<Timestamp>,
    /// Whether it has nothing but the tutorial's three fields, so that [`Entry::json`] is what the
    /// tutorial's routes show.
    pub is_plain: bool,
    /// The notification as [`models::Notification`] writes it.
    pub json: Json,
}

/// JSON text as it lies in the store. Cloning copies no text. It keeps the block of the store in
/// memory that it is a part of (4 KiB, or all of a larger entry): hold it for an answer, not in a
/// cache.
#[derive(Clone)]
pub struct Json {
    /// The whole row: fjall lets nobody else cut a slice without copying it.
    row: Slice,
    /// Where the JSON begins.
    start: usize,
}

impl PartitionReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// A part of the user's inbox; empty for a user it knows nothing of.
    ///
    /// It looks at 10,000 notifications at most, whatever it finds; blocks without any in the wanted
    /// state and time count as one.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn page(&self, user: &UserId, query: &Query) -> Result<Page, InboxError> {
        let (view, overlay) = self.view(user)?;
        Look::new(self.inside(&view, user), &view, overlay)?.page(query)
    }

    /// The user's notification with this id, if there is one.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn one(&self, user: &UserId, id: NotificationId) -> Result<Option<Entry>, InboxError> {
        let partition = self.shared.partition;
        let (view, (known, overlay)) =
            self.shared.view(|unstored| (unstored.known(id), unstored.overlay(user)))?;
        let known = match known {
            Some(known) => Some(known),
            None => view.spaces.known(partition, &view.snapshot, id)?,
        };
        let Some(known) = known else { return Ok(None) };
        Look::new(self.inside(&view, user), &view, overlay)?.one(known.offset, id)
    }

    /// The user's counts; zeros for a user it knows nothing of.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn head(&self, user: &UserId) -> Result<Head, InboxError> {
        let (view, overlay) = self.view(user)?;
        Ok(Look::new(self.inside(&view, user), &view, overlay)?.head())
    }

    /// What happened to the user's inbox at this offset and behind it, or a first part of that.
    ///
    /// Whoever has what an inbox showed below `first` and applies these events to it has what it
    /// shows now: a notification is told as it is now, and a command that is told again behind it
    /// changes nothing more.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn replay(
        &self,
        user: &UserId,
        first: Offset,
        bounds: ReplayBounds,
    ) -> Result<Replay, InboxError> {
        let (view, (changes, overlay)) = self.shared.view(|unstored| {
            let changes = unstored.index(index::change_keys_from(user, first));
            (changes, unstored.overlay(user))
        })?;
        Look::new(self.inside(&view, user), &view, overlay)?.replay(first, bounds, changes)
    }

    /// Notifications whose time has come, the first to expire first, at most `limit` of them.
    ///
    /// # Errors
    /// [`InboxError::NotOpen`], [`InboxError::UnreadableRow`], [`InboxError::Failed`].
    pub fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, InboxError> {
        due::due(&self.shared, now, limit)
    }

    /// The first offset not yet applied; none while nothing was.
    pub fn next_offset(&self) -> Option<Offset> {
        self.shared.progress().map(|progress| progress.next_offset)
    }

    fn view(&self, user: &UserId) -> Result<(View, Option<Overlay>), InboxError> {
        self.shared.view(|unstored| unstored.overlay(user))
    }

    fn inside<'a>(&self, view: &'a View, user: &'a UserId) -> Scan<'a> {
        let partition = self.shared.partition;
        Scan { partition, snapshot: &view.snapshot, spaces: &view.spaces, user }
    }
}

impl Entry {
    /// None: the row is no entry's.
    pub(crate) fn of(stored: Stored, state: EntryState) -> Option<Self> {
        let Stored { offset, row, .. } = stored;
        let (header, json) = EntryHeader::read(&row)?;
        let EntryHeader { id, created_at, is_plain, .. } = header;
        let EntryState { read_at, archived_at, .. } = state;
        let start = row.len() - json.len();
        let json = Json { row, start };
        Some(Self { offset, id, created_at, read_at, archived_at, is_plain, json })
    }
}

impl Deref for Json {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.row.get(self.start..).unwrap_or_default()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Json {}

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
