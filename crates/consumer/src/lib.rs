//! The query service: reads partitions, keeps inboxes, answers over HTTP.

mod application;
mod command;
mod commands;
mod config;
mod ends;
mod export;
mod filter;
mod forward;
mod http;
mod inboxes;
mod live;
mod metrics;
mod outgoing;
mod partition;
mod reads;
mod views;

pub use application::{Application, BuildError};
pub use command::Command;
pub use config::{Config, ConsumerArgs, ProducerUrlArgs, StoreArgs, StoreLimitsArgs, StreamsArgs};
