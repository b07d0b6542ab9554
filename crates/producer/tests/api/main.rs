//! The publisher as its users see it: HTTP in, a log out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines
)]
#![allow(missing_docs)]

mod app;
mod batch;
mod batch_bounds;
mod bodies;
mod broker_away;
mod deletions;
mod directory;
mod forms;
mod ids;
mod keys;
mod messages;
mod misses;
mod openapi;
mod operations;
mod partly;
mod publish;
mod raw;
mod refusals;
mod routes;
mod stopping;
mod user_refusals;
mod users;
mod v1;
