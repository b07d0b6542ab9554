//! Reading a partition.

mod ways;

use std::time::Duration;

use models::{Offset, Partition};
use ways::{Ways, is_out_of_range};

use crate::fetched::Fetched;
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

/// Reads one partition, over connections of its own.
///
/// It reads through the client library. Once that brings many records it reads through our own client,
/// which does not copy them, until a fetch that waits brings few. What the library cannot read
/// (transactions, compression, a null header, what compaction left empty) it reads through our own
/// client, and stays there until the connection is lost.
pub struct Reader {
    ways: Ways,
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

impl Reader {
    /// A reader; it connects at the first call.
    pub fn new(cluster: ClusterConfig, topic: impl Into<Topic>, partition: Partition) -> Self {
        Self { ways: Ways::new(cluster, topic.into(), partition) }
    }

    /// How many connections fetches have opened so far. Behind each may be another log than behind
    /// the one before.
    pub fn connections(&self) -> u64 {
        self.ways.connections()
    }

    /// The next call connects anew, and so looks the topic up by its id: an open connection asks by
    /// its name, which may be another topic's by now.
    pub fn disconnect(&mut self) {
        self.ways.disconnect();
    }

    /// Connects, where it is not connected: the next fetch asks over this connection.
    ///
    /// # Errors
    /// No broker answers, or the topic is another one.
    ///
    /// # Cancel safety
    /// It can be called again.
    pub async fn connect(&mut self) -> Result<(), Error> {
        Box::pin(self.ways.connect()).await
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
        let wait = match wait {
            Wait::No => Duration::ZERO,
            Wait::ForRecords => MAX_WAIT,
        };
        // Boxed: the compiler gives up on the layout of futures nested this deep.
        let fetched = Box::pin(self.ways.fetch(offset, max_bytes, wait)).await;
        if !fetched.as_ref().is_err_and(is_out_of_range) {
            return Ok(fetched?);
        }
        let (start, end) = self.bounds().await?;
        if offset < start {
            return Err(FetchError::OutOfRange { asked: offset, start, end });
        }
        // Beyond the end is another log; or it was a broker cut off from the others, or a connection
        // that outlived its topic. That one is gone now, and the next one tells.
        let fetched = Box::pin(self.ways.fetch(offset, max_bytes, wait)).await;
        if !fetched.as_ref().is_err_and(is_out_of_range) {
            return Ok(fetched?);
        }
        let (start, end) = self.bounds().await?;
        Err(FetchError::OutOfRange { asked: offset, start, end })
    }

    /// The first offset held, and the one behind the last. Records of transactions that are still
    /// open count: they are read.
    ///
    /// # Errors
    /// The broker could not be asked.
    ///
    /// # Cancel safety
    /// It can be asked again.
    pub async fn bounds(&mut self) -> Result<(Offset, Offset), Error> {
        Box::pin(self.ways.bounds()).await
    }
}
