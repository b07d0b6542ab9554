//! OffsetFetch: what groups committed, for the partitions asked or for all.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};

use super::{Context, groups, str_bytes, topic_name};
use crate::offsets::{Committed, Place};

/// The partitions asked of each topic; `None` asks for all that is committed.
type Asked = Option<Vec<(TopicName, Vec<i32>)>>;

/// What is committed in each topic.
type Found = Vec<(TopicName, Vec<(i32, Committed)>)>;

/// The answer of groups that together ask for more than this broker keeps.
const TOO_MUCH: ResponseError = ResponseError::InvalidRequest;

/// What a partition without a committed offset is answered. It is no error, as in Apache Kafka, also when
/// there is no such partition.
const NOTHING: Committed = Committed { offset: -1, leader_epoch: -1, metadata: String::new() };

pub(super) fn answer(
    context: &Context,
    request: OffsetFetchRequest,
    version: i16,
) -> OffsetFetchResponse {
    // A request can name one group, or one partition, very often.
    let mut room = context.shared.limits.group_offsets;
    if version < 8 {
        let asked = |it: OffsetFetchRequestTopic| (it.name, it.partition_indexes);
        let asked = request.topics.map(|topics| topics.into_iter().map(asked).collect());
        let found = find(context, &request.group_id, &asked, &mut room);
        return of_one_group(found, asked, version);
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let asked = |it: OffsetFetchRequestTopics| (it.name, it.partition_indexes);
        let asked = group.topics.map(|topics| topics.into_iter().map(asked).collect());
        let found = find(context, &group.group_id, &asked, &mut room);
        groups.push(of_group(found).with_group_id(group.group_id));
    }
    OffsetFetchResponse::default().with_groups(groups)
}

fn find(
    context: &Context,
    group: &str,
    asked: &Asked,
    room: &mut usize,
) -> Result<Found, ResponseError> {
    groups::check_id(group)?;
    let Some(topics) = asked else { return find_all(context, group, room) };
    let partitions = topics.iter().map(|(_, indexes)| indexes.len()).sum();
    *room = room.checked_sub(partitions).ok_or(TOO_MUCH)?;
    let shared = &context.shared;
    let mut found = Found::with_capacity(topics.len());
    for (name, indexes) in topics {
        let topic = shared.catalog.topic(name);
        let mut partitions = Vec::with_capacity(indexes.len());
        for index in indexes {
            let place = topic.as_ref().map(|topic| Place { topic: topic.id, partition: *index });
            let committed = place.and_then(|place| shared.offsets.get(group, place));
            partitions.push((*index, committed.unwrap_or(NOTHING)));
        }
        found.push((name.clone(), partitions));
    }
    Ok(found)
}

fn find_all(context: &Context, group: &str, room: &mut usize) -> Result<Found, ResponseError> {
    let offsets = context.shared.offsets.of_group(group, *room).ok_or(TOO_MUCH)?;
    *room -= offsets.len();
    let mut topics = BTreeMap::<_, Vec<_>>::new();
    for (place, committed) in offsets {
        topics.entry(place.topic).or_default().push((place.partition, committed));
    }
    let mut found = Found::with_capacity(topics.len());
    for (id, partitions) in topics {
        // A topic may be deleted this moment.
        if let Some(topic) = context.shared.catalog.topic_by_id(id) {
            found.push((topic_name(&topic.name), partitions));
        }
    }
    Ok(found)
}

/// The answer before version 8. Version 1 has no place for an error but at each partition.
fn of_one_group(
    found: Result<Found, ResponseError>,
    asked: Asked,
    version: i16,
) -> OffsetFetchResponse {
    let (found, error) = match found {
        Ok(found) => (found, 0),
        Err(error) => (nothing(asked.unwrap_or_default()), error.code()),
    };
    let mut topics = Vec::with_capacity(found.len());
    for (name, partitions) in found {
        let partition = |(index, committed): (i32, Committed)| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(committed.offset)
                .with_committed_leader_epoch(committed.leader_epoch)
                .with_metadata(Some(str_bytes(&committed.metadata)))
                .with_error_code(if version < 2 { error } else { 0 })
        };
        let partitions = partitions.into_iter().map(partition).collect();
        topics
            .push(OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions));
    }
    OffsetFetchResponse::default().with_topics(topics).with_error_code(error)
}

fn nothing(asked: Vec<(TopicName, Vec<i32>)>) -> Found {
    let mut found = Found::with_capacity(asked.len());
    for (name, indexes) in asked {
        found.push((name, indexes.into_iter().map(|index| (index, NOTHING)).collect()));
    }
    found
}

/// One group's part of the answer from version 8 on.
fn of_group(found: Result<Found, ResponseError>) -> OffsetFetchResponseGroup {
    let found = match found {
        Ok(found) => found,
        Err(error) => return OffsetFetchResponseGroup::default().with_error_code(error.code()),
    };
    let mut topics = Vec::with_capacity(found.len());
    for (name, partitions) in found {
        let partition = |(index, committed): (i32, Committed)| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(committed.offset)
                .with_committed_leader_epoch(committed.leader_epoch)
                .with_metadata(Some(str_bytes(&committed.metadata)))
        };
        let partitions = partitions.into_iter().map(partition).collect();
        topics
            .push(OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions));
    }
    OffsetFetchResponseGroup::default().with_topics(topics)
}
