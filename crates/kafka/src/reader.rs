//! Reading a partition.

use std::time::Duration;

use models::{Offset, Partition, Record};
use rskafka::client::error::{Error as LibraryError, ProtocolError};
use rskafka::client::partition::{OffsetAt, PartitionClient};

use crate::client::{failed, from_library, partition_client};
use crate::wire::within;
use crate::{ClusterConfig, Error, Topic};

/// What a fetch that finds nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It answers at once: how else to learn soon that there is nothing?
    No,
    /// The broker holds it until a record comes, or for a second.
    ForRecords,
}

/// How long a broker holds a fetch that finds nothing. A record ends the wait at once.
///
/// Larger, and it takes longer to notice that a broker fell silent; smaller, and idle partitions
/// cost requests.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Reads one partition, over a connection of its own.
pub struct Reader {
    cluster: ClusterConfig,
    topic: Topic,
    partition: Partition,
    client: Option<PartitionClient>,
}

/// What a fetch brought.
#[derive(Debug)]
pub struct Fetched {
    /// Records with their offsets, ascending; none where nothing came in time.
    pub records: Vec<(Offset, Record)>,
    /// Where to fetch next.
    pub next_offset: Offset,
    /// The end of what is committed: having read up to here is having read all there was.
    pub high_watermark: Offset,
}

/// Why a fetch brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The partition does not hold the offset: below the start retention has cut it, beyond the
    /// end it is another log.
    #[error("offset {asked} is out of range: the partition has {start} to {end}")]
    OutOfRange {
        /// The offset asked for.
        asked: Offset,
        /// The first offset held.
        start: Offset,
        /// The offset behind the last one.
        end: Offset,
    },
    /// No answer that can be used. The next fetch connects anew.
    #[error(transparent)]
    Unavailable(#[from] Error),
}

impl Fetched {
    /// Whether everything there was has been read.
    pub fn is_end(&self) -> bool {
        self.next_offset >= self.high_watermark
    }
}

impl Reader {
    /// A reader; it connects at the first call.
    pub fn new(cluster: ClusterConfig, topic: impl Into<Topic>, partition: Partition) -> Self {
        Self { cluster, topic: topic.into(), partition, client: None }
    }

    /// Fetches from `offset`, up to about `max_bytes` (a larger first batch comes whole).
    ///
    /// # Errors
    /// See [`FetchError`].
    ///
    /// # Cancel safety
    /// Nothing is lost: the same offset can be fetched again.
    pub async fn fetch(
        &mut self,
        offset: Offset,
        max_bytes: i32,
        wait: Wait,
    ) -> Result<Fetched, FetchError> {
        let call = self.call("fetch", offset);
        let wait = match wait {
            Wait::No => Duration::ZERO,
            Wait::ForRecords => MAX_WAIT,
        };
        let timeout = self.cluster.request_timeout + wait;
        let client = self.connected().await?;
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let fetching = client.fetch_records(offset.0, 1..max_bytes, wait_ms);
        // Two layers: whether there was an answer in time, and what it was.
        let answer = within(timeout, &call, async { Ok(fetching.await) }).await;
        match answer {
            Ok(Ok((records, high_watermark))) => Ok(fetched(offset, records, high_watermark)),
            Ok(Err(error)) if is_out_of_range(&error) => self.out_of_range(offset).await,
            Ok(Err(error)) => {
                self.client = None;
                Err(failed(&call)(error).into())
            }
            Err(timeout) => {
                self.client = None;
                Err(timeout.into())
            }
        }
    }

    /// The first offset held, and the one behind the last.
    ///
    /// # Errors
    /// The broker could not be asked.
    pub async fn bounds(&mut self) -> Result<(Offset, Offset), Error> {
        let call = self.call("list offsets", Offset(0));
        let timeout = self.cluster.request_timeout;
        let client = self.connected().await?;
        let asking = async {
            let start = client.get_offset(OffsetAt::Earliest).await.map_err(failed(&call))?;
            let end = client.get_offset(OffsetAt::Latest).await.map_err(failed(&call))?;
            Ok((Offset(start), Offset(end)))
        };
        let answer = within(timeout, &call, asking).await;
        if answer.is_err() {
            self.client = None;
        }
        answer
    }

    async fn out_of_range(&mut self, asked: Offset) -> Result<Fetched, FetchError> {
        let (start, end) = self.bounds().await?;
        Err(FetchError::OutOfRange { asked, start, end })
    }

    async fn connected(&mut self) -> Result<&PartitionClient, Error> {
        let client = match self.client.take() {
            Some(client) => client,
            None => partition_client(&self.cluster, &self.topic, self.partition.0).await?,
        };
        Ok(self.client.insert(client))
    }

    fn call(&self, what: &str, offset: Offset) -> String {
        format!("{what} {}-{} at {offset}", self.topic.name, self.partition)
    }
}

fn fetched(
    offset: Offset,
    records: Vec<rskafka::record::RecordAndOffset>,
    high_watermark: i64,
) -> Fetched {
    let records: Vec<_> = records.into_iter().map(from_library).collect();
    let next_offset = records.last().map_or(offset, |(last, _)| last.next());
    Fetched { records, next_offset, high_watermark: Offset(high_watermark) }
}

fn is_out_of_range(error: &LibraryError) -> bool {
    matches!(
        error,
        LibraryError::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }
    )
}
