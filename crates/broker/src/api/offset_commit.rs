//! OffsetCommit, by clients that choose their partitions themselves.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};
use tokio::time::timeout;

use super::{Context, code, groups};
use crate::catalog::Topic;
use crate::offsets::{Commit, Committed, Full, Offline, Place};

/// How long a commit may take: those before it, and the disk. Apache Kafka's `offsets.commit.timeout.ms`.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest metadata of an offset: Apache Kafka's `offset.metadata.max.bytes`.
const METADATA_BYTES: usize = 4096;

/// A topic with its partitions, and what became of each.
type Outcomes = Vec<(TopicName, Vec<(i32, Result<(), ResponseError>)>)>;

pub(super) async fn answer(
    context: &Context,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let kept = match check(&request) {
        Ok(()) => timeout(COMMIT_TIMEOUT, keep(context, &request)).await,
        Err(error) => Ok(Err(error)),
    };
    // The answer after which clients try again; a commit repeated does no harm.
    let kept = kept.unwrap_or(Err(ResponseError::CoordinatorNotAvailable));
    response(kept.unwrap_or_else(|error| refuse_all(&request, error)))
}

fn check(request: &OffsetCommitRequest) -> Result<(), ResponseError> {
    groups::check_id(&request.group_id)?;
    // Nobody is a member here; members would commit under the generation they were told.
    if request.generation_id_or_member_epoch >= 0 || !request.member_id.is_empty() {
        return Err(ResponseError::UnknownMemberId);
    }
    Ok(())
}

async fn keep(context: &Context, request: &OffsetCommitRequest) -> Result<Outcomes, ResponseError> {
    let shared = &context.shared;
    let mut commit = shared.offsets.commit(&request.group_id).await;
    let mut outcomes = Outcomes::with_capacity(request.topics.len());
    for asked in &request.topics {
        let topic = shared.catalog.topic(&asked.name);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in &asked.partitions {
            let outcome = add(&mut commit, topic.as_deref(), partition);
            partitions.push((partition.partition_index, outcome));
        }
        outcomes.push((asked.name.clone(), partitions));
    }
    let finished = commit.finish().await;
    finished.map_err(|Offline| ResponseError::CoordinatorNotAvailable)?;
    Ok(outcomes)
}

fn add(
    commit: &mut Commit,
    topic: Option<&Topic>,
    asked: &OffsetCommitRequestPartition,
) -> Result<(), ResponseError> {
    let topic = topic.filter(|topic| topic.partition(asked.partition_index).is_some());
    let topic = topic.ok_or(ResponseError::UnknownTopicOrPartition)?;
    let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
    if metadata.len() > METADATA_BYTES {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    let place = Place { topic: topic.id, partition: asked.partition_index };
    let committed = Committed {
        offset: asked.committed_offset,
        leader_epoch: asked.committed_leader_epoch,
        metadata: metadata.to_owned(),
    };
    commit.add(place, committed).map_err(|Full| ResponseError::InvalidCommitOffsetSize)
}

fn refuse_all(request: &OffsetCommitRequest, error: ResponseError) -> Outcomes {
    let mut outcomes = Outcomes::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|it| (it.partition_index, Err(error)));
        outcomes.push((topic.name.clone(), partitions.collect()));
    }
    outcomes
}

fn response(outcomes: Outcomes) -> OffsetCommitResponse {
    let mut topics = Vec::with_capacity(outcomes.len());
    for (name, partitions) in outcomes {
        let partition = |(index, outcome)| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code(outcome))
        };
        let partitions = partitions.into_iter().map(partition).collect();
        topics
            .push(OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions));
    }
    OffsetCommitResponse::default().with_topics(topics)
}
