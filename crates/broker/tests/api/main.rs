//! The broker behind a real listener.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod clients;
mod faults;
mod fetch;
mod groups;
mod idempotence;
mod kill;
mod lifecycle;
mod malformed;
mod offsets;
mod program;
mod support;
mod topics;
mod versions;
