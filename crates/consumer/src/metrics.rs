//! What the query service counts.

use models::{Partition, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The counts of all partitions.
#[derive(Clone)]
pub(crate) struct ConsumerMetrics {
    applied: Family<PartitionLabel, Counter>,
    duplicates: Family<PartitionLabel, Counter>,
    undecodable: Family<UndecodableLabel, Counter>,
    misplaced: Family<PartitionLabel, Counter>,
    outbox: Family<PartitionLabel, Gauge>,
    lag: Family<PartitionLabel, Gauge>,
    expired: Family<PartitionLabel, Counter>,
    first_offset: Family<PartitionLabel, Gauge>,
    commands: Family<CommandLabel, Counter>,
    /// From a record's time until what it says can be read.
    pub(crate) visible_seconds: Histogram,
    /// From a notification's time until it is handed to its streams.
    pub(crate) push_seconds: Histogram,
    /// Streams that are open.
    pub(crate) streams: Gauge,
}

/// The counts of one partition.
#[derive(Clone)]
pub(crate) struct PartitionMetrics {
    pub(crate) applied: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) misplaced: Counter,
    pub(crate) outbox: Gauge,
    pub(crate) lag: Gauge,
    /// Ends of notifications that expired, as the log has them.
    pub(crate) expired: Counter,
    /// What the log still holds.
    pub(crate) first_offset: Gauge,
    undecodable: Family<UndecodableLabel, Counter>,
    partition: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartitionLabel {
    partition: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabel {
    command: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UndecodableLabel {
    partition: i32,
    reason: &'static str,
}

/// Upper bounds of the buckets of what takes from a send to a reader, in seconds.
const BUCKETS_SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// By this machine's clock; what was sent by one that is ahead took no time.
pub(crate) fn seconds_since(time: Timestamp) -> f64 {
    (service::now().as_ms() - time.as_ms()).max(0) as f64 / 1e3
}

impl Default for ConsumerMetrics {
    fn default() -> Self {
        Self {
            applied: Family::default(),
            duplicates: Family::default(),
            undecodable: Family::default(),
            misplaced: Family::default(),
            outbox: Family::default(),
            lag: Family::default(),
            expired: Family::default(),
            first_offset: Family::default(),
            commands: Family::default(),
            visible_seconds: Histogram::new(BUCKETS_SECONDS),
            push_seconds: Histogram::new(BUCKETS_SECONDS),
            streams: Gauge::default(),
        }
    }
}

impl ConsumerMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "applied_notifications",
            "Notifications put into inboxes",
            self.applied.clone(),
        );
        registry.register(
            "duplicate_records",
            "Records whose event was applied before",
            self.duplicates.clone(),
        );
        registry.register(
            "undecodable_records",
            "Records that are in no inbox, by reason",
            self.undecodable.clone(),
        );
        registry.register(
            "misplaced_records",
            "Records in a partition that is not their recipient's, relayed to theirs",
            self.misplaced.clone(),
        );
        registry.register(
            "outbox_records",
            "Dead letters and relays that wait to be delivered",
            self.outbox.clone(),
        );
        registry.register(
            "lag_records",
            "Records between what is applied and the end of the log",
            self.lag.clone(),
        );
        registry.register(
            "expired_notifications",
            "Notifications whose end was appended because they expired",
            self.expired.clone(),
        );
        registry.register(
            "first_offset",
            "The first offset that the log still holds; below it inboxes show nothing",
            self.first_offset.clone(),
        );
        registry.register(
            "commands",
            "Changes of inboxes that were handed to the log, by kind",
            self.commands.clone(),
        );
        registry.register(
            "publish_to_visible_seconds",
            "From a record's time until what it says can be read, of partitions that are live",
            self.visible_seconds.clone(),
        );
        registry.register(
            "publish_to_push_seconds",
            "From a notification's time until it is handed to the streams of its user",
            self.push_seconds.clone(),
        );
        registry.register("streams", "Streams that are open", self.streams.clone());
    }

    pub(crate) fn command(&self, command: &'static str) {
        self.commands.get_or_create(&CommandLabel { command }).inc();
    }

    pub(crate) fn of(&self, partition: Partition) -> PartitionMetrics {
        let label = PartitionLabel { partition: partition.0 };
        PartitionMetrics {
            applied: self.applied.get_or_create(&label).clone(),
            duplicates: self.duplicates.get_or_create(&label).clone(),
            misplaced: self.misplaced.get_or_create(&label).clone(),
            outbox: self.outbox.get_or_create(&label).clone(),
            lag: self.lag.get_or_create(&label).clone(),
            expired: self.expired.get_or_create(&label).clone(),
            first_offset: self.first_offset.get_or_create(&label).clone(),
            undecodable: self.undecodable.clone(),
            partition: partition.0,
        }
    }
}

impl PartitionMetrics {
    pub(crate) fn undecodable(&self, reason: &'static str, count: u64) {
        let label = UndecodableLabel { partition: self.partition, reason };
        self.undecodable.get_or_create(&label).inc_by(count);
    }
}
