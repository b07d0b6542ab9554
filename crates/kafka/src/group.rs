//! Offsets that a group has committed: how far it is, for whoever asks the cluster.

mod committed;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
};
use kafka_protocol::protocol::{Message, StrBytes};
use models::{Offset, Partition};

use crate::wire::{self, Connection, host_and_port, refused, within};
use crate::{ClusterConfig, Error, admin};

/// From version 4 on FindCoordinator asks for several groups at once (KIP-699).
const MANY_COORDINATORS_FROM: i16 = 4;

/// From version 8 on OffsetFetch asks for several groups at once (KIP-709).
const MANY_GROUPS_FROM: i16 = 8;

/// The offsets of one topic that a group keeps at its coordinator.
///
/// The group has no members as far as the cluster knows: whoever calls this decides alone which
/// partitions are its own (a "simple consumer": generation -1, no member id). A coordinator refuses
/// that while the group has members.
///
/// The connection to the coordinator is kept, and dropped after any error: the next call looks the
/// coordinator up again.
pub struct GroupOffsets {
    cluster: ClusterConfig,
    group: String,
    topic: String,
    coordinator: Option<Connection>,
}

impl GroupOffsets {
    /// The offsets of a topic; it connects at the first call.
    pub fn new(cluster: ClusterConfig, group: impl Into<String>, topic: impl Into<String>) -> Self {
        Self { cluster, group: group.into(), topic: topic.into(), coordinator: None }
    }

    /// Commits where each of these partitions is to be read from next, each with a text of the
    /// caller's (brokers take 4,096 bytes by default).
    ///
    /// # Errors
    /// None, some or all of them are committed. A partition's code is an [`Error::Answer`].
    ///
    /// # Cancel safety
    /// Cancelled, none, some or all of them are committed.
    pub async fn commit(&mut self, offsets: &[(Partition, Offset, String)]) -> Result<(), Error> {
        if offsets.is_empty() {
            return Ok(());
        }
        let call = format!("commit offsets of {} for group {}", self.topic, self.group);
        within(self.cluster.request_timeout, &call, async {
            let mut coordinator = self.connected().await?;
            let answer = coordinator.call(&self.commit_request(offsets)).await?;
            for (partition, ..) in offsets {
                self.check_committed(&call, &answer, *partition)?;
            }
            self.coordinator = Some(coordinator);
            Ok(())
        })
        .await
    }

    /// What was committed of each of these partitions, in their order; nothing, or not any more, is
    /// `None`.
    ///
    /// # Errors
    /// Any partition's code is an [`Error::Answer`].
    ///
    /// # Cancel safety
    /// It can be asked again.
    pub async fn fetch(
        &mut self,
        partitions: &[Partition],
    ) -> Result<Vec<Option<(Offset, String)>>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let call = format!("fetch offsets of {} for group {}", self.topic, self.group);
        within(self.cluster.request_timeout, &call, async {
            let mut coordinator = self.connected().await?;
            let max = OffsetFetchRequest::VERSIONS.max;
            let many = coordinator.version::<OffsetFetchRequest>(max)? >= MANY_GROUPS_FROM;
            let request = committed::request(&self.group, &self.topic, partitions, many);
            let answer = coordinator.call(&request).await?;
            let found = committed::found(&call, answer, &self.group, &self.topic, partitions)?;
            self.coordinator = Some(coordinator);
            Ok(found)
        })
        .await
    }

    fn commit_request(&self, offsets: &[(Partition, Offset, String)]) -> OffsetCommitRequest {
        let partition = |(partition, offset, metadata): &(Partition, Offset, String)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(partition.0)
                .with_committed_offset(offset.0)
                .with_committed_metadata(Some(StrBytes::from_string(metadata.clone())))
        };
        let topic = OffsetCommitRequestTopic::default()
            .with_name(admin::topic_name(&self.topic))
            .with_partitions(offsets.iter().map(partition).collect());
        OffsetCommitRequest::default()
            .with_group_id(group_id(&self.group))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    }

    fn check_committed(
        &self,
        call: &str,
        answer: &OffsetCommitResponse,
        partition: Partition,
    ) -> Result<(), Error> {
        let topic = answer.topics.iter().find(|it| it.name.as_str() == self.topic);
        let mut partitions = topic.iter().flat_map(|it| &it.partitions);
        match partitions.find(|it| it.partition_index == partition.0) {
            Some(found) => refused(call, found.error_code, None),
            None => Err(missing(call, partition)),
        }
    }

    /// The connection to the coordinator; it is put back once a call succeeded.
    async fn connected(&mut self) -> Result<Connection, Error> {
        match self.coordinator.take() {
            Some(coordinator) if !coordinator.is_idle() => Ok(coordinator),
            _ => Connection::open(&self.coordinator_address().await?, &self.cluster).await,
        }
    }

    async fn coordinator_address(&self) -> Result<String, Error> {
        let call = format!("find the coordinator of group {}", self.group);
        let mut any = wire::connect(&self.cluster).await?;
        let max = FindCoordinatorRequest::VERSIONS.max;
        let key = StrBytes::from_string(self.group.clone());
        let request = FindCoordinatorRequest::default();
        if any.version::<FindCoordinatorRequest>(max)? < MANY_COORDINATORS_FROM {
            let answer = any.call(&request.with_key(key)).await?;
            refused(&call, answer.error_code, answer.error_message)?;
            return Ok(host_and_port(&answer.host, answer.port));
        }
        let answer = any.call(&request.with_coordinator_keys(vec![key])).await?;
        let Some(found) = answer.coordinators.into_iter().find(|it| *it.key == self.group) else {
            return Err(Error::Malformed { call, reason: "the group is not in it".to_owned() });
        };
        refused(&call, found.error_code, found.error_message)?;
        Ok(host_and_port(&found.host, found.port))
    }
}

fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

fn missing(call: &str, partition: Partition) -> Error {
    Error::Malformed {
        call: call.to_owned(),
        reason: format!("partition {partition} is not in it"),
    }
}
