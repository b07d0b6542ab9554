//! The query service as its users see it: a log in, HTTP out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines
)]
#![allow(missing_docs)]

mod app;
mod broker_away;
mod foreign;
mod limits;
mod notifications;
mod outbox;
mod partitions;
mod restarts;
mod routes;
mod user_ids;
