//! The publisher: an HTTP service that appends notifications to the log.

mod application;
mod command;
mod config;
mod directory;
mod http;
mod publisher;

pub use application::Application;
pub use command::Command;
pub use config::{Config, ProducerArgs};
