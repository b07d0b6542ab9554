//! Offsets that a consumer group keeps in Kafka, committed by a consumer that is no member.

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest, OffsetFetchResponse,
    TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};
use models::{Offset, Partition};

use crate::leader::host_and_port;
use crate::wire::{self, Connection, refused, within};
use crate::{ClusterConfig, Error};

/// The offsets that one group has of one topic. Kafka forgets those that nobody commits for a while
/// (`offsets.retention.minutes`, a week).
pub struct GroupOffsets {
    cluster: ClusterConfig,
    group: GroupId,
    topic: TopicName,
    coordinator: Option<Connection>,
}

/// A committed offset, and what was committed beside it.
pub type Committed = (Offset, String);

/// The last versions in which a request asks for one group, and names topics.
const FIND_COORDINATOR: i16 = 3;
const OFFSET_FETCH: i16 = 7;
const OFFSET_COMMIT: i16 = 9;

impl GroupOffsets {
    /// The offsets of a group; it connects at the first call.
    pub fn new(
        cluster: ClusterConfig,
        group: impl Into<String>,
        topic: impl Into<String>,
    ) -> Self {
        Self {
            cluster,
            group: GroupId(StrBytes::from_string(group.into())),
            topic: TopicName(StrBytes::from_string(topic.into())),
            coordinator: None,
        }
    }

    /// The offsets committed of these partitions, in their order.
    ///
    /// # Errors
    /// The group's coordinator could not be asked; the next call looks for it anew.
    ///
    /// # Cancel safety
    /// It can be asked again.
    pub async fn fetch(
        &mut self,
        partitions: &[Partition],
    ) -> Result<Vec<Option<Committed>>, Error> {
        let indexes = partitions.iter().map(|partition| partition.0).collect();
        let topic = OffsetFetchRequestTopic::default()
            .with_name(self.topic.clone())
            .with_partition_indexes(indexes);
        let request = OffsetFetchRequest::default()
            .with_group_id(self.group.clone())
            .with_topics(Some(vec![topic]));
        let answer = self.call(&request, OFFSET_FETCH).await?;
        let call = self.name_of("OffsetFetch");
        let committed = refused(&call, answer.error_code, None).and_then(|()| {
            let found = |partition| committed(&call, &answer, partition);
            partitions.iter().map(found).collect()
        });
        self.keep_if_good(committed)
    }

    /// Commits offsets, each with up to 4,096 bytes beside it (`offset.metadata.max.bytes`).
    ///
    /// # Errors
    /// Some may not be committed; the next call looks for the coordinator anew.
    ///
    /// # Cancel safety
    /// Cancelled, they may or may not be committed.
    pub async fn commit(&mut self, offsets: &[(Partition, Offset, String)]) -> Result<(), Error> {
        let partition = |(partition, offset, metadata): &(Partition, Offset, String)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(partition.0)
                .with_committed_offset(offset.0)
                .with_committed_metadata(Some(StrBytes::from_string(metadata.clone())))
        };
        let topic = OffsetCommitRequestTopic::default()
            .with_name(self.topic.clone())
            .with_partitions(offsets.iter().map(partition).collect());
        let request =
            OffsetCommitRequest::default().with_group_id(self.group.clone()).with_topics(vec![topic]);
        let answer = self.call(&request, OFFSET_COMMIT).await?;
        let call = self.name_of("OffsetCommit");
        let mut answers = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let committed = answers.try_for_each(|answer| refused(&call, answer.error_code, None));
        self.keep_if_good(committed)
    }

    /// Asks the coordinator, which is looked for where it is not known.
    async fn call<R: Request>(&mut self, request: &R, max: i16) -> Result<R::Response, Error> {
        let mut coordinator = match self.coordinator.take() {
            Some(coordinator) => coordinator,
            None => Box::pin(self.find_coordinator()).await?,
        };
        let answer = coordinator.call_within(request, max, self.cluster.request_timeout).await?;
        self.coordinator = Some(coordinator);
        Ok(answer)
    }

    async fn find_coordinator(&self) -> Result<Connection, Error> {
        let call = self.name_of("FindCoordinator");
        let timeout = self.cluster.request_timeout;
        within(timeout, &call, async {
            let mut any = wire::connect(&self.cluster).await?;
            let request = FindCoordinatorRequest::default().with_key(self.group.0.clone());
            let found = any.call_within(&request, FIND_COORDINATOR, timeout).await?;
            refused(&call, found.error_code, found.error_message)?;
            let address = host_and_port(&found.host, found.port);
            Connection::open(&address, &self.cluster).await
        })
        .await
    }

    /// Whoever refused may not be the coordinator any more.
    fn keep_if_good<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.coordinator = None;
        }
        result
    }

    fn name_of(&self, call: &str) -> String {
        format!("{call} of group {}", self.group.as_str())
    }
}

fn committed(
    call: &str,
    answer: &OffsetFetchResponse,
    partition: &Partition,
) -> Result<Option<Committed>, Error> {
    let mut found = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let Some(found) = found.find(|found| found.partition_index == partition.0) else {
        return Ok(None);
    };
    refused(call, found.error_code, None)?;
    let metadata = found.metadata.as_ref().map(ToString::to_string).unwrap_or_default();
    // -1: nothing was committed.
    let is_there = found.committed_offset >= 0;
    Ok(is_there.then(|| (Offset(found.committed_offset), metadata)))
}
