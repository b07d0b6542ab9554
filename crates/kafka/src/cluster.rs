//! Where the brokers are, and how long anything may take.

use std::time::Duration;

/// A cluster to talk to.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Addresses to start from, `host:port`; one that answers is enough.
    pub brokers: Vec<String>,
    /// How this process names itself in the broker's logs and quotas.
    pub client_id: String,
    /// How long one request, or opening a connection, may take before it counts as failed.
    ///
    /// Larger, and a silent broker is noticed late; smaller, and a slow disk behind a broker
    /// makes requests fail that would have succeeded, and be repeated.
    pub request_timeout: Duration,
}

impl ClusterConfig {
    /// A cluster with the usual timeout.
    pub fn new(brokers: Vec<String>, client_id: impl Into<String>) -> Self {
        Self { brokers, client_id: client_id.into(), request_timeout: Duration::from_secs(2) }
    }
}
