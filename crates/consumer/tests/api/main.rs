//! The query service as its users see it: a log in, HTTP out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines
)]
#![allow(missing_docs)]

mod actions;
mod app;
mod away;
mod broker_away;
mod broker_verbs;
mod changes;
mod document;
mod ends;
mod events;
mod export;
mod foreign;
mod forwarding;
mod limits;
mod notifications;
mod outbox;
mod pages;
mod partitions;
mod positions;
mod refusals;
mod restarts;
mod routes;
mod sockets;
mod streams;
mod user_ids;
mod v1;
