//! What the reference is told.

use clap::value_parser;
use serde::Serialize;

use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct ReferenceServerArgs {
    /// Port on 127.0.0.1; 0 for any free one. The address is printed
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Notifications in each answer to a query
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) notifications: u32,
    /// Length of their messages
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = value_parser!(u32).range(0..=8_000))]
    pub(crate) message_bytes: u32,
    /// Produce each notification to Kafka before it is answered
    #[arg(long)]
    pub(crate) produces: bool,
    #[command(flatten)]
    pub(crate) produce: ProduceArgs,
}

/// Where the reference produces to.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub(crate) struct ProduceArgs {
    /// Where the reference finds Kafka, if it produces
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub(crate) broker: Target,
    /// Topic it produces to, none of the services'; made with one partition where it is missing
    #[arg(long, default_value = "loadgen.reference")]
    pub(crate) topic: String,
}
