//! OffsetFetch, in its two forms: of one group, and since version 8 of many.

use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use kafka_protocol::protocol::StrBytes;
use models::{Offset, Partition};

use super::{group_id, missing};
use crate::wire::refused;
use crate::{Error, admin};

/// What the coordinator keeps of a partition.
struct Committed {
    partition: i32,
    error_code: i16,
    offset: i64,
    metadata: Option<StrBytes>,
}

pub(super) fn request(
    group: &str,
    topic: &str,
    partitions: &[Partition],
    many: bool,
) -> OffsetFetchRequest {
    let indexes: Vec<_> = partitions.iter().map(|it| it.0).collect();
    let name = admin::topic_name(topic);
    let request = OffsetFetchRequest::default();
    if many {
        let topic = OffsetFetchRequestTopics::default().with_name(name);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(group_id(group))
            .with_topics(Some(vec![topic.with_partition_indexes(indexes)]));
        return request.with_groups(vec![group]);
    }
    let topic = OffsetFetchRequestTopic::default().with_name(name);
    request
        .with_group_id(group_id(group))
        .with_topics(Some(vec![topic.with_partition_indexes(indexes)]))
}

/// What an answer says of each partition, in their order.
pub(super) fn found(
    call: &str,
    answer: OffsetFetchResponse,
    group: &str,
    topic: &str,
    partitions: &[Partition],
) -> Result<Vec<Option<(Offset, String)>>, Error> {
    let committed = committed(call, answer, group, topic)?;
    let mut found = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let of_it = committed.iter().find(|it| it.partition == partition.0);
        let Some(of_it) = of_it else { return Err(missing(call, *partition)) };
        refused(call, of_it.error_code, None)?;
        let metadata = of_it.metadata.as_ref().map(|it| it.to_string()).unwrap_or_default();
        // Nothing was committed: -1.
        found.push((of_it.offset >= 0).then_some((Offset(of_it.offset), metadata)));
    }
    Ok(found)
}

fn committed(
    call: &str,
    answer: OffsetFetchResponse,
    group: &str,
    topic: &str,
) -> Result<Vec<Committed>, Error> {
    refused(call, answer.error_code, None)?;
    let of_group = answer.groups.into_iter().find(|it| it.group_id.as_str() == group);
    let Some(of_group) = of_group else {
        let of_topic = answer.topics.into_iter().filter(|it| it.name.as_str() == topic);
        return Ok(of_topic.flat_map(|it| it.partitions).map(Committed::from).collect());
    };
    refused(call, of_group.error_code, None)?;
    let of_topic = of_group.topics.into_iter().filter(|it| it.name.as_str() == topic);
    Ok(of_topic.flat_map(|it| it.partitions).map(Committed::from).collect())
}

impl From<OffsetFetchResponsePartition> for Committed {
    fn from(found: OffsetFetchResponsePartition) -> Self {
        Self {
            partition: found.partition_index,
            error_code: found.error_code,
            offset: found.committed_offset,
            metadata: found.metadata,
        }
    }
}

impl From<OffsetFetchResponsePartitions> for Committed {
    fn from(found: OffsetFetchResponsePartitions) -> Self {
        Self {
            partition: found.partition_index,
            error_code: found.error_code,
            offset: found.committed_offset,
            metadata: found.metadata,
        }
    }
}
