//! The two ways to the records of a partition.

use std::time::Duration;

use kafka_protocol::ResponseError;
use models::{Offset, Partition};
use rskafka::client::error::{Error as LibraryError, ProtocolError};
use rskafka::client::partition::PartitionClient;

use crate::client::{failed, from_library, partition_client};
use crate::fetched::Fetched;
use crate::leader::Leader;
use crate::wire::within;
use crate::{ClusterConfig, Error, Topic};

/// The library, and our own client where the library failed. At most one connection is kept; after
/// an error none is.
pub(super) struct Ways {
    cluster: ClusterConfig,
    topic: Topic,
    partition: Partition,
    library: Option<PartitionClient>,
    leader: Option<Leader>,
    connections: u64,
}

impl Ways {
    pub(super) fn new(cluster: ClusterConfig, topic: Topic, partition: Partition) -> Self {
        Self { cluster, topic, partition, library: None, leader: None, connections: 0 }
    }

    /// How many connections fetches have opened.
    pub(super) fn connections(&self) -> u64 {
        self.connections
    }

    pub(super) fn disconnect(&mut self) {
        (self.library, self.leader) = (None, None);
    }

    /// Asked over our own client: the library would leave open transactions out.
    pub(super) async fn bounds(&mut self) -> Result<(Offset, Offset), Error> {
        let mut leader = match self.leader.take() {
            Some(leader) => leader,
            // It is not kept: the fetches are still the library's.
            None => return self.connect().await?.bounds().await,
        };
        let bounds = leader.bounds().await?;
        self.leader = Some(leader);
        Ok(bounds)
    }

    /// Fetches through the library first.
    pub(super) async fn fetch(
        &mut self,
        offset: Offset,
        max_bytes: i32,
        wait: Duration,
    ) -> Result<Fetched, Error> {
        if self.leader.is_none() {
            match self.fetch_by_library(offset, max_bytes, wait).await {
                Ok(fetched) if is_plausible(offset, &fetched) => return Ok(fetched),
                Err(error) if !is_unreadable(&error) => return Err(error),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(topic = self.topic.name, partition = %self.partition, offset = offset.0, %error, "the library cannot read it");
                }
            }
            self.library = None;
        }
        self.fetch_by_wire(offset, max_bytes, wait).await
    }

    async fn fetch_by_library(
        &mut self,
        offset: Offset,
        max_bytes: i32,
        wait: Duration,
    ) -> Result<Fetched, Error> {
        let call = format!("fetch {}-{} at {offset}", self.topic.name, self.partition);
        let timeout = self.cluster.request_timeout + wait;
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let client = self.library().await?;
        let fetching = client.fetch_records(offset.0, 1..max_bytes, wait_ms);
        let answer = within(timeout, &call, async { fetching.await.map_err(failed(&call)) }).await;
        if answer.is_err() {
            self.library = None;
        }
        let (records, high_watermark) = answer?;
        let records: Vec<_> = records.into_iter().map(from_library).collect();
        let next_offset = records.last().map_or(offset, |(last, _)| last.next());
        let high_watermark = Offset(high_watermark);
        Ok(Fetched { records, unreadable: Vec::new(), next_offset, high_watermark })
    }

    async fn fetch_by_wire(
        &mut self,
        offset: Offset,
        max_bytes: i32,
        wait: Duration,
    ) -> Result<Fetched, Error> {
        let mut leader = match self.leader.take() {
            Some(leader) => leader,
            None => {
                let leader = self.connect().await?;
                self.connections += 1;
                leader
            }
        };
        let fetched = leader.fetch(offset, max_bytes, wait).await?;
        self.leader = Some(leader);
        Ok(fetched)
    }

    async fn library(&mut self) -> Result<&PartitionClient, Error> {
        let client = match self.library.take() {
            Some(client) => client,
            None => {
                let client = partition_client(&self.cluster, &self.topic, self.partition).await?;
                self.connections += 1;
                client
            }
        };
        Ok(self.library.insert(client))
    }

    async fn connect(&self) -> Result<Leader, Error> {
        Leader::connect(&self.cluster, &self.topic, self.partition).await
    }
}

/// Whether an answer of the library is all there was to read. It ends without a word where a batch
/// seems cut off, leaves out what it does not understand, and does not look at the offsets.
fn is_plausible(asked: Offset, fetched: &Fetched) -> bool {
    let mut least = asked;
    for (offset, _) in &fetched.records {
        if *offset < least {
            return false;
        }
        least = offset.next();
    }
    !fetched.records.is_empty() || fetched.is_end()
}

/// Whether the library had an answer and could not read it.
fn is_unreadable(error: &Error) -> bool {
    let Error::Client { source, .. } = error else { return false };
    matches!(source.as_ref(), LibraryError::Request(_) | LibraryError::InvalidResponse(_))
}

pub(super) fn is_out_of_range(error: &Error) -> bool {
    match error {
        Error::Client { source, .. } => matches!(
            source.as_ref(),
            LibraryError::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }
        ),
        Error::Answer { code, .. } => *code == ResponseError::OffsetOutOfRange,
        Error::Timeout { .. }
        | Error::Connection { .. }
        | Error::Unreachable { .. }
        | Error::Malformed { .. }
        | Error::Version { .. } => false,
    }
}
