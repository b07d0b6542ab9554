//! The two ways to the records of a partition.

use std::time::Duration;

use kafka_protocol::ResponseError;
use models::{Offset, Partition};
use rskafka::client::error::{Error as LibraryError, ProtocolError};
use rskafka::client::partition::PartitionClient;
use tokio::time::Instant;

use crate::client::{failed, from_library, partition_client};
use crate::fetched::Fetched;
use crate::leader::Leader;
use crate::wire::{IDLE, within};
use crate::{ClusterConfig, Error, Topic};

/// From so many records on, fetches go through our own client. The library makes a dozen pieces of
/// memory of each record. More, and catching up takes more processor time; fewer, and a partition that
/// is written to now and then has two connections.
const OWN_FROM_RECORDS: usize = 50;

/// The library, and our own client for what brings many records and what the library cannot read.
/// After a fetch that failed no connection is kept.
pub(super) struct Ways {
    cluster: ClusterConfig,
    topic: Topic,
    partition: Partition,
    way: Way,
    /// With when it was last used.
    library: Option<(PartitionClient, Instant)>,
    leader: Option<Leader>,
    connections: u64,
}

/// How the next fetch asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Library,
    /// Through our own client: the last fetches brought many records.
    Own,
    /// The library could not read what it got: a partition that holds one such record holds more.
    OwnForGood,
}

impl Ways {
    pub(super) fn new(cluster: ClusterConfig, topic: Topic, partition: Partition) -> Self {
        let (way, library, leader, connections) = (Way::Library, None, None, 0);
        Self { cluster, topic, partition, way, library, leader, connections }
    }

    /// How many connections fetches have opened.
    pub(super) fn connections(&self) -> u64 {
        self.connections
    }

    pub(super) fn disconnect(&mut self) {
        (self.way, self.library, self.leader) = (Way::Library, None, None);
    }

    /// Opens the connection over which the next fetch asks.
    pub(super) async fn connect(&mut self) -> Result<(), Error> {
        if self.way == Way::Library {
            return self.library().await.map(drop);
        }
        match self.leader().await {
            Ok(leader) => self.leader = Some(leader),
            // Better slowly than not at all.
            Err(error) if self.library.is_some() && !error.is_other_topic() => {
                self.way = Way::Library;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Asked over our own client: the library would leave open transactions out.
    pub(super) async fn bounds(&mut self) -> Result<(Offset, Offset), Error> {
        let mut leader = match self.leader.take_if(|leader| !leader.is_idle()) {
            Some(leader) => leader,
            // It is not kept: no fetch asked over it.
            None => return self.new_leader().await?.bounds().await,
        };
        let bounds = leader.bounds().await?;
        self.leader = Some(leader);
        Ok(bounds)
    }

    pub(super) async fn fetch(
        &mut self,
        offset: Offset,
        max_bytes: i32,
        wait: Duration,
    ) -> Result<Fetched, Error> {
        let fetched = self.fetch_either_way(offset, max_bytes, wait).await;
        match &fetched {
            Err(_) => self.disconnect(),
            Ok(_) if self.way == Way::OwnForGood => {}
            Ok(fetched) if fetched.records.len() >= OWN_FROM_RECORDS => self.way = Way::Own,
            Ok(_) if !wait.is_zero() => self.way = Way::Library,
            Ok(_) => {}
        }
        fetched
    }

    async fn fetch_either_way(
        &mut self,
        offset: Offset,
        max_bytes: i32,
        wait: Duration,
    ) -> Result<Fetched, Error> {
        if self.way == Way::Library {
            match self.fetch_by_library(offset, max_bytes, wait).await {
                Ok(fetched) if is_plausible(offset, &fetched) => return Ok(fetched),
                Err(error) if !is_unreadable(&error) => return Err(error),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(topic = self.topic.name, partition = %self.partition, offset = offset.0, %error, "the library cannot read it");
                }
            }
            (self.way, self.library) = (Way::OwnForGood, None);
        }
        let mut leader = self.leader().await?;
        let fetched = leader.fetch(offset, max_bytes, wait).await?;
        self.leader = Some(leader);
        Ok(fetched)
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
        let fetching = self.library().await?.fetch_records(offset.0, 1..max_bytes, wait_ms);
        let answer = within(timeout, &call, async { fetching.await.map_err(failed(&call)) }).await;
        let (records, high_watermark) = answer?;
        let records: Vec<_> = records.into_iter().map(from_library).collect();
        let next_offset = records.last().map_or(offset, |(last, _)| last.next());
        let high_watermark = Offset(high_watermark);
        Ok(Fetched { records, unreadable: Vec::new(), next_offset, high_watermark })
    }

    async fn library(&mut self) -> Result<&PartitionClient, Error> {
        let client = match self.library.take() {
            Some((client, used)) if used.elapsed() < IDLE => client,
            _ => {
                let client = partition_client(&self.cluster, &self.topic, self.partition).await?;
                self.connections += 1;
                client
            }
        };
        Ok(&self.library.insert((client, Instant::now())).0)
    }

    /// To be put back after a call that succeeded: any other leaves it of no more use.
    async fn leader(&mut self) -> Result<Leader, Error> {
        if let Some(leader) = self.leader.take_if(|leader| !leader.is_idle()) {
            return Ok(leader);
        }
        let leader = self.new_leader().await?;
        self.connections += 1;
        Ok(leader)
    }

    async fn new_leader(&self) -> Result<Leader, Error> {
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
