//! The writer of a partition.

use std::sync::Arc;

use fjall::OwnedWriteBatch;
use models::{Offset, Record, Undecodable, UserId};

use crate::fold::Fold;
use crate::rows::{self, META_KEY};
use crate::shared::Shared;
use crate::spaces::{HEADS, Home, Spaces};
use crate::store::Hold;
use crate::{InboxError, LastRecord, PartitionReader};

/// One partition of one epoch, to be folded on. Its only writer.
pub struct PartitionInbox {
    home: Home,
    shared: Arc<Shared>,
    hold: Hold,
}

/// What became of the records given to one [`PartitionInbox::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Notifications that are now in an inbox and were not before.
    pub sent: usize,
    /// Copies of what was applied before, here or earlier: nothing changed.
    pub duplicates: usize,
    /// Records below the `next_offset` there was: a replay, not looked at.
    pub skipped: usize,
    /// Records that nothing could be made of, in the order of the log. They are in no inbox and
    /// leave no row; whoever applies them answers for them.
    pub undecodable: Vec<(Offset, Undecodable)>,
    /// The first offset not applied, after this.
    pub next_offset: Offset,
}

impl PartitionInbox {
    pub(crate) fn new(home: Home, shared: Arc<Shared>, hold: Hold) -> Self {
        Self { home, shared, hold }
    }

    /// The first offset not yet applied; none while nothing was.
    pub fn next_offset(&self) -> Option<Offset> {
        self.shared.progress().map(|progress| progress.next_offset)
    }

    /// The last record below [`Self::next_offset`], whatever was made of it. If the log has
    /// another one there, it is another log: [`Self::reset`].
    pub fn last_record(&self) -> Option<LastRecord> {
        self.shared.progress()?.last_record
    }

    /// What reads this partition, for as long as this handle and longer.
    pub fn reader(&self) -> PartitionReader {
        PartitionReader::new(Arc::clone(&self.shared))
    }

    /// Folds records of the partition, in ascending order, up to `next_offset`, and writes all
    /// that follows from them at once. Offsets may be missing (the log has gaps); records below
    /// the stored `next_offset` are skipped.
    ///
    /// A record whose event id was applied before changes nothing.
    ///
    /// Blocks while the database writes tables faster than it can merge them.
    ///
    /// # Errors
    /// [`InboxError::OutOfOrder`], [`InboxError::NotOpen`], [`InboxError::UnreadableRow`],
    /// [`InboxError::Failed`]: nothing was applied, and `next_offset` is what it was.
    pub fn apply(
        &mut self,
        records: Vec<(Offset, Record)>,
        next_offset: Offset,
    ) -> Result<Applied, InboxError> {
        let partition = self.home.partition;
        let spaces = self.shared.spaces()?;
        let before = self.shared.progress();
        let mut fold = Fold::of(self.home, records, next_offset, before)?;
        fold.drop_known(|id| spaces.ids.contains_key(id.as_bytes()))
            .map_err(InboxError::failed(partition, "look up an id"))?;
        if before != Some(fold.progress) {
            let batch = self.batch_of(&spaces, &fold)?;
            self.shared
                .commit(batch, fold.progress)
                .map_err(InboxError::failed(partition, "commit a batch"))?;
        }
        Ok(Applied {
            sent: fold.sent.len(),
            duplicates: fold.duplicates,
            skipped: fold.skipped,
            undecodable: fold.undecodable,
            next_offset: fold.progress.next_offset,
        })
    }

    /// Drops everything of this partition and starts from nothing: the log is another one.
    ///
    /// Readers answer [`InboxError::NotOpen`] until it is done, then the new state.
    ///
    /// # Errors
    /// [`InboxError::Failed`]: the partition has no state and takes no records; reset it again.
    pub fn reset(&mut self) -> Result<(), InboxError> {
        let Home { partition, topic_id } = self.home;
        tracing::warn!(%partition, epoch = %topic_id, "dropped the inbox to fold it anew");
        self.shared.close();
        let spaces = self.hold.store.make_spaces(self.home);
        self.shared.start(spaces.map_err(InboxError::failed(partition, "reset"))?);
        Ok(())
    }

    /// All rows that follow from the fold. Whatever a later version derives from a record, an
    /// outbox row for an undecodable one say, goes into this batch too.
    fn batch_of(&self, spaces: &Spaces, fold: &Fold) -> Result<OwnedWriteBatch, InboxError> {
        let heads = fold.count_by_user();
        let rows = 2 * fold.sent.len() + heads.len() + 1;
        let db = self.shared.database.clone();
        let mut batch = OwnedWriteBatch::with_capacity(db, rows)
            // To the operating system before `commit` returns: what `kill -9` leaves behind.
            .durability(Some(fjall::PersistMode::Buffer));
        for (offset, sent) in &fold.sent {
            let row = rows::write_entry(sent);
            let row = row.map_err(InboxError::failed(self.home.partition, "write JSON"))?;
            let key = rows::entry_key(&sent.notification.to.id, *offset);
            batch.insert(&spaces.entries, key, row);
            batch.insert(&spaces.ids, sent.id.as_bytes().as_slice(), offset.0.to_be_bytes());
        }
        for (user, new) in heads {
            let count = self.total_count(spaces, user)?.saturating_add(new);
            batch.insert(&spaces.heads, user.as_str(), rows::write_count(count));
        }
        batch.insert(&spaces.heads, META_KEY, fold.progress.write());
        Ok(batch)
    }

    fn total_count(&self, spaces: &Spaces, user: &UserId) -> Result<u64, InboxError> {
        let partition = self.home.partition;
        let row = spaces.heads.get(user.as_str());
        match row.map_err(InboxError::failed(partition, "read a head"))? {
            None => Ok(0),
            Some(row) => {
                let unreadable = InboxError::UnreadableRow { partition, keyspace: HEADS };
                rows::read_count(&row).ok_or(unreadable)
            }
        }
    }
}
