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
//! One database a process; four keyspaces for each partition and epoch (topic id).
//!
//! | keyspace | key | value |
//! | --- | --- | --- |
//! | entries | user id's length (1 byte), user id, `!offset` (8, big endian): newest first | format, flags, id (16), created_at (8), where it has them read_at (8) and archived_at (8), JSON |
//! | ids | id of a notification or a command (16): version 7, so nearly sequential | offset (8), where it has one a fingerprint (8) |
//! | outbox | offset (8, big endian) | an effect: its kind, its reason, the record |
//! | heads | user id | total, unread and unseen counts, the offset below which the list was seen (LEB128 each); no row: zeros |
//! | heads | a zero byte, which no user id has | fold version, `next_offset`, last record's offset and hash, where effects begin, the first record of an unknown type |
//!
//! # What survives what
//! Everything that one [`PartitionInbox::apply`] writes is one batch of fjall's journal, closed by
//! a checksum: after a crash it is there as a whole or not at all, in all four keyspaces, and
//! batches are there in the order they were written.
//!
//! | when | what is there afterwards |
//! | --- | --- |
//! | `kill -9` | every batch whose `apply` returned: it was handed to the operating system |
//! | power loss | every batch before the last [`Store::persist`], perhaps later ones, never with a hole; a batch whose bytes arrived in part is cut off, or, where its checksum tells, the store does not open ([`InboxError::Damaged`]) |
//!
//! Whatever is missing is folded again from the log, from [`PartitionInbox::next_offset`] on.

mod batch;
mod config;
mod effect;
mod entry_row;
mod error;
mod fold;
mod hash;
mod meta;
mod outbox;
mod query;
mod reader;
mod rows;
mod shared;
mod spaces;
mod store;
mod writer;

pub use batch::{Applied, Batch, DeadCount};
pub use config::StoreConfig;
pub use effect::Effect;
pub use error::InboxError;
pub use hash::RecordHash;
pub use meta::{FOLD_VERSION, LastRecord};
pub use outbox::{Drain, DrainProgress, Outbox, Waiting};
pub use query::{Query, Status};
pub use reader::{Entry, Head, Json, Page, PartitionReader};
pub use store::Store;
pub use writer::PartitionInbox;
