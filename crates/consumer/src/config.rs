//! How the query service is told what to do.

use std::path::PathBuf;
use std::time::Duration;

use inbox::StoreConfig;
use kafka::{ClusterConfig, TopicsConfig};
use service::{Origin, ServerConfig};

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
    /// Origins whose web pages may ask, too, such as `https://app.example.org`, or `*` for any
    #[arg(long, env = "NOTIFY_CORS_ORIGINS", value_name = "ORIGIN,...", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,
    /// Which streams may be open.
    #[command(flatten)]
    pub streams: StreamsArgs,
    /// What the inbox store may use.
    #[command(flatten)]
    pub limits: StoreLimitsArgs,
}

/// How many streams may be open.
#[derive(Clone, Debug, clap::Args)]
pub struct StreamsArgs {
    /// Streams (server-sent events and WebSockets) that may be open at once; one more is answered with
    /// 503. Each takes some 12 KB of memory and a file descriptor
    #[arg(
        long,
        env = "NOTIFY_MAX_STREAMS",
        value_name = "N",
        default_value_t = MAX_STREAMS,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max_streams: u32,
    /// Streams of one user that may be open at once; one more is answered with 429
    #[arg(
        long,
        env = "NOTIFY_MAX_STREAMS_PER_USER",
        value_name = "N",
        default_value_t = MAX_STREAMS_PER_USER,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max_streams_per_user: u32,
}

impl Default for StreamsArgs {
    /// What the flags are without being given.
    fn default() -> Self {
        Self { max_streams: MAX_STREAMS, max_streams_per_user: MAX_STREAMS_PER_USER }
    }
}

const MAX_STREAMS: u32 = 10_000;

const MAX_STREAMS_PER_USER: u32 = 100;

/// Where the producer is, for a query service that is a process of its own.
#[derive(Clone, Debug, clap::Args)]
pub struct ProducerUrlArgs {
    /// Where the producer is: POST /v1/notifications is handed on to it
    #[arg(
        long,
        env = "NOTIFY_PRODUCER_URL",
        value_name = "URL",
        default_value = "http://localhost:8080",
        value_parser = http_url
    )]
    pub producer_url: String,
}

/// What the inbox store may use of the machine.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreLimitsArgs {
    /// MiB of blocks, indexes and filters that reads keep in memory, for all partitions together.
    /// Larger takes that much more memory; smaller than 1.25 bytes a notification, and look-ups by id
    /// read from disk
    #[arg(
        long,
        env = "NOTIFY_STORE_CACHE_MIB",
        value_name = "MIB",
        default_value_t = 32,
        value_parser = clap::value_parser!(u64).range(1..=MAX_MIB)
    )]
    pub store_cache_mib: u64,
    /// MiB of a partition's notifications that are kept in memory before they are written as a table.
    /// Larger, and a busy partition takes up to five times as much more memory; smaller, and the disk
    /// merges many small tables. Counts for partitions that are made later
    #[arg(
        long,
        env = "NOTIFY_STORE_WRITE_BUFFER_MIB",
        value_name = "MIB",
        default_value_t = 8,
        value_parser = clap::value_parser!(u64).range(1..=MAX_MIB)
    )]
    pub store_write_buffer_mib: u64,
    /// MiB of journals on disk, for all partitions together. Larger, and a start takes longer, because
    /// all of it is read again; smaller, and quiet partitions write small tables more often
    #[arg(
        long,
        env = "NOTIFY_STORE_JOURNAL_MIB",
        value_name = "MIB",
        default_value_t = 128,
        value_parser = clap::value_parser!(u64).range(64..=MAX_MIB)
    )]
    pub store_journal_mib: u64,
    /// MiB of records that were fetched and are not applied yet, in memory, of all partitions
    /// together. Larger, and catching up takes more than twice as much more memory, because applying
    /// takes as much again; smaller, and partitions wait for each other with fetching
    #[arg(
        long,
        env = "NOTIFY_FETCHED_MIB",
        value_name = "MIB",
        default_value_t = FETCHED_MIB,
        value_parser = clap::value_parser!(u64).range(1..=MAX_MIB)
    )]
    pub fetched_mib: u64,
}

/// With it six partitions that caught up with 5,000,000 records took 327 MB at most, all of the process
/// included.
const FETCHED_MIB: u64 = 4;

/// A bound for what nobody means; it keeps the number of bytes from overflowing.
const MAX_MIB: u64 = 1024 * 1024;

const MIB: u64 = 1024 * 1024;

impl StoreLimitsArgs {
    fn config(&self) -> StoreConfig {
        StoreConfig {
            cache_bytes: self.store_cache_mib.saturating_mul(MIB),
            write_buffer_bytes: self.store_write_buffer_mib.saturating_mul(MIB),
            journal_bytes: self.store_journal_mib.saturating_mul(MIB),
            ..StoreConfig::default()
        }
    }
}

impl Default for StoreLimitsArgs {
    /// What the flags are without being given.
    fn default() -> Self {
        let StoreConfig { cache_bytes, write_buffer_bytes, journal_bytes, .. } =
            StoreConfig::default();
        Self {
            store_cache_mib: cache_bytes / MIB,
            store_write_buffer_mib: write_buffer_bytes / MIB,
            store_journal_mib: journal_bytes / MIB,
            fetched_mib: FETCHED_MIB,
        }
    }
}

/// The producer speaks plain HTTP; what ends TLS in front of it is reached by its own address.
fn http_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").ok_or("a URL is http://HOST:PORT")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '?', '#', '@', ' ']) {
        return Err("a URL is http://HOST:PORT, without a path".to_owned());
    }
    Ok(format!("http://{rest}"))
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
    fn server(&self) -> ServerConfig {
        let ServerConfig { workers, max_connections_per_worker, .. } = ServerConfig::default();
        // Streams leave room for requests.
        let streams = self.streams.max_streams as usize / workers.max(1);
        ServerConfig {
            max_connections_per_worker: max_connections_per_worker + streams,
            cors_origins: self.cors_origins.clone(),
            ..ServerConfig::default()
        }
    }

    /// With everything else at its default.
    pub fn config(
        self,
        producer_url: String,
        store: PathBuf,
        cluster: ClusterConfig,
        topics: TopicsConfig,
    ) -> Config {
        let server = self.server();
        Config {
            address: self.consumer_addr,
            producer_url,
            store_dir: store,
            store: self.limits.config(),
            cluster,
            topics,
            restore_wait: Duration::from_secs(2),
            stale_after: Duration::from_secs(3),
            persist_period: Duration::from_secs(1),
            command_timeout: Duration::from_secs(5),
            forward_timeout: Duration::from_secs(30),
            expiry_period: Duration::from_secs(1),
            retention_period: Duration::from_secs(30),
            fetched_bytes: usize::try_from(self.limits.fetched_mib * MIB).unwrap_or(usize::MAX),
            max_exports: 4,
            max_streams: self.streams.max_streams as usize,
            max_streams_per_user: self.streams.max_streams_per_user as usize,
            body_timeout: Duration::from_secs(10),
            command_bytes: 16 * 1024 * 1024,
            forwarded_bytes: 64 * 1024 * 1024,
            server,
        }
    }
}

/// Everything the query service needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens, `host:port`.
    pub address: String,
    /// Where the producer is, `http://host:port`.
    pub producer_url: String,
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
    /// How long a command may take until its effect can be read, and a miss until it is certain.
    /// Longer, and clients give up first; shorter, and a broker that is slow for a moment is answered
    /// with errors.
    pub command_timeout: Duration,
    /// How long the producer may take to answer what is handed on to it. Shorter than its own
    /// deadline, and what it would have answered is unknown to the client.
    pub forward_timeout: Duration,
    /// How often it is looked whether notifications have expired. Longer, and they are shown for so
    /// much longer; shorter, and the store is read more often.
    pub expiry_period: Duration,
    /// How often the log is asked what it still holds. Longer, and inboxes show for so much longer
    /// what retention has cut; shorter, and the broker is asked more often.
    pub retention_period: Duration,
    /// Bytes that were fetched and are not applied yet, in memory, of all partitions together.
    /// Larger, and catching up takes more than that much more memory, because applying takes as much
    /// again; smaller, and it works in smaller batches, each of which writes a row for every user.
    pub fetched_bytes: usize,
    /// Exports that run at once; others are told to come again. Larger, and together they take the
    /// disk from everybody else; smaller, and a few slow readers keep all others waiting.
    pub max_exports: usize,
    /// Streams that may be open at once. Larger takes more memory and file descriptors; smaller, and
    /// more clients have to poll.
    pub max_streams: usize,
    /// The same for one user: nobody takes the streams of all others.
    pub max_streams_per_user: usize,
    /// How long a body may take to arrive. Longer, and those who send slowly keep others out;
    /// shorter, and slow connections are cut.
    pub body_timeout: Duration,
    /// Bytes of commands' bodies that are read at once; at the bound the newcomer is told to come
    /// again. Larger takes that much memory; smaller, and bursts are refused.
    pub command_bytes: usize,
    /// The same for what is handed on to the producer.
    pub forwarded_bytes: usize,
    /// The HTTP server.
    pub server: ServerConfig,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        consumer: ConsumerArgs,
        #[command(flatten)]
        producer: ProducerUrlArgs,
    }

    fn parse(flags: &[&str]) -> Result<Program, clap::Error> {
        Program::try_parse_from(["consumer"].iter().chain(flags))
    }

    #[test]
    fn without_flags_the_store_has_its_own_defaults() {
        let flags = parse(&[]).unwrap().consumer.limits.config();
        for defaults in [StoreConfig::default(), StoreLimitsArgs::default().config()] {
            assert_eq!(format!("{flags:?}"), format!("{defaults:?}"));
        }
        let flags = parse(&["--store-cache-mib", "7", "--store-journal-mib", "64"]).unwrap();
        let config = flags.consumer.limits.config();
        assert_eq!((config.cache_bytes, config.journal_bytes), (7 * MIB, 64 * MIB));
        for bad in [["--store-cache-mib", "0"], ["--store-journal-mib", "63"]] {
            assert!(parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_producer_is_a_host_and_a_port() {
        for (text, url) in [
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://10.0.0.1:80/", "http://10.0.0.1:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(parse(&["--producer-url", text]).unwrap().producer.producer_url, url);
        }
        for bad in
            ["", "localhost:8080", "https://a", "http://", "http://a/b", "http://a?b", "http://u@a"]
        {
            assert!(parse(&["--producer-url", bad]).is_err(), "{bad}");
        }
    }
}
