//! What the store may use.

use fjall::KeyspaceCreateOptions;
use fjall::config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry};

/// What the store may use of the machine. fjall's own defaults are 64 MiB of write buffer a
/// keyspace, which twenty-four keyspaces would turn into gigabytes.
///
/// With these defaults six partitions with 5,000,000 notifications of 10,000 users took 134 MB at
/// most, all of the measuring program included (`examples/ingest.rs`).
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Blocks, indexes and filters that reads keep in memory, for all partitions together.
    ///
    /// Larger takes that much more memory; smaller than the filters of the ids (about 1.25 bytes a
    /// notification), and every look-up of an id that is not version 7 reads from disk.
    pub cache_bytes: u64,
    /// Entries of one partition that are kept in memory before they are written as a table; ids,
    /// heads, the index and the outbox have a quarter of it each.
    ///
    /// Larger, and a busy partition takes up to five times as much more memory (one buffer being
    /// filled, four waiting to be written, then `apply` waits); smaller than a batch, and every
    /// batch is a table. Kept with a
    /// partition when it is made: a change counts for partitions made later.
    pub write_buffer_bytes: u64,
    /// Journals on disk, for all partitions together; at least 64 MiB, which fjall insists on.
    ///
    /// Larger, and opening takes longer, because all of it is read again; smaller, and quiet
    /// partitions write small tables more often.
    pub journal_bytes: u64,
    /// Threads that write and merge tables.
    ///
    /// With one, buffers are not even closed while tables are merged, and outgrow their bound for
    /// as long as the largest merge takes. With more, the first never merges, and turns in circles
    /// while a merge waits for another thread (fjall 3.1.13, `worker_tick`): some processor time in
    /// exchange for a bound.
    pub worker_threads: usize,
    /// Entries of an inbox that make a block. Larger, and a command that cuts through one, or a page
    /// that looks into one, reads more; smaller, and more rows of blocks are changed by a command on
    /// all of an inbox. A change counts for blocks closed later.
    pub block_entries: u64,
    /// Files kept open, for all partitions together.
    ///
    /// Larger, and it competes with the sockets for the usual limit of 1,024; smaller, and reads
    /// open files again and again.
    pub open_files: usize,
}

const MIB: u64 = 1024 * 1024;

/// What fjall takes as the least it works with; below, it panics.
const MIN_JOURNAL_BYTES: u64 = 64 * MIB;
const MIN_OPEN_FILES: usize = 10;

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * MIB,
            write_buffer_bytes: 8 * MIB,
            journal_bytes: 128 * MIB,
            worker_threads: 2,
            block_entries: 1_024,
            open_files: 200,
        }
    }
}

impl StoreConfig {
    pub(crate) fn apply_to(
        &self,
        builder: fjall::DatabaseBuilder<fjall::Database>,
    ) -> fjall::DatabaseBuilder<fjall::Database> {
        builder
            .cache_size(self.cache_bytes)
            .max_journaling_size(self.journal_bytes.max(MIN_JOURNAL_BYTES))
            .worker_threads(self.worker_threads.max(1))
            .max_cached_files(Some(self.open_files.max(MIN_OPEN_FILES)))
    }

    /// Entries are only ever scanned: a filter would cost memory and answer nothing.
    pub(crate) fn of_entries(&self) -> KeyspaceCreateOptions {
        KeyspaceCreateOptions::default()
            .max_memtable_size(self.write_buffer_bytes)
            .filter_policy(FilterPolicy::all(FilterPolicyEntry::None))
    }

    /// Ids are looked up and mostly not found: a filter on every level.
    pub(crate) fn of_ids(&self) -> KeyspaceCreateOptions {
        let filter = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0));
        KeyspaceCreateOptions::default()
            .max_memtable_size(self.write_buffer_bytes / 4)
            .filter_policy(FilterPolicy::all(filter))
    }

    /// The outbox is only ever scanned.
    pub(crate) fn of_outbox(&self) -> KeyspaceCreateOptions {
        KeyspaceCreateOptions::default()
            .max_memtable_size(self.write_buffer_bytes / 4)
            .filter_policy(FilterPolicy::all(FilterPolicyEntry::None))
    }

    /// The index is scanned, and mostly found.
    pub(crate) fn of_index(&self) -> KeyspaceCreateOptions {
        KeyspaceCreateOptions::default()
            .max_memtable_size(self.write_buffer_bytes / 4)
            .filter_policy(FilterPolicy::all(FilterPolicyEntry::None))
    }

    /// Heads are looked up and mostly found.
    pub(crate) fn of_heads(&self) -> KeyspaceCreateOptions {
        KeyspaceCreateOptions::default()
            .max_memtable_size(self.write_buffer_bytes / 4)
            .expect_point_read_hits(true)
    }
}
