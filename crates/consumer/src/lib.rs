//! The query service: reads partitions, keeps inboxes, answers over HTTP.

mod application;
mod command;
mod config;
mod http;
mod inboxes;
mod metrics;
mod outgoing;
mod partition;
mod reads;

pub use application::{Application, BuildError};
pub use command::Command;
pub use config::{Config, ConsumerArgs, StoreArgs};
