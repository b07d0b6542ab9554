//! The program, against its own reference and against servers that fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod failures;
mod produces;
mod runs;
mod support;
mod visible;
