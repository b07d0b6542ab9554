//! The door to a broker, against the embedded one behind a real listener.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines
)]
#![allow(missing_docs)]

mod bad_brokers;
mod batches;
mod bombs;
mod coordinator;
mod fake;
mod group;
mod inspection;
mod producing;
mod reader;
mod support;
mod topics;
mod unreadable;
mod waiting_batches;
mod watch;
mod wire;
mod writer;
