//! The library's clients, built under a deadline, and its records.

use std::time::Duration;

use bytes::Bytes;
use models::{Offset, Partition, Record, Timestamp};
use rskafka::BackoffConfig;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};

use crate::wire::{Connection, within};
use crate::{ClusterConfig, Error, Topic, leader, wire};

/// The largest answer the library reads: a fetch asks for 8 MiB at most, and one record more.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Builds a client for one partition, with connections of its own.
///
/// Each writer and each reader has its own: a broker serves one request a connection at a time, so
/// a produce would wait behind a fetch. The metadata is fresh, which is what cures a client that
/// still asks a former leader: drop it and call this again.
///
/// The leader is looked up first, in a way that cannot create the topic: the library's own look-up
/// asks the broker to create what it does not find, with settings that are not ours. It also shows
/// that the leader answers at all, before anything is sent to it once more, and that the topic is
/// the one that is meant.
pub(crate) async fn partition_client(
    cluster: &ClusterConfig,
    topic: &Topic,
    partition: Partition,
) -> Result<PartitionClient, Error> {
    let call = format!("connect to {}-{partition} at {}", topic.name, cluster.brokers.join(","));
    within(cluster.request_timeout, &call, async {
        let mut connection = wire::connect(cluster).await?;
        let address = leader::address(&mut connection, topic, partition).await?;
        Connection::open(&address, cluster).await?;
        let client = client(cluster).await.map_err(failed(&call))?;
        client
            .partition_client(topic.name.as_str(), partition.0, UnknownTopicHandling::Error)
            .await
            .map_err(failed(&call))
    })
    .await
}

async fn client(cluster: &ClusterConfig) -> Result<Client, rskafka::client::error::Error> {
    // The library tries once; trying again is ours, with a new client whose topic was looked up
    // anew: the log behind a connection that was lost may be another one.
    let backoff = BackoffConfig { deadline: Some(Duration::ZERO), ..BackoffConfig::default() };
    ClientBuilder::new(cluster.brokers.clone())
        .client_id(cluster.client_id.as_str())
        .max_message_size(MAX_ANSWER_BYTES)
        .backoff_config(backoff)
        .build()
        .await
}

/// Wraps the library's error.
pub(crate) fn failed(call: &str) -> impl Fn(rskafka::client::error::Error) -> Error {
    move |source| Error::Client { call: call.to_owned(), source: Box::new(source) }
}

/// Our record as the library's, whose names of headers are texts.
pub(crate) fn to_library(record: &Record) -> rskafka::record::Record {
    let text = |name| String::from_utf8_lossy(name).into_owned();
    let headers = record.headers.iter().map(|(name, value)| (text(name), value.to_vec()));
    rskafka::record::Record {
        key: record.key.as_deref().map(<[u8]>::to_vec),
        value: record.value.as_deref().map(<[u8]>::to_vec),
        headers: headers.collect(),
        timestamp: record.timestamp.to_datetime(),
    }
}

/// The library's record as ours.
pub(crate) fn from_library(record: rskafka::record::RecordAndOffset) -> (Offset, Record) {
    let rskafka::record::RecordAndOffset { record, offset } = record;
    let record = Record {
        key: record.key.map(Bytes::from),
        value: record.value.map(Bytes::from),
        headers: record.headers.into_iter().collect(),
        timestamp: Timestamp::from(record.timestamp),
    };
    (Offset(offset), record)
}
