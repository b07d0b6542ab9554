//! The client commands: the built program as a process, against real listeners.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs)]

mod doctor;
mod import;
mod inbox;
mod program;
mod reference;
mod retries;
mod send;
mod server;
mod users;
mod watch;
