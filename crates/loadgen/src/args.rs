//! The command line.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, value_parser};
use serde::Serialize;

use crate::process::Watched;
use crate::reference::{ProduceArgs, ReferenceServerArgs};
use crate::target::Target;

/// Puts kafka-notify's services under load and measures them
#[derive(Debug, Parser)]
#[command(name = "loadgen", version)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// POST /send: notifications from and to the users 1..N
    Publish(PublishArgs),
    /// GET /notifications/{user}
    Query(QueryArgs),
    /// How long a notification takes from POST /send until GET /notifications/{user} shows it.
    /// Nobody else may send to these users meanwhile
    Visible(VisibleArgs),
    /// The bare handlers that --reference compares with; ends when its standard input does
    ReferenceServer(ReferenceServerArgs),
}

/// Largest message: what fits in a record.
const MAX_MESSAGE_BYTES: i64 = 890_000;

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct PublishArgs {
    /// The producer
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: Target,
    /// Send to the users 1..N, in turns; users that do not exist are answered 404
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) users: u32,
    /// Length of each message
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = value_parser!(u32).range(0..=MAX_MESSAGE_BYTES))]
    pub(crate) message_bytes: u32,
    /// The bare handler of --reference also produces the record to Kafka before it answers
    #[arg(long, requires = "reference")]
    pub(crate) reference_produces: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) produce: ProduceArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct QueryArgs {
    /// The consumer
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    pub(crate) url: Target,
    /// Whose inbox to read
    #[arg(long, value_name = "ID", default_value_t = 1)]
    pub(crate) user: u32,
    /// Newest notifications to ask for; the reference answers with as many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
    /// Length of the messages in the reference's answer: as long as those in the inbox
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = value_parser!(u32).range(0..=8_000))]
    pub(crate) message_bytes: u32,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct VisibleArgs {
    /// The producer
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) producer_url: Target,
    /// The consumer
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub(crate) consumer_url: Target,
    /// Send to the users 1..N, in turns
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) users: u32,
    /// Length of each message; at least what tells it from others, about 40
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = value_parser!(u32).range(0..=MAX_MESSAGE_BYTES))]
    pub(crate) message_bytes: u32,
    /// Notifications, one after the other, for an hour at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) requests: u32,
    /// How long a request may take, and a notification to be visible
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=60_000))]
    timeout_ms: u64,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) output: OutputArgs,
}

/// How much load, how long, and what is watched meanwhile.
#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct LoadArgs {
    /// Connections; each has one request in flight at most
    #[arg(long, value_name = "C", default_value_t = 1, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) connections: u32,
    /// Threads the connections are shared out to
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = value_parser!(u32).range(1..=64))]
    pub(crate) threads: u32,
    /// Measured time of each server [default: 10, or 3600 at most with --requests]
    #[arg(long, value_name = "S", value_parser = value_parser!(u64).range(1..=3_600))]
    duration_s: Option<u64>,
    /// Measured requests to each server, at most
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) requests: Option<u64>,
    /// Open loop: requests due each second, whether answers have come or not
    #[arg(long, value_name = "R", value_parser = value_parser!(NonZeroU32))]
    pub(crate) rate: Option<NonZeroU32>,
    /// Load before each measurement that is not counted
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = value_parser!(u64).range(0..=600))]
    warmup_s: u64,
    /// How long a request may take
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=60_000))]
    timeout_ms: u64,
    /// Measure a bare handler as well, in the same run, in turns
    #[arg(long)]
    pub(crate) reference: bool,
    /// Turns: how many parts each server's measurement is cut into, so that noise hits both
    #[arg(long, value_name = "N", default_value_t = 2, requires = "reference", value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Watch a process of the server: processor time a request, and memory (repeatable)
    #[arg(long = "pid", value_name = "NAME=PID")]
    #[serde(skip)]
    pub(crate) watched: Vec<Watched>,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) output: OutputArgs,
}

/// What is done with the result.
#[derive(Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Write the result as JSON as well; `-` is standard output, without the table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Exit with 0 although requests failed or the rate was not kept; `visible` goes on after a
    /// failure
    #[arg(long)]
    pub(crate) allow_errors: bool,
}

/// Measured time where neither it nor a number of requests is given.
const DURATION: Duration = Duration::from_secs(10);
/// The longest a measurement by number of requests may take.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(3_600);

impl VisibleArgs {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl LoadArgs {
    /// The longest each server is measured, all parts together.
    pub(crate) fn duration(&self) -> Duration {
        match (self.duration_s, self.requests) {
            (Some(seconds), _) => Duration::from_secs(seconds),
            (None, Some(_)) => MAX_DURATION,
            (None, None) => DURATION,
        }
    }

    pub(crate) fn warmup(&self) -> Duration {
        Duration::from_secs(self.warmup_s)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
