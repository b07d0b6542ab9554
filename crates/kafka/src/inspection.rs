//! What a cluster has of an installation: looked at, and never changed.

mod quotas;

use std::collections::BTreeMap;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use models::{Offset, Partition, TopicId};

use crate::admin::{self, Settings};
use crate::topics::partitions_laid_out;
use crate::wire::{self, Connection, refused};
use crate::{ClusterConfig, Error, Reader, TopicsConfig, TopicsError};

pub use quotas::{ProduceQuota, produce_quotas};

/// What a cluster has of an installation.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// How many brokers are part of the cluster now.
    pub brokers: usize,
    /// The notifications topic, if it is there.
    pub notifications: Option<TopicInspection>,
    /// The users topic, if it is there.
    pub users: Option<TopicInspection>,
    /// The topic of dead letters, if it is there.
    pub dead_letters: Option<TopicInspection>,
    /// Number of partitions that the record `$layout` has; `None` where there is no such record, and
    /// where a topic is missing. In words, why a service would refuse it.
    pub layout: Result<Option<i32>, String>,
}

/// A topic as the cluster has it.
#[derive(Clone, Debug)]
pub struct TopicInspection {
    /// Its name.
    pub name: String,
    /// This life of it.
    pub topic_id: TopicId,
    /// Number of partitions.
    pub partitions: i32,
    /// The least number of replicas that a partition has.
    pub replication: usize,
    /// Partitions without a leader: they can neither be written nor read.
    pub without_leader: Vec<Partition>,
    /// Partitions of which not all replicas are up to date.
    pub out_of_sync: Vec<Partition>,
    /// Its settings, also those at their defaults, by name.
    pub settings: BTreeMap<String, String>,
}

/// Whether one broker answers, at this very address.
///
/// # Errors
/// It does not.
pub async fn reach(address: &str, cluster: &ClusterConfig) -> Result<(), Error> {
    Connection::open(address, cluster).await.map(|_connection| ())
}

/// Looks at the topics of an installation. Nothing is made, written or committed.
///
/// # Errors
/// The cluster could not be asked.
pub async fn inspect(cluster: &ClusterConfig, config: &TopicsConfig) -> Result<Inspection, Error> {
    let mut connection = wire::connect(cluster).await?;
    let users = format!("{}.users", config.topic);
    let dead_letters = format!("{}.dlq", config.topic);
    let names = [config.topic.as_str(), &users, &dead_letters];
    let answer = connection.call(&admin::metadata_request(names)).await?;
    let brokers = answer.brokers.len();
    let mut topics = [None, None, None];
    for (topic, name) in topics.iter_mut().zip(names) {
        *topic = look_at(&mut connection, &answer, name).await?;
    }
    let [notifications, users_found, dead_letters] = topics;
    let layout = match (&users_found, &notifications) {
        (Some(topic), Some(log)) if topic.without_leader.is_empty() => {
            layout(cluster, &users, config, log.partitions).await?
        }
        (Some(_) | None, _) => Ok(None),
    };
    Ok(Inspection { brokers, notifications, users: users_found, dead_letters, layout })
}

/// The first offset and the one behind the last of each of these partitions, in their order.
///
/// # Errors
/// One of them could not be asked for.
pub async fn ends(
    cluster: &ClusterConfig,
    topic: &str,
    partitions: i32,
) -> Result<Vec<(Offset, Offset)>, Error> {
    let mut ends = Vec::new();
    for partition in 0..partitions {
        let mut reader = Reader::new(cluster.clone(), topic, Partition(partition));
        ends.push(reader.bounds().await?);
    }
    Ok(ends)
}

async fn layout(
    cluster: &ClusterConfig,
    users: &str,
    config: &TopicsConfig,
    partitions: i32,
) -> Result<Result<Option<i32>, String>, Error> {
    // Boxed: the compiler gives up on the layout of futures nested this deep.
    match Box::pin(partitions_laid_out(cluster, users, config, partitions)).await {
        Ok(partitions) => Ok(Ok(partitions)),
        Err(TopicsError::Unavailable(error)) => Err(error),
        Err(TopicsError::Unsuitable(reason)) => Ok(Err(reason)),
    }
}

async fn look_at(
    connection: &mut Connection,
    answer: &MetadataResponse,
    name: &str,
) -> Result<Option<TopicInspection>, Error> {
    let is_it = |t: &&MetadataResponseTopic| t.name.as_ref().is_some_and(|n| n.as_str() == name);
    let Some(found) = answer.topics.iter().find(is_it) else { return Ok(None) };
    if admin::is_absent(found) {
        return Ok(None);
    }
    if !admin::is_leaderless(found) {
        refused(&format!("Metadata of {name}"), found.error_code, None)?;
    }
    let [settings]: [Settings; 1] = admin::describe_configs(connection, [name]).await?;
    let of = |is_one: fn(&MetadataResponsePartition) -> bool| {
        let partitions = found.partitions.iter().filter(|partition| is_one(partition));
        partitions.map(|partition| Partition(partition.partition_index)).collect()
    };
    let replicas = found.partitions.iter().map(|partition| partition.replica_nodes.len());
    Ok(Some(TopicInspection {
        name: name.to_owned(),
        topic_id: TopicId(found.topic_id),
        partitions: i32::try_from(found.partitions.len()).unwrap_or(i32::MAX),
        replication: replicas.min().unwrap_or(0),
        without_leader: of(|partition| partition.leader_id.0 < 0),
        out_of_sync: of(|partition| partition.isr_nodes.len() < partition.replica_nodes.len()),
        settings,
    }))
}
