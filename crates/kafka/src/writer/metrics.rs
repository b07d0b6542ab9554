//! What all writers of a process have done.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counts of all writers of a process.
#[derive(Clone, Debug, Default)]
pub struct WriterMetrics {
    pub(super) records: Counter,
    pub(super) requests: Counter,
    pub(super) retries: Counter,
}

impl WriterMetrics {
    /// Puts the counts into a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "produced_records",
            "Records acknowledged by the log",
            self.records.clone(),
        );
        registry.register(
            "produce_requests",
            "Produce requests acknowledged by the log",
            self.requests.clone(),
        );
        registry.register(
            "produce_retries",
            "Produce requests that failed and were tried again",
            self.retries.clone(),
        );
    }
}
