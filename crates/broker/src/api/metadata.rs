//! Metadata: where the broker is and which topics it has.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};
use uuid::Uuid;

use super::{Context, NODE_ID, str_bytes, topic_name};
use crate::catalog::{Topic, is_legal_name};
use crate::log::LEADER_EPOCH;

/// A topic that does not exist is never made, whatever the request allows.
pub(super) fn answer(
    context: &Context,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    let catalog = &context.shared.catalog;
    let topics = match request.topics {
        // An empty list meant all topics before there was null (version 1).
        Some(topics) if version > 0 || !topics.is_empty() => {
            topics.into_iter().map(|topic| one(context, topic)).collect()
        }
        Some(_) | None => catalog.all().iter().map(|topic| describe(topic)).collect(),
    };
    let endpoint = context.endpoint();
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(str_bytes(&endpoint.host))
        .with_port(i32::from(endpoint.port));
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(str_bytes(&context.shared.data_dir.cluster_id)))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics)
}

fn one(context: &Context, asked: MetadataRequestTopic) -> MetadataResponseTopic {
    let catalog = &context.shared.catalog;
    let Some(name) = asked.name else {
        let topic = catalog.topic_by_id(asked.topic_id);
        return topic.map_or_else(
            || missing(ResponseError::UnknownTopicId).with_topic_id(asked.topic_id).with_name(None),
            |topic| describe(&topic),
        );
    };
    match catalog.topic(&name) {
        Some(topic) => describe(&topic),
        None if is_legal_name(&name) => {
            missing(ResponseError::UnknownTopicOrPartition).with_name(Some(name))
        }
        None => missing(ResponseError::InvalidTopicException).with_name(Some(name)),
    }
}

fn missing(error: ResponseError) -> MetadataResponseTopic {
    MetadataResponseTopic::default().with_error_code(error.code()).with_topic_id(Uuid::nil())
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for (index, _) in (0..).zip(&topic.partitions) {
        partitions.push(
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(NODE_ID))
                .with_leader_epoch(LEADER_EPOCH)
                .with_replica_nodes(vec![BrokerId(NODE_ID)])
                .with_isr_nodes(vec![BrokerId(NODE_ID)]),
        );
    }
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_topic_id(topic.id)
        .with_partitions(partitions)
}
