//! The embedded broker: one node, durable, speaking the Kafka protocol.
//!
//! A [`Broker`] is a value: started on a data folder and an address, told where it listens, stopped.
//! What it acknowledges is on the disk. Kafka clients produce, fetch, and commit offsets under the name of
//! a group; a group has no members, and there are no transactions, no replicas, no compaction and no log
//! append time.
//!
//! Inside, a frame becomes a `request`, `api` answers it from the `catalog` of topics, and each
//! `partition` has one task that appends to its `log`. What groups committed is kept by `offsets`.

mod api;
mod args;
mod catalog;
mod config;
mod connection;
mod data_dir;
mod endpoint;
mod error;
mod faults;
mod files;
mod layout;
mod log;
mod offsets;
mod partition;
mod reply;
mod request;
mod server;
mod shape;
mod topic_config;

pub use args::Args;
pub use config::{Config, Limits};
pub use error::{StartError, StopError};
pub use faults::Faults;
pub use kafka_protocol::error::ResponseError;
pub use kafka_protocol::messages::ApiKey;
pub use server::Broker;
