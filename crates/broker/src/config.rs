//! What a broker is told at its start.

use std::path::PathBuf;
use std::time::Duration;

/// Where a broker keeps its data, where it listens, and its bounds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder; made when it is missing, locked while the broker runs.
    pub data_dir: PathBuf,
    /// `host:port` to listen on; port 0 takes a free one.
    pub listen: String,
    /// `host:port` that clients are told to connect to. `None` tells each client the address at which it
    /// has reached the broker, which is right unless a port is mapped or an address translated between.
    pub advertised: Option<String>,
    /// Bounds of queues and waits.
    pub limits: Limits,
}

impl Config {
    /// A broker on `listen` with the default bounds.
    pub fn new(data_dir: impl Into<PathBuf>, listen: impl Into<String>) -> Config {
        Config {
            data_dir: data_dir.into(),
            listen: listen.into(),
            advertised: None,
            limits: Limits::default(),
        }
    }
}

/// Bounds. The defaults suit one node that serves tens of clients.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; a newcomer beyond them is closed. Larger: more memory and file handles.
    pub connections: usize,
    /// Requests read ahead on one connection. Smaller: pipelined appends share fewer syncs.
    pub requests_in_flight: usize,
    /// The longest request frame, in bytes. It holds the largest `max.message.bytes` (15 MiB) with its
    /// header; larger only lets a stray client take more memory.
    pub frame_bytes: usize,
    /// Memory for requests and fetched records of all connections together, in bytes. At this bound
    /// large requests wait for others to be answered.
    pub memory_bytes: u32,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long the rest of a request may take once its first bytes are there.
    pub read_timeout: Duration,
    /// How long a client may take to read a response; one that takes longer is cut.
    pub write_timeout: Duration,
    /// The longest wait of a fetch, whatever it asks for.
    pub fetch_wait: Duration,
    /// The most bytes a fetch returns, in bytes, whatever it asks for; one larger batch is returned all
    /// the same.
    pub fetch_bytes: usize,
    /// The longest wait of a produce, whatever it asks for.
    pub produce_wait: Duration,
    /// Appends that wait for one partition's next sync.
    pub queue_appends: usize,
    /// Bytes that wait for one partition's next sync. Larger: more memory, longer syncs.
    pub queue_bytes: u32,
    /// Idempotent producers remembered a partition; the one silent longest is forgotten first.
    pub producers_per_partition: usize,
    /// Partitions of all topics. Each takes at least one file handle, and 1,024 is a common limit of
    /// those for a process.
    pub partitions: usize,
    /// Committed offsets of all groups together. A group's first commit for one more partition is refused
    /// at this bound. Larger: more memory, up to 5 KiB each; a longer pause when their file is rewritten.
    pub group_offsets: usize,
    /// Time between two looks at retention.
    pub retention_interval: Duration,
    /// How long [`Broker::run_until`](crate::Broker::run_until) waits for what is in flight.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1024,
            requests_in_flight: 32,
            frame_bytes: 16 << 20,
            memory_bytes: 256 << 20,
            idle_timeout: Duration::from_secs(600),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            fetch_wait: Duration::from_secs(60),
            fetch_bytes: 16 << 20,
            produce_wait: Duration::from_secs(60),
            queue_appends: 1024,
            queue_bytes: 32 << 20,
            producers_per_partition: 10_000,
            partitions: 512,
            group_offsets: 10_000,
            retention_interval: Duration::from_secs(300),
            stop_timeout: Duration::from_secs(30),
        }
    }
}
