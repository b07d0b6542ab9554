//! ListOffsets: the first, the next, or the first at a time.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use tokio::task;

use super::Context;
use crate::catalog::Topic;
use crate::log::{LEADER_EPOCH, Timestamped};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

pub(super) async fn answer(
    context: &Context,
    request: ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = context.shared.catalog.topic(&asked.name);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in asked.partitions {
            partitions.push(one(topic.as_deref(), &partition, version).await);
        }
        topics.push(
            ListOffsetsTopicResponse::default().with_name(asked.name).with_partitions(partitions),
        );
    }
    ListOffsetsResponse::default().with_topics(topics)
}

async fn one(
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let response =
        ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    match find(topic, asked).await {
        Ok(found) => response
            .with_offset(found.offset)
            .with_timestamp(found.timestamp)
            // Older versions have no place for it, and the codec refuses to leave it out.
            .with_leader_epoch(if version >= 4 { LEADER_EPOCH } else { -1 }),
        Err(error) => response.with_error_code(error.code()).with_offset(-1).with_timestamp(-1),
    }
}

async fn find(
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
) -> Result<Timestamped, ResponseError> {
    let partition = topic.and_then(|topic| topic.partition(asked.partition_index));
    let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
    if partition.is_offline() {
        return Err(ResponseError::KafkaStorageError);
    }
    if asked.current_leader_epoch > LEADER_EPOCH {
        return Err(ResponseError::UnknownLeaderEpoch);
    }
    let at = |offset| Timestamped { offset, timestamp: -1 };
    match asked.timestamp {
        LATEST => Ok(at(partition.view().high_watermark())),
        EARLIEST => Ok(at(partition.view().log_start())),
        ..0 => Err(ResponseError::UnsupportedVersion),
        timestamp => {
            let view = partition.shared_view();
            let found = task::spawn_blocking(move || view.at_timestamp(timestamp)).await;
            match found {
                // Nothing that late is answered with the offset -1.
                Ok(Ok(found)) => Ok(found.unwrap_or(at(-1))),
                Ok(Err(error)) => {
                    tracing::error!(%error, "cannot read a segment");
                    Err(ResponseError::KafkaStorageError)
                }
                Err(_) => Err(ResponseError::UnknownServerError),
            }
        }
    }
}
