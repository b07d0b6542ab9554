//! Logs, folders and rows for the tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod log;
mod mirror;
pub(crate) mod oracle;
mod pages;
mod step;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions};
use inbox::{Batch, Entry, StoreConfig};
use models::{
    Notification, NotificationId, Offset, Partition, Place, Record, Sent, Timestamp, TopicId, User,
    UserId,
};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) fn topic(n: u128) -> TopicId {
    TopicId(Uuid::from_u128(n))
}

/// Ids of which one begins like another, and of the shortest and the longest length.
pub(crate) fn users() -> [UserId; 4] {
    ["1".to_owned(), "10".to_owned(), "a@b.c".to_owned(), "z".repeat(128)]
        .map(|id| id.parse().unwrap())
}

/// Someone whose inbox is in another partition.
pub(crate) const AWAY: usize = 4;

/// Whether it is anyone but [`AWAY`].
pub(crate) fn is_home(user_id: &UserId) -> bool {
    user_id.as_str() != "away"
}

pub(crate) fn user_id(n: usize) -> UserId {
    users().get(n).cloned().unwrap_or_else(|| "away".parse().unwrap())
}

fn user(n: usize) -> User {
    User { id: user_id(n), name: format!("name {n}") }
}

/// A place in the partition that the worlds of the tests fold.
pub(crate) fn place(offset: Offset) -> Place {
    Place { topic_id: topic(1), partition: Partition(3), offset }
}

/// A batch of records alone.
pub(crate) fn batch(records: Vec<(Offset, Record)>, next_offset: Offset) -> Batch {
    Batch { records, unreadable: Vec::new(), next_offset }
}

/// An id of version 7 for an even number, and for an odd one of none.
pub(crate) fn event_id(number: u128) -> NotificationId {
    let mut bytes = number.to_be_bytes();
    if number.is_multiple_of(2) {
        bytes[6] = 0x70;
    }
    NotificationId::from_bytes(bytes)
}

pub(crate) fn sent(id: u128, to: usize, message: &str) -> Sent {
    Sent {
        id: event_id(id),
        created_at: Timestamp::from_ms_clamped(1_800_000_000_000 + id as i64),
        notification: Notification::plain(user(1), user(to), message.to_owned()),
        fingerprint: None,
    }
}

/// All that a reader sees of an entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) offset: Offset,
    pub(crate) id: NotificationId,
    pub(crate) created_at: Timestamp,
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) archived_at: Option<Timestamp>,
    pub(crate) is_plain: bool,
    pub(crate) json: String,
}

pub(crate) fn seen(entry: &Entry) -> Seen {
    let json = String::from_utf8(entry.json.to_vec()).unwrap();
    let Entry { offset, id, created_at, read_at, archived_at, is_plain, .. } = *entry;
    Seen { offset, id, created_at, read_at, archived_at, is_plain, json }
}

/// Blocks are short, and everything stays in the journal: a copy of the folder is what `kill -9` leaves.
pub(crate) fn config() -> StoreConfig {
    StoreConfig { worker_threads: 1, block_entries: 4, ..StoreConfig::default() }
}

/// Everything is soon in tables.
pub(crate) fn small_config() -> StoreConfig {
    let (write_buffer_bytes, worker_threads, block_entries) = (1024, 2, 4);
    StoreConfig { write_buffer_bytes, worker_threads, block_entries, ..StoreConfig::default() }
}

/// A copy of an open store's folder, which the writer knows nothing of. Of the journal's bytes
/// that were written this share is missing at the end.
pub(crate) fn copy_of(folder: &TempDir, cut_permille: usize) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path(), cut_permille);
    copy
}

fn copy_folder(from: &Path, to: &Path, cut_permille: usize) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_folder(&file.path(), &to, cut_permille);
        } else if to.extension().is_some_and(|extension| extension == "jnl") {
            // Behind what was written a journal is zeros, 64 MiB in all.
            let journal = std::fs::read(file.path()).unwrap();
            let end = journal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let kept = end - end * cut_permille / 1000;
            std::fs::write(to, &journal[..kept]).unwrap();
        } else {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}

/// All rows of a closed store, by keyspace and key.
pub(crate) fn rows_of(folder: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let database = Database::builder(folder.path()).open().unwrap();
    let mut rows = BTreeMap::new();
    for name in database.list_keyspace_names() {
        let keyspace = database.keyspace(&name, KeyspaceCreateOptions::default).unwrap();
        for row in keyspace.iter() {
            let (key, value) = row.into_inner().unwrap();
            // The end of a name is random.
            let (kind, _) = name.rsplit_once('.').unwrap();
            rows.insert(format!("{kind} {:02x?}", &*key), value.to_vec());
        }
    }
    rows
}
