//! What the query service counts.

use models::Partition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counts of all partitions.
#[derive(Clone, Default)]
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
