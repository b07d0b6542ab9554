//! fjall alone writing the rows that a partition's fold writes: what `apply` is held against.
//!
//! `cargo run --release -p inbox --example bare_fjall -- [records] [batch] [partitions]`
//!
//! No log, no decoding, no look-ups, no readers: each partition has a thread, three keyspaces with the
//! store's buffers, and one atomic batch for so many records: an entry, an id, and a head for each
//! user that a batch touches.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::time::Instant;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use uuid::Uuid;

const USERS: u64 = 10_000;
/// What an entry of `ingest` has in its value: 26 bytes, and the JSON of a message of 120 bytes.
const ENTRY_BYTES: usize = 236;
const MIB: u64 = 1024 * 1024;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Partition {
    entries: Keyspace,
    ids: Keyspace,
    heads: Keyspace,
}

impl Partition {
    fn open(database: &Database, number: u64) -> fjall::Result<Self> {
        let keyspace = |kind: &str, memtable: u64| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(memtable);
            database.keyspace(&format!("{number}.{kind}"), options)
        };
        Ok(Self {
            entries: keyspace("entries", 8 * MIB)?,
            ids: keyspace("ids", 2 * MIB)?,
            heads: keyspace("heads", 2 * MIB)?,
        })
    }

    /// Writes so many records.
    fn write(&self, database: &Database, records: u64, batch: u64) -> Outcome<()> {
        let mut next = 0;
        while next < records {
            let end = (next + batch).min(records);
            let mut writing = OwnedWriteBatch::with_capacity(database.clone(), 1_000)
                .durability(Some(PersistMode::Buffer));
            let mut touched = BTreeSet::new();
            for (user, offset, id) in (next..end).map(row) {
                writing.insert(&self.entries, entry_key(&user, offset), [7; ENTRY_BYTES]);
                writing.insert(&self.ids, id.as_bytes().as_slice(), offset.to_be_bytes());
                touched.insert(user);
            }
            for user in touched {
                writing.insert(&self.heads, user, next.to_be_bytes());
            }
            writing.insert(&self.heads, [0], end.to_be_bytes());
            writing.commit()?;
            next = end;
        }
        Ok(())
    }
}

fn row(number: u64) -> (String, u64, Uuid) {
    let user = number.wrapping_mul(6_364_136_223_846_793_005) % USERS + 1;
    (user.to_string(), number, Uuid::now_v7())
}

fn entry_key(user: &str, offset: u64) -> Vec<u8> {
    let mut key = vec![user.len() as u8];
    key.extend_from_slice(user.as_bytes());
    key.extend_from_slice(&(!offset).to_be_bytes());
    key
}

fn main() -> Outcome<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut number = |default| numbers.next().unwrap_or(Ok(default));
    let (records, batch, partitions) =
        (number(2_000_000)?, number(5_000)?.max(1), number(6)?.max(1));
    let folder = tempfile::tempdir()?;
    let database = Database::builder(folder.path())
        .cache_size(32 * MIB)
        .max_journaling_size(128 * MIB)
        .worker_threads(2)
        .open()?;
    let opened: Vec<_> =
        (0..partitions).map(|n| Partition::open(&database, n)).collect::<Result<_, _>>()?;
    let share = records / partitions;
    let began = Instant::now();
    std::thread::scope(|scope| {
        let write = |partition| {
            let database = &database;
            scope.spawn(move || Partition::write(partition, database, share, batch))
        };
        let threads: Vec<_> = opened.iter().map(write).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(written) => written,
            Err(_) => Err("a thread panicked".into()),
        })
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let written = share * partitions;
    println!("{written} records in {seconds:.1} s: {:.0}/s", written as f64 / seconds);
    Ok(())
}
