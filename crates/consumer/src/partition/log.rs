//! The log of a partition, and whether it is the one that was read so far.

use std::sync::Arc;
use std::time::Duration;

use inbox::{LastRecord, RecordHash};
use kafka::{Error, FetchError, Fetched, Reader, Wait};
use models::{Offset, Partition};
use tokio::time::Instant;

use crate::outgoing::Outgoing;

/// Bytes a fetch asks for. Larger, and catching up takes more memory a partition; smaller, and it
/// takes more round trips.
pub(super) const FETCH_BYTES: i32 = 1024 * 1024;

/// After a pause this long the reader connects anew, and so looks the topic up by its id: the broker
/// is asked by the topic's name, which may be another topic's by now.
const PAUSE: Duration = Duration::from_secs(3);

/// How long a partition without a store waits for the group coordinator. Longer, and inboxes are not
/// there for as long; shorter, and dead letters are delivered again after a short outage.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(30);

/// The log of one partition.
pub(super) struct Log {
    partition: Partition,
    reader: Reader,
    outgoing: Arc<Outgoing>,
    /// The last record that was read: as long as the log has it there, it is the same log.
    last_record: Option<LastRecord>,
    /// The reader's connection over which that was last found to be so.
    checked: u64,
    /// When the log was last asked.
    asked_at: Instant,
    /// Since when a beginning is tried.
    begun_at: Option<Instant>,
}

/// What lies at an offset.
pub(super) enum Found {
    /// What was asked for.
    Records(Fetched),
    /// Retention has cut it: the log starts here.
    Cut(Offset),
    /// The log is another one.
    Another,
}

/// Where a fold begins.
pub(super) struct Begin {
    /// The first offset that the log holds.
    pub(super) start: Offset,
    /// The effects of records below this one have been delivered before.
    pub(super) effects_from: Offset,
}

/// Whether the log has a record where it was read.
enum Holds {
    It,
    /// Retention has cut that place.
    Cut,
    Another,
}

impl Holds {
    fn it_if(is_it: bool) -> Self {
        if is_it { Self::It } else { Self::Another }
    }
}

impl Log {
    pub(super) fn new(
        partition: Partition,
        reader: Reader,
        outgoing: Arc<Outgoing>,
        last_record: Option<LastRecord>,
    ) -> Self {
        Self {
            partition,
            reader,
            outgoing,
            last_record,
            checked: 0,
            asked_at: Instant::now(),
            begun_at: None,
        }
    }

    /// Fetches what is next of the log that was read so far.
    pub(super) async fn fetch(&mut self, offset: Offset, wait: Wait) -> Result<Found, Error> {
        if self.asked_at.elapsed() > PAUSE {
            self.reader.disconnect();
        }
        loop {
            // First, so that nothing is waited for over a connection that is not checked.
            self.reader.connect().await?;
            if !self.is_checked() && !self.is_same(offset).await? {
                return Ok(Found::Another);
            }
            let fetched = self.reader.fetch(offset, FETCH_BYTES, wait).await;
            self.asked_at = Instant::now();
            match fetched {
                // Over a new connection, which may lead to another log: that is to be known before
                // anything of it is applied.
                Ok(_) if !self.is_checked() => {}
                Ok(fetched) => {
                    self.note(&fetched);
                    return Ok(Found::Records(fetched));
                }
                Err(FetchError::OutOfRange { asked, start, .. }) if asked < start => {
                    self.last_record = None;
                    return Ok(Found::Cut(start));
                }
                Err(FetchError::OutOfRange { .. }) => return Ok(Found::Another),
                Err(error) => return Err(unavailable(error)),
            }
        }
    }

    /// The first offset that the log holds.
    pub(super) async fn start(&mut self) -> Result<Offset, Error> {
        Ok(self.reader.bounds().await?.0)
    }

    /// Finds out where a fold from nothing begins.
    pub(super) async fn begin(&mut self) -> Result<Begin, Error> {
        let start = self.start().await?;
        let effects_from = self.effects_from().await?;
        (self.last_record, self.begun_at) = (None, None);
        Ok(Begin { start, effects_from })
    }

    fn note(&mut self, fetched: &Fetched) {
        if let Some((offset, record)) = fetched.records.last() {
            self.last_record = Some(LastRecord { offset: *offset, hash: RecordHash::of(record) });
        }
    }

    /// Whether the reader's connection is the one over which the log was found to be the same.
    fn is_checked(&self) -> bool {
        self.checked != 0 && self.checked == self.reader.connections()
    }

    async fn is_same(&mut self, next_offset: Offset) -> Result<bool, Error> {
        let is_same = match self.last_record {
            Some(record) => match self.holds(record, next_offset).await? {
                Holds::It => true,
                Holds::Another => false,
                Holds::Cut => {
                    // What was cut is not asked for again: each time that ends the connection.
                    self.last_record = None;
                    self.is_within(next_offset).await?
                }
            },
            // No record to compare: a fetch that connects checks the topic's id.
            None => self.is_within(next_offset).await?,
        };
        self.checked = self.reader.connections();
        Ok(is_same)
    }

    /// Nothing is found where the log ends, nor where a leader that has just been elected does not
    /// show yet what it has; but only the end can be asked for, not what lies behind it.
    async fn has_but_does_not_show(&mut self, offset: Offset) -> Result<bool, Error> {
        if !self.is_within(offset.next()).await? {
            return Ok(false);
        }
        Err(Error::Malformed {
            call: format!("fetch at {offset}"),
            reason: "the record that was read last is not shown yet".into(),
        })
    }

    async fn is_within(&mut self, next_offset: Offset) -> Result<bool, Error> {
        match self.reader.fetch(next_offset, 1, Wait::No).await {
            Ok(_) => Ok(true),
            Err(FetchError::OutOfRange { asked, start, .. }) => Ok(asked < start),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Whether the log has this record where it was, and no other before `next_offset`. True as well
    /// where retention has cut it, so that nothing can be compared.
    async fn holds(&mut self, last: LastRecord, next_offset: Offset) -> Result<Holds, Error> {
        // Behind the record there may be a hole, of markers say; in another log there are records.
        let max_bytes = if next_offset == last.offset.next() { 1 } else { FETCH_BYTES };
        match self.reader.fetch(last.offset, max_bytes, Wait::No).await {
            Ok(fetched) => {
                let mut records = fetched.records.iter();
                match records.next() {
                    Some((offset, found)) => {
                        let is_it = *offset == last.offset && RecordHash::of(found) == last.hash;
                        let is_it =
                            is_it && records.next().is_none_or(|(next, _)| *next >= next_offset);
                        Ok(Holds::it_if(is_it))
                    }
                    None if fetched.next_offset > last.offset => Ok(Holds::Another),
                    None => self.has_but_does_not_show(last.offset).await.map(Holds::it_if),
                }
            }
            Err(FetchError::OutOfRange { asked, start, .. }) => {
                Ok(if asked < start { Holds::Cut } else { Holds::Another })
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Up to where the effects of this log were delivered. Where it cannot be told whether it was
    /// this log they are delivered again: at least once.
    async fn effects_from(&mut self) -> Result<Offset, Error> {
        let began = *self.begun_at.get_or_insert_with(Instant::now);
        let delivered = match self.outgoing.delivered(self.partition).await {
            Ok(Some(delivered)) => delivered,
            Ok(None) => return Ok(Offset(0)),
            Err(error) if began.elapsed() > COORDINATOR_TIMEOUT => {
                tracing::error!(%error, "what was delivered so far cannot be learnt: dead letters and relays are delivered again");
                return Ok(Offset(0));
            }
            Err(error) => return Err(error),
        };
        let held = self.holds(delivered.last_record, delivered.next_offset).await?;
        if matches!(held, Holds::It | Holds::Cut) {
            return Ok(delivered.next_offset);
        }
        tracing::warn!(next_offset = %delivered.next_offset, "what was delivered so far was of another log");
        Ok(Offset(0))
    }
}

fn unavailable(error: FetchError) -> Error {
    let reason = error.to_string();
    if let FetchError::Unavailable(error) = error {
        return error;
    }
    Error::Malformed { call: "fetch".into(), reason }
}
