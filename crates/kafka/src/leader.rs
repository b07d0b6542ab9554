//! The leader of a partition, and a connection of our own to it.

mod fetch;
mod pause;
mod produce;

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use models::{Partition, TopicId};

use pause::Pause;

use crate::wire::{self, Connection, host_and_port, refused, within};
use crate::{ClusterConfig, Error, Topic, admin};

/// A connection to the leader of one partition.
///
/// # Cancel safety
/// A call that was cancelled leaves it of no more use, as one that failed does.
pub(crate) struct Leader {
    connection: Connection,
    topic: Topic,
    partition: Partition,
    timeout: Duration,
    pause: Pause,
}

impl Leader {
    /// Looks the leader up and connects to it.
    pub(crate) async fn connect(
        cluster: &ClusterConfig,
        topic: &Topic,
        partition: Partition,
    ) -> Result<Self, Error> {
        let brokers = cluster.brokers.join(",");
        let call = format!("connect to {}-{partition} at {brokers}", topic.name);
        let connection = within(cluster.request_timeout, &call, async {
            let mut any = wire::connect(cluster).await?;
            let address = address(&mut any, topic, partition).await?;
            Connection::open(&address, cluster).await
        })
        .await?;
        let timeout = cluster.request_timeout;
        let pause = Pause::default();
        Ok(Self { connection, topic: topic.clone(), partition, timeout, pause })
    }

    /// Whether it lay idle for so long that the broker may have closed it.
    pub(crate) fn is_idle(&self) -> bool {
        self.connection.is_idle()
    }
}

/// Where the leader of a partition listens, `host:port`. The topic is not created, and is the one
/// that is meant: its id is checked where it is known.
pub(crate) async fn address(
    connection: &mut Connection,
    topic: &Topic,
    partition: Partition,
) -> Result<String, Error> {
    let name = topic.name.as_str();
    let answer = connection.call(&admin::metadata_request([name])).await?;
    let is_it = |t: &&MetadataResponseTopic| t.name.as_ref().is_some_and(|n| n.as_str() == name);
    let call = format!("Metadata of {name}");
    let refuse =
        |code: ResponseError| Err(Error::Answer { call: call.clone(), code, message: None });
    let Some(found) = answer.topics.iter().find(is_it) else {
        return refuse(ResponseError::UnknownTopicOrPartition);
    };
    refused(&call, found.error_code, None)?;
    if topic.id.is_some_and(|id| id != TopicId(found.topic_id)) {
        return refuse(ResponseError::InconsistentTopicId);
    }
    let Some(found) = found.partitions.iter().find(|p| p.partition_index == partition.0) else {
        return refuse(ResponseError::UnknownTopicOrPartition);
    };
    match answer.brokers.iter().find(|broker| broker.node_id == found.leader_id) {
        Some(broker) => Ok(host_and_port(&broker.host, broker.port)),
        None => refuse(ResponseError::LeaderNotAvailable),
    }
}
