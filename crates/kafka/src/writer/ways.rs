//! The two ways to append to a partition.

use std::time::Duration;

use kafka_protocol::ResponseError;
use models::{Offset, Partition, Record};
use rskafka::client::partition::{Compression, PartitionClient};
use tokio::time::Instant;

use crate::client::{failed, partition_client, to_library};
use crate::leader::Leader;
use crate::throttle::unless_throttled;
use crate::wire::{IDLE, within};
use crate::{ClusterConfig, Error, Topic};

/// Requests from this size on are sent by our own client, in bytes.
///
/// The library leaves Nagle's algorithm on, so that a request of about 8 to 64 KB stalls for 44 ms
/// on loopback and for a round trip elsewhere. Of larger ones it copies every record, and writes them
/// at half the speed.
const OWN_FROM_BYTES: usize = 7_500;

/// The library, and our own client for what the library would stall or repeat.
pub(super) struct Ways {
    cluster: ClusterConfig,
    topic: Topic,
    partition: Partition,
    /// With when it was last used.
    library: Option<(PartitionClient, Instant)>,
    leader: Option<Leader>,
    /// The broker throttles, and the library would append again what was appended.
    is_throttled: bool,
}

/// A connection to send a request over.
pub(super) enum Way {
    Library(PartitionClient),
    Wire(Leader),
}

impl Ways {
    pub(super) fn new(cluster: ClusterConfig, topic: Topic, partition: Partition) -> Self {
        Self { cluster, topic, partition, library: None, leader: None, is_throttled: false }
    }

    /// Connects for a request of this size, and waits where the broker wants to be left alone.
    pub(super) async fn open(&mut self, size_bytes: usize) -> Result<Way, Error> {
        if self.is_throttled || size_bytes >= OWN_FROM_BYTES {
            let mut leader = match self.leader.take() {
                Some(leader) if !leader.is_idle() => leader,
                _ => Leader::connect(&self.cluster, &self.topic, self.partition).await?,
            };
            leader.rested().await;
            return Ok(Way::Wire(leader));
        }
        Ok(Way::Library(match self.library.take() {
            Some((client, used)) if used.elapsed() < IDLE => client,
            _ => partition_client(&self.cluster, &self.topic, self.partition).await?,
        }))
    }

    /// After a failure nothing that was open is used again: what is behind it may be another log.
    pub(super) fn forget(&mut self) {
        (self.library, self.leader) = (None, None);
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&mut self, way: Way) {
        match way {
            Way::Library(client) => self.library = Some((client, Instant::now())),
            Way::Wire(leader) => self.leader = Some(leader),
        }
    }

    /// Appends records in one request, and returns the first one's offset. A connection that failed
    /// is not used again.
    pub(super) async fn produce<'a>(
        &mut self,
        way: Way,
        records: impl ExactSizeIterator<Item = &'a Record> + Clone,
        timeout: Duration,
    ) -> Result<Offset, Error> {
        match way {
            Way::Wire(mut leader) => {
                let produced = leader.produce(records, timeout).await?;
                self.is_throttled |= produced.throttled;
                self.keep(Way::Wire(leader));
                Ok(produced.base_offset)
            }
            Way::Library(client) => {
                let offset = self.produce_by_library(&client, records, timeout).await?;
                self.keep(Way::Library(client));
                Ok(offset)
            }
        }
    }

    async fn produce_by_library<'a>(
        &mut self,
        client: &PartitionClient,
        records: impl ExactSizeIterator<Item = &'a Record>,
        timeout: Duration,
    ) -> Result<Offset, Error> {
        let call = format!("produce to {}-{}", self.topic.name, self.partition);
        let count = records.len();
        let records = records.map(to_library).collect();
        let producing = unless_throttled(client.produce(records, Compression::NoCompression));
        let answer = within(timeout, &call, async { Ok(producing.await) }).await?;
        let Ok(answer) = answer else {
            self.is_throttled = true;
            let code = ResponseError::ThrottlingQuotaExceeded;
            return Err(Error::Answer { call, code, message: None });
        };
        let offsets = answer.map_err(failed(&call))?;
        match offsets.first() {
            Some(first) if offsets.len() == count => Ok(Offset(*first)),
            _ => {
                let reason = format!("{} offsets for {count} records", offsets.len());
                Err(Error::Malformed { call, reason })
            }
        }
    }
}
