//! Requests about topics: Metadata, CreateTopics, DescribeConfigs.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, DescribeConfigsRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::{Message, StrBytes};
use models::TopicId;
use tokio::time::Instant;

use crate::wire::{Connection, refused};
use crate::{Backoff, Error};

/// How long making a topic may take, until all its partitions have leaders.
const CREATION_TIMEOUT: Duration = Duration::from_secs(15);

/// A topic as the cluster has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicFound {
    pub(crate) topic_id: TopicId,
    pub(crate) partitions: i32,
}

/// What the cluster says of a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Absent,
    /// It exists, but no partition has a leader yet.
    NotReady,
    Present(TopicFound),
}

pub(crate) struct ClusterFound<const N: usize> {
    pub(crate) brokers: usize,
    pub(crate) topics: [Found; N],
}

/// A topic to make.
#[derive(Clone)]
pub(crate) struct NewTopic {
    partitions: i32,
    replication: i16,
    settings: Vec<(&'static str, String)>,
}

impl NewTopic {
    /// One partition; three replicas of which two must have every record, where there are three
    /// brokers, else one.
    pub(crate) fn replicated(brokers: usize) -> Self {
        let (replication, in_sync) = if brokers >= 3 { (3, "2") } else { (1, "1") };
        let settings = vec![("min.insync.replicas", in_sync.to_owned())];
        Self { partitions: 1, replication, settings }
    }

    pub(crate) fn partitions(self, partitions: i32) -> Self {
        Self { partitions, ..self }
    }

    pub(crate) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }
}

/// Makes those of the topics that are missing, and waits until all of them can be used.
pub(crate) async fn ensure_topics<const N: usize>(
    connection: &mut Connection,
    names: [&str; N],
    plan: impl Fn(usize) -> [NewTopic; N],
) -> Result<[TopicFound; N], Error> {
    let deadline = Instant::now() + CREATION_TIMEOUT;
    let mut backoff = Backoff::new();
    loop {
        let cluster = metadata(connection, names).await?;
        if let Some(topics) = all_present(&cluster.topics) {
            return Ok(topics);
        }
        if Instant::now() >= deadline {
            let call = format!("wait for the topics {}", names.join(", "));
            return Err(Error::Timeout { call, after: CREATION_TIMEOUT });
        }
        for ((name, found), topic) in
            names.into_iter().zip(cluster.topics).zip(plan(cluster.brokers))
        {
            if matches!(found, Found::Absent) {
                create(connection, name, topic).await?;
            }
        }
        backoff.wait().await;
    }
}

fn all_present<const N: usize>(topics: &[Found; N]) -> Option<[TopicFound; N]> {
    let found: Vec<TopicFound> = topics
        .iter()
        .filter_map(|topic| match topic {
            Found::Present(topic) => Some(*topic),
            Found::Absent | Found::NotReady => None,
        })
        .collect();
    found.try_into().ok()
}

pub(crate) async fn metadata<const N: usize>(
    connection: &mut Connection,
    names: [&str; N],
) -> Result<ClusterFound<N>, Error> {
    let answer = connection.call(&metadata_request(names)).await?;
    let find = |name: &str| {
        let is_it =
            |t: &&MetadataResponseTopic| t.name.as_ref().is_some_and(|n| n.as_str() == name);
        found(name, answer.topics.iter().find(is_it))
    };
    let mut topics = [Found::Absent; N];
    for (topic, name) in topics.iter_mut().zip(names) {
        *topic = find(name)?;
    }
    Ok(ClusterFound { brokers: answer.brokers.len(), topics })
}

/// Asks for topics by name, in a way that cannot create them.
pub(crate) fn metadata_request<const N: usize>(names: [&str; N]) -> MetadataRequest {
    let asked = names.map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))));
    MetadataRequest::default().with_topics(Some(asked.into())).with_allow_auto_topic_creation(false)
}

/// Whether the cluster says that it has no such topic.
pub(crate) fn is_absent(topic: &MetadataResponseTopic) -> bool {
    topic.error_code.err() == Some(ResponseError::UnknownTopicOrPartition)
}

/// Whether the cluster says that nobody leads it.
pub(crate) fn is_leaderless(topic: &MetadataResponseTopic) -> bool {
    topic.error_code.err() == Some(ResponseError::LeaderNotAvailable)
}

fn found(name: &str, topic: Option<&MetadataResponseTopic>) -> Result<Found, Error> {
    let Some(topic) = topic else { return Ok(Found::Absent) };
    match topic.error_code.err() {
        None => {}
        Some(ResponseError::UnknownTopicOrPartition) => return Ok(Found::Absent),
        Some(ResponseError::LeaderNotAvailable) => return Ok(Found::NotReady),
        Some(_) => refused(&format!("Metadata of {name}"), topic.error_code, None)?,
    }
    if topic.topic_id.is_nil() {
        // Before KIP-516 (Kafka 2.8) a topic has no id.
        return Err(Error::Version { call: "Metadata with topic ids".into(), min: 10, max: 13 });
    }
    // Where only some have none, the others can be used.
    if topic.partitions.iter().all(|partition| partition.leader_id.0 < 0) {
        return Ok(Found::NotReady);
    }
    let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    Ok(Found::Present(TopicFound { topic_id: TopicId(topic.topic_id), partitions }))
}

/// Makes a topic; that another process made it meanwhile is as good.
async fn create(connection: &mut Connection, name: &str, topic: NewTopic) -> Result<(), Error> {
    let setting = |(name, value): (&'static str, String)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string(value)))
    };
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(topic.partitions)
        .with_replication_factor(topic.replication)
        .with_configs(topic.settings.into_iter().map(setting).collect());
    let timeout_ms = i32::try_from(CREATION_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
    let request =
        CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms);
    let max = CreateTopicsRequest::VERSIONS.max;
    let answer = connection.call_within(&request, max, CREATION_TIMEOUT).await?;
    for topic in answer.topics {
        if topic.error_code.err() == Some(ResponseError::TopicAlreadyExists) {
            continue;
        }
        refused(&format!("CreateTopics of {name}"), topic.error_code, topic.error_message)?;
        tracing::info!(topic = name, "topic created");
    }
    Ok(())
}

/// Settings of a topic, by name.
pub(crate) type Settings = BTreeMap<String, String>;

/// The kind of resource that is a topic, in DescribeConfigs.
const RESOURCE_TOPIC: i8 = 2;

pub(crate) async fn describe_configs<const N: usize>(
    connection: &mut Connection,
    names: [&str; N],
) -> Result<[Settings; N], Error> {
    let resources = names.map(|name| {
        DescribeConfigsResource::default()
            .with_resource_type(RESOURCE_TOPIC)
            .with_resource_name(StrBytes::from_string(name.to_owned()))
            .with_configuration_keys(None)
    });
    let request = DescribeConfigsRequest::default().with_resources(resources.into());
    let answer = connection.call(&request).await?;
    let mut settings = [const { Settings::new() }; N];
    for (settings, name) in settings.iter_mut().zip(names) {
        for result in answer.results.iter().filter(|r| r.resource_name.as_str() == name) {
            let call = format!("DescribeConfigs of {name}");
            refused(&call, result.error_code, result.error_message.clone())?;
            let values = result.configs.iter().filter_map(|config| {
                Some((config.name.to_string(), config.value.as_ref()?.to_string()))
            });
            settings.extend(values);
        }
    }
    Ok(settings)
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
