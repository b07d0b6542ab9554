//! The inbox: a fold of one partition and the store it is kept in.
//!
//! `state = fold(records of a partition from its first retained offset)`. What the store holds and
//! what readers answer is a pure function of the log: deleting the store and folding the same
//! records again gives the same bytes, however they were cut into batches.
//!
//! Synchronous, no network, no clock. Calls block on disk: a service makes them on a thread that
//! may block.
//!
//! # What is on disk
//! One database a process; five keyspaces for each partition and epoch (topic id). A user's part of a
//! key is the id's length (1 byte) and the id.
//!
//! | keyspace | key | value |
//! | --- | --- | --- |
//! | entries | user, `!offset` (8, big endian): newest first | format, flags, id (16), created_at (8), where it has one expires_at (8), JSON |
//! | entries | the same and a byte 1: right behind its entry | only once a command touched it: flags, the command's offset (8), where it has them read_at (8) and archived_at (8) |
//! | ids | id of a notification or a command (16): version 7, so nearly sequential | offset (8), where it has one a fingerprint (8) |
//! | index | `B`, user, `!first` (8): a closed block | its last offset, times, counts, what was done to all of it |
//! | index | `C`, user, offset (8): a recent change | what was done, when, why, to which |
//! | index | `D`, time (8), offset (8): an entry that expires | user id |
//! | index | `P`, user: rows below the user's floor wait for the sweep | below which offset |
//! | outbox | offset (8, big endian) | an effect: its kind, its reason, the record |
//! | heads | user id | counts, marks and bounds (LEB128 each); no row: zeros |
//! | heads | a zero byte, which no user id has | fold version, `next_offset`, last record's offset and hash, where effects begin, the first record of an unknown type, where the log starts |
//!
//! Blocks, floors and the sweep: `docs/adr/0005-blocks.md`.
//!
//! # What survives what
//! What [`PartitionInbox::apply`] folds is pending, in memory: readers see it, the store does not
//! hold it yet. [`PartitionInbox::store`] and [`Storing::run`] write it, all of it or a part that ends
//! with a record, as one batch of fjall's journal, closed by a checksum: after a crash it is there as a
//! whole or not at all, in all five keyspaces, and batches are there in the order they were written.
//! `docs/adr/0007-pending.md`.
//!
//! | when | what is there afterwards |
//! | --- | --- |
//! | the handle is dropped | everything |
//! | `kill -9` | all that was stored: it was handed to the operating system |
//! | power loss | every batch before the last [`Store::persist`], perhaps later ones, never with a hole; a batch whose bytes arrived in part is cut off, or, where its checksum tells, the store does not open ([`InboxError::Damaged`]) |
//!
//! Whatever is missing is folded again from the log, from [`PartitionInbox::next_offset`] on.

mod batch;
mod block_row;
mod change_row;
mod config;
mod due;
mod effect;
mod entry_row;
mod error;
mod fold;
mod hash;
mod index_rows;
mod look;
mod meta;
mod news;
mod outbox;
mod overlay;
mod pending;
mod query;
mod reader;
mod rows;
mod scan;
mod shared;
mod spaces;
mod state_row;
mod store;
mod sweep;
mod writer;

pub use batch::{Applied, Batch, DeadCount};
pub use change_row::RecentChange;
pub use config::StoreConfig;
pub use due::Due;
pub use effect::Effect;
pub use error::InboxError;
pub use hash::RecordHash;
pub use meta::{FOLD_VERSION, LastRecord};
pub use news::{Gap, InboxEvent, News, Replay, Watchers};
pub use outbox::{Drain, DrainProgress, Outbox, Waiting};
pub use query::{Query, Status};
pub use reader::{Entry, Head, Json, Page, PartitionReader, ReplayBounds};
pub use store::Store;
pub use writer::{PartitionInbox, Storing};
