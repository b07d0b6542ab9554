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
mod bodies;
mod broker_away;
mod directory;
mod forms;
mod ids;
mod messages;
mod operations;
mod raw;
mod routes;
mod stopping;
