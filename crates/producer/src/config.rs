//! How the publisher is told what to do.

use std::time::Duration;

use kafka::{ClusterConfig, TopicsConfig, WriterConfig};
use service::{BodyLimits, ServerConfig};

use crate::batch::BatchLimits;
use crate::directory::Users;
use crate::remembered::RememberedLimits;

/// Flags of the publisher itself.
#[derive(Clone, Debug, clap::Args)]
pub struct ProducerArgs {
    /// Where the producer listens
    #[arg(
        long,
        env = "NOTIFY_PRODUCER_ADDR",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub producer_addr: String,
    /// How long a send may wait for the log before it is answered 503, in milliseconds
    #[arg(
        long,
        env = "NOTIFY_PRODUCE_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = 5_000,
        value_parser = clap::value_parser!(u64).range(1..=600_000)
    )]
    pub produce_timeout_ms: u64,
    /// Which users there are: those of the directory, or, open, whoever has a valid id
    #[arg(long, env = "NOTIFY_USERS", value_enum, default_value_t)]
    pub users: Users,
}

impl ProducerArgs {
    /// With everything else at its default.
    pub fn config(self, cluster: ClusterConfig, topics: TopicsConfig) -> Config {
        let timeout = Duration::from_secs(15);
        Config {
            address: self.producer_addr,
            cluster,
            topics,
            users: self.users,
            produce_timeout: Duration::from_millis(self.produce_timeout_ms),
            form: BodyLimits { max_bytes: MAX_FORM_BYTES, timeout },
            json: BodyLimits { max_bytes: MAX_JSON_BYTES, timeout },
            body_budget_bytes: 64 * 1024 * 1024,
            batch: BatchLimits::default(),
            remembered: RememberedLimits::default(),
            writer: WriterConfig::default(),
            server: ServerConfig::default(),
        }
    }
}

/// The largest body of `/send`: a message of the largest size, every byte of it percent-encoded.
const MAX_FORM_BYTES: usize = 3 * models::MAX_RECORD_BYTES;

/// The largest body of a v1 route: for one recipient all that a request may become in the log.
const MAX_JSON_BYTES: usize = 16 * 1024 * 1024;

/// Everything the publisher needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens, `host:port`.
    pub address: String,
    /// The Kafka cluster.
    pub cluster: ClusterConfig,
    /// The topics.
    pub topics: TopicsConfig,
    /// Which users there are.
    pub users: Users,
    /// How long a send may wait for the log.
    pub produce_timeout: Duration,
    /// What one body of `/send` may cost.
    pub form: BodyLimits,
    /// What one body of a v1 route may cost.
    pub json: BodyLimits,
    /// Bytes of all bodies being read at once, and of what requests to many recipients become.
    /// Larger, and slow clients cost that much memory; smaller, and large messages refuse each other.
    pub body_budget_bytes: usize,
    /// Batches.
    pub batch: BatchLimits,
    /// Answers kept for requests that are repeated.
    pub remembered: RememberedLimits,
    /// The queue before each partition.
    pub writer: WriterConfig,
    /// The HTTP server.
    pub server: ServerConfig,
}
