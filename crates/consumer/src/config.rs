//! How the query service is told what to do.

use std::path::PathBuf;
use std::time::Duration;

use inbox::StoreConfig;
use kafka::{ClusterConfig, TopicsConfig};
use service::ServerConfig;

/// Flags of the query service itself.
#[derive(Clone, Debug, clap::Args)]
pub struct ConsumerArgs {
    /// Where the consumer listens
    #[arg(
        long,
        env = "NOTIFY_CONSUMER_ADDR",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8081"
    )]
    pub consumer_addr: String,
}

/// Where the inboxes are kept.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreArgs {
    /// Folder of the inbox store; it can be deleted at any time while the service is stopped, and
    /// grows back from the log [default: kafka-notify/inbox in the platform's state folder]
    #[arg(long, env = "NOTIFY_STORE_DIR", value_name = "FOLDER")]
    pub store_dir: Option<PathBuf>,
}

impl StoreArgs {
    /// The folder given, or the default one.
    ///
    /// # Errors
    /// There is neither, in words.
    pub fn folder(self) -> Result<PathBuf, String> {
        let default = || service::state_folder().map(|folder| folder.join("inbox"));
        self.store_dir.or_else(default).ok_or_else(|| {
            "no folder for the inbox store: HOME is not set; choose one with --store-dir".to_owned()
        })
    }
}

impl ConsumerArgs {
    /// With everything else at its default.
    pub fn config(self, store: PathBuf, cluster: ClusterConfig, topics: TopicsConfig) -> Config {
        Config {
            address: self.consumer_addr,
            store_dir: store,
            store: StoreConfig::default(),
            cluster,
            topics,
            restore_wait: Duration::from_secs(2),
            stale_after: Duration::from_secs(3),
            persist_period: Duration::from_secs(1),
            server: ServerConfig::default(),
        }
    }
}

/// Everything the query service needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens, `host:port`.
    pub address: String,
    /// Folder of the inbox store.
    pub store_dir: PathBuf,
    /// Bounds of the store.
    pub store: StoreConfig,
    /// The Kafka cluster.
    pub cluster: ClusterConfig,
    /// The topics.
    pub topics: TopicsConfig,
    /// How long a request waits for a partition that is being restored. Larger, and clients give up
    /// first; smaller, and a restart shows itself as errors.
    pub restore_wait: Duration,
    /// From which age of the last fetch on answers carry `Staleness`. It must be longer than a
    /// broker holds an empty fetch, which is a second.
    pub stale_after: Duration,
    /// How often the store is synced to disk. Larger, and a power loss makes more be read from the
    /// log again; smaller, and the disk works more. Nothing is lost either way.
    pub persist_period: Duration,
    /// The HTTP server.
    pub server: ServerConfig,
}
