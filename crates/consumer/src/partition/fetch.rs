//! The fetching half: brings what is next, wherever that is, of the log that was read so far and of
//! no other.

use std::sync::Arc;
use std::time::Duration;

use inbox::{LastRecord, PartitionInbox, RecordHash};
use kafka::{Backoff, Error, FetchError, Fetched, Reader, Wait};
use models::{Offset, Partition};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::outgoing::Outgoing;

/// Bytes a fetch asks for. Larger, and catching up takes more memory a partition; smaller, and it
/// takes more round trips.
const FETCH_BYTES: i32 = 1024 * 1024;

/// What the fetching half tells the applying half.
pub(super) enum Step {
    /// Records to apply.
    Fetched(Fetched),
    /// What was asked for is cut from the log: go on here.
    Skip(Offset),
    /// Nothing was read yet, or it was another log: start from nothing.
    Begin(Begin),
}

/// Where a fold begins.
pub(super) struct Begin {
    /// The first offset that the log holds.
    pub(super) start: Offset,
    /// The effects of records below this one have been delivered before.
    pub(super) effects_from: Offset,
}

/// The fetching half.
pub(super) struct Fetch {
    partition: Partition,
    reader: Reader,
    outgoing: Arc<Outgoing>,
    /// None: to begin.
    next_offset: Option<Offset>,
    /// The last record that was read: as long as the log has it there, it is the same log.
    last_record: Option<LastRecord>,
    /// The reader's connection over which that was last found to be so.
    checked: u64,
    wait: Wait,
    /// When the log was last asked.
    asked_at: Instant,
    /// Since when a beginning is tried.
    begun_at: Option<Instant>,
    is_failing: bool,
}

/// After a pause this long the reader connects anew, and so looks the topic up by its id: the broker
/// is asked by the topic's name, which may be another topic's by now.
const PAUSE: Duration = Duration::from_secs(3);

/// How long a partition without a store waits for the group coordinator. Longer, and inboxes are not
/// there for as long; shorter, and dead letters are delivered again after a short outage.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(30);

impl Fetch {
    pub(super) fn new(
        partition: Partition,
        reader: Reader,
        inbox: &PartitionInbox,
        outgoing: Arc<Outgoing>,
    ) -> Self {
        Self {
            partition,
            reader,
            outgoing,
            next_offset: inbox.next_offset(),
            last_record: inbox.last_record(),
            checked: 0,
            // The first fetch is to tell at once where the log ends.
            wait: Wait::No,
            asked_at: Instant::now(),
            begun_at: None,
            is_failing: false,
        }
    }

    /// Fetches until `end`, or until nobody applies what it brings.
    pub(super) async fn run(mut self, steps: mpsc::Sender<Step>, end: &CancellationToken) {
        let mut backoff = Backoff::new();
        while let Some(step) = end.run_until_cancelled(self.next_step()).await {
            let is_progress = match step {
                Ok(step) => {
                    let is_progress = self.note(&step);
                    if steps.send(step).await.is_err() {
                        return;
                    }
                    is_progress
                }
                Err(error) if error.is_other_topic() => {
                    tracing::warn!(%error, "the topic was made anew");
                    return end.cancel();
                }
                Err(error) => {
                    // Once: an outage lasts many tries, in every partition.
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::warn!(%error, "fetch failed, trying again until it succeeds");
                    }
                    false
                }
            };
            if is_progress {
                backoff.reset();
            } else {
                end.run_until_cancelled(backoff.wait()).await;
            }
        }
    }

    /// Whether the step leads on; what is known of the log afterwards.
    fn note(&mut self, step: &Step) -> bool {
        let before = self.next_offset;
        let (next_offset, is_end) = match step {
            Step::Fetched(fetched) => {
                if let Some((offset, record)) = fetched.records.last() {
                    let hash = RecordHash::of(record);
                    self.last_record = Some(LastRecord { offset: *offset, hash });
                }
                (fetched.next_offset, fetched.is_end())
            }
            Step::Skip(offset) => (*offset, false),
            Step::Begin(begin) => {
                self.last_record = None;
                (begin.start, false)
            }
        };
        // At the end of the log there is something to wait for.
        self.wait = if is_end { Wait::ForRecords } else { Wait::No };
        self.next_offset = Some(next_offset);
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(next_offset = next_offset.0, "fetching again");
        }
        is_end || before != Some(next_offset)
    }

    async fn next_step(&mut self) -> Result<Step, Error> {
        let Some(offset) = self.next_offset else { return self.begin().await };
        if self.asked_at.elapsed() > PAUSE {
            self.reader.disconnect();
        }
        loop {
            if !self.is_checked() && !self.is_same_log(offset).await? {
                tracing::error!(
                    next_offset = offset.0,
                    "the log is another one than was read so far: folded anew"
                );
                return self.begin().await;
            }
            let fetched = self.reader.fetch(offset, FETCH_BYTES, self.wait).await;
            self.asked_at = Instant::now();
            match fetched {
                // Over a new connection, which may lead to another log: that is to be known before
                // anything of it is applied.
                Ok(_) if !self.is_checked() => {}
                Ok(fetched) => return Ok(Step::Fetched(fetched)),
                Err(FetchError::OutOfRange { asked, start, end }) if asked < start => {
                    tracing::warn!(next_offset = asked.0, %start, %end, "retention has cut what was not read yet");
                    return Ok(Step::Skip(start));
                }
                Err(FetchError::OutOfRange { asked, start, end }) => {
                    tracing::error!(next_offset = asked.0, %start, %end, "the log ends before what was read: it is another one, folded anew");
                    return self.begin().await;
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
    }

    /// Whether the reader's connection is the one over which the log was found to be the same.
    fn is_checked(&self) -> bool {
        self.checked != 0 && self.checked == self.reader.connections()
    }

    async fn is_same_log(&mut self, next_offset: Offset) -> Result<bool, Error> {
        let is_same = match self.last_record {
            Some(record) => self.holds(record, next_offset).await?,
            None => {
                // No record to compare: the connection alone checks the topic's id.
                self.reader.bounds().await?;
                true
            }
        };
        self.checked = self.reader.connections();
        Ok(is_same)
    }

    /// Starts from nothing, at the first record there is.
    async fn begin(&mut self) -> Result<Step, Error> {
        self.next_offset = None;
        let (start, _) = self.reader.bounds().await?;
        let effects_from = self.effects_from().await?;
        self.checked = self.reader.connections();
        self.begun_at = None;
        Ok(Step::Begin(Begin { start, effects_from }))
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
        if self.holds(delivered.last_record, delivered.next_offset).await? {
            return Ok(delivered.next_offset);
        }
        tracing::warn!(next_offset = %delivered.next_offset, "what was delivered so far was of another log");
        Ok(Offset(0))
    }

    /// Whether the log has this record where it was, and no other before `next_offset`. True as well
    /// where retention has cut it, so that nothing can be compared.
    async fn holds(&mut self, last: LastRecord, next_offset: Offset) -> Result<bool, Error> {
        // Behind the record there may be a hole, of markers say; in another log there are records.
        let max_bytes = if next_offset == last.offset.next() { 1 } else { FETCH_BYTES };
        match self.reader.fetch(last.offset, max_bytes, Wait::No).await {
            Ok(fetched) => {
                let mut records = fetched.records.iter();
                match records.next() {
                    Some((offset, found)) => {
                        let is_it = *offset == last.offset && RecordHash::of(found) == last.hash;
                        Ok(is_it && records.next().is_none_or(|(next, _)| *next >= next_offset))
                    }
                    None if fetched.next_offset > last.offset => Ok(false),
                    // A leader that has just been elected does not show all it has.
                    None => Err(Error::Malformed {
                        call: format!("fetch at {}", last.offset),
                        reason: "the record that was read last is not shown yet".into(),
                    }),
                }
            }
            Err(FetchError::OutOfRange { asked, start, .. }) => Ok(asked < start),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: FetchError) -> Error {
    let reason = error.to_string();
    if let FetchError::Unavailable(error) = error {
        return error;
    }
    Error::Malformed { call: "fetch".into(), reason }
}
