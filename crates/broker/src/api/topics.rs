//! CreateTopics and DeleteTopics.

use std::collections::HashMap;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
};
use tokio::time::timeout;
use uuid::Uuid;

use super::configs::source;
use super::{Context, NODE_ID, str_bytes};
use crate::catalog::is_legal_name;
use crate::topic_config::Overrides;

/// How long one topic may take to be made or deleted: the wait for others that change, and the disk.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The protocol's code and a sentence for the client.
struct Refused(ResponseError, String);

impl From<ResponseError> for Refused {
    fn from(error: ResponseError) -> Refused {
        Refused(error, error.to_string())
    }
}

/// A topic as it is to be made.
struct Plan {
    partitions: i32,
    overrides: Overrides,
}

pub(super) async fn create(
    context: &Context,
    request: CreateTopicsRequest,
    version: i16,
) -> CreateTopicsResponse {
    let mut times_named = HashMap::new();
    for topic in &request.topics {
        *times_named.entry(topic.name.clone()).or_insert(0) += 1;
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let made = if times_named.get(&topic.name) == Some(&1) {
            create_one(context, topic, request.validate_only, version).await
        } else {
            let message = "the topic is named more than once".to_owned();
            Err(Refused(ResponseError::InvalidRequest, message))
        };
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        results.push(match made {
            Ok((id, plan)) => described(result.with_topic_id(id), &plan),
            Err(Refused(error, message)) => result
                .with_error_code(error.code())
                .with_error_message(Some(str_bytes(&message)))
                .with_num_partitions(-1)
                .with_replication_factor(-1),
        });
    }
    CreateTopicsResponse::default().with_topics(results)
}

async fn create_one(
    context: &Context,
    topic: &CreatableTopic,
    validate_only: bool,
    version: i16,
) -> Result<(Uuid, Plan), Refused> {
    let plan = plan(context, topic, version)?;
    if validate_only {
        return Ok((Uuid::nil(), plan));
    }
    let name = topic.name.to_string();
    let (shared, partitions) = (context.shared.clone(), plan.partitions);
    let overrides = plan.overrides.clone();
    let creating = async move { shared.catalog.create(name, partitions, overrides).await };
    let made = to_its_end(creating).await?;
    Ok((made.id, plan))
}

fn plan(context: &Context, topic: &CreatableTopic, version: i16) -> Result<Plan, Refused> {
    let refused = |error, message: &str| Err(Refused(error, message.to_owned()));
    if !is_legal_name(&topic.name) {
        let message = "a name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'";
        return refused(ResponseError::InvalidTopicException, message);
    }
    if context.shared.catalog.topic(&topic.name).is_some() {
        return refused(ResponseError::TopicAlreadyExists, "the topic exists");
    }
    let partitions = partitions(topic, version)?;
    if !context.shared.catalog.has_room_for(usize::try_from(partitions).unwrap_or(usize::MAX)) {
        let message = "this broker may not have that many partitions";
        return refused(ResponseError::PolicyViolation, message);
    }
    let configs = topic.configs.iter();
    let configs = configs.map(|config| (&*config.name, config.value.as_deref()));
    let overrides = Overrides::check(configs)
        .map_err(|bad| Refused(ResponseError::InvalidConfig, bad.to_string()))?;
    Ok(Plan { partitions, overrides })
}

fn partitions(topic: &CreatableTopic, version: i16) -> Result<i32, Refused> {
    let refused = |error, message: &str| Err(Refused(error, message.to_owned()));
    let (count, replicas) = (topic.num_partitions, topic.replication_factor);
    if !topic.assignments.is_empty() {
        let only_here = |(index, given): (i32, &_)| {
            let given: &kafka_protocol::messages::create_topics_request::CreatableReplicaAssignment = given;
            given.partition_index == index && given.broker_ids == [BrokerId(NODE_ID)]
        };
        if count != -1 || replicas != -1 || !(0..).zip(&topic.assignments).all(only_here) {
            let message = "each partition from 0 on can only be assigned to this one broker";
            return refused(ResponseError::InvalidReplicaAssignment, message);
        }
        return Ok(i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX));
    }
    // -1 stands for the broker's default since version 4 (KIP-464).
    let default_allowed = version >= 4;
    if replicas != 1 && !(replicas == -1 && default_allowed) {
        let message = "the replication factor must be 1: there is one broker";
        return refused(ResponseError::InvalidReplicationFactor, message);
    }
    match count {
        -1 if default_allowed => Ok(1),
        1.. => Ok(count),
        _ => refused(ResponseError::InvalidPartitions, "a topic has at least 1 partition"),
    }
}

fn described(result: CreatableTopicResult, plan: &Plan) -> CreatableTopicResult {
    let mut configs = Vec::new();
    for config in plan.overrides.describe() {
        configs.push(
            CreatableTopicConfigs::default()
                .with_name(str_bytes(config.name))
                .with_value(Some(str_bytes(&config.value)))
                .with_config_source(source(&config)),
        );
    }
    result
        .with_num_partitions(plan.partitions)
        .with_replication_factor(1)
        .with_configs(Some(configs))
}

pub(super) async fn delete(
    context: &Context,
    request: DeleteTopicsRequest,
    version: i16,
) -> DeleteTopicsResponse {
    let mut asked = request.topics;
    if version < 6 {
        let by_name = |name| DeleteTopicState::default().with_name(Some(name));
        asked = request.topic_names.into_iter().map(by_name).collect();
    }
    let mut responses = Vec::with_capacity(asked.len());
    for topic in asked {
        let mut response = DeletableTopicResult::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id);
        if let Err(error) = delete_one(context, &topic, &mut response).await {
            response.error_code = error.code();
            response.error_message = Some(str_bytes(&error.to_string()));
        }
        responses.push(response);
    }
    DeleteTopicsResponse::default().with_responses(responses)
}

async fn delete_one(
    context: &Context,
    asked: &DeleteTopicState,
    response: &mut DeletableTopicResult,
) -> Result<(), ResponseError> {
    let catalog = &context.shared.catalog;
    let topic = match &asked.name {
        Some(name) => catalog.topic(name).ok_or(ResponseError::UnknownTopicOrPartition)?,
        None => catalog.topic_by_id(asked.topic_id).ok_or(ResponseError::UnknownTopicId)?,
    };
    response.name = Some(super::topic_name(&topic.name));
    response.topic_id = topic.id;
    let shared = context.shared.clone();
    to_its_end(async move {
        shared.catalog.delete(&topic).await?;
        shared.offsets.forget(topic.id).await;
        Ok(())
    })
    .await
}

/// Runs a change in a task of its own: one that is dropped halfway, because its client went or lost
/// patience, would leave a folder that belongs to no topic.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, ResponseError>> + Send + 'static,
) -> Result<T, ResponseError> {
    match timeout(CHANGE_TIMEOUT, tokio::spawn(change)).await {
        Ok(Ok(changed)) => changed,
        Ok(Err(_)) => Err(ResponseError::UnknownServerError),
        Err(_) => Err(ResponseError::RequestTimedOut),
    }
}
