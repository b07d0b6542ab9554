//! The publisher: an HTTP service that appends notifications to the log.

mod answer;
mod application;
mod batch;
mod command;
mod config;
mod directory;
mod http;
mod problem;
mod publisher;
mod remembered;

pub use application::Application;
pub use batch::BatchLimits;
pub use command::Command;
pub use config::{Config, ProducerArgs};
pub use directory::Users;
pub use remembered::RememberedLimits;
