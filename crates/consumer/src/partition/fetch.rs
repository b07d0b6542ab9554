//! The fetching half: brings what is next, wherever that is.

use std::time::Duration;

use kafka::{Backoff, Error, Fetched, Wait};
use models::Offset;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::log::{Begin, FETCH_BYTES, Found, Log};
use super::room::{Room, Taken};

/// Records that came at once at the end of the log and show that it grows fast. More, and fetches stay
/// small where large ones would cost less a record; fewer, and [`GATHERING`] delays what came alone.
const MANY_RECORDS: usize = 30;

/// How long such a log may grow before it is asked again. Longer, and commands wait for longer; shorter,
/// and fetches bring less, and each record costs more.
const GATHERING: Duration = Duration::from_millis(4);

/// What the fetching half tells the applying half.
pub(super) enum Step {
    /// Records to apply, and the room they take.
    Fetched(Fetched, Taken),
    /// The log holds nothing below this any more.
    Retain(Offset),
    /// What was asked for is cut from the log: go on here.
    Skip(Offset),
    /// Nothing was read yet, or it was another log: start from nothing.
    Begin(Begin),
}

/// The fetching half.
pub(super) struct Fetch {
    log: Log,
    /// None: to begin.
    next_offset: Option<Offset>,
    wait: Wait,
    /// The log grows fast.
    is_gathering: bool,
    is_failing: bool,
    room: Room,
    retention_period: Duration,
    /// When the log is to be asked next what it still holds; none: it was not found to be the one
    /// that was read so far.
    retention_at: Option<Instant>,
}

impl Fetch {
    pub(super) fn new(
        log: Log,
        next_offset: Option<Offset>,
        room: Room,
        retention_period: Duration,
    ) -> Self {
        // The first fetch is to tell at once where the log ends.
        let wait = Wait::No;
        let (is_gathering, is_failing, retention_at) = (false, false, None);
        Self {
            log,
            next_offset,
            wait,
            is_gathering,
            is_failing,
            room,
            retention_period,
            retention_at,
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

    async fn next_step(&mut self) -> Result<Step, Error> {
        if let Some(start) = self.retained().await {
            return Ok(Step::Retain(start));
        }
        if let Some(offset) = self.next_offset {
            if self.is_gathering {
                tokio::time::sleep(GATHERING).await;
            }
            let taken = match self.wait {
                Wait::No => self.room.for_fetch(FETCH_BYTES.unsigned_abs() as usize).await,
                // Most bring a record or two.
                Wait::ForRecords => Taken::default(),
            };
            match self.log.fetch(offset, self.wait).await? {
                Found::Records(fetched) => {
                    let taken = self.room.for_fetched(taken, &fetched).await;
                    return Ok(Step::Fetched(fetched, taken));
                }
                Found::Cut(start) => {
                    tracing::warn!(next_offset = offset.0, %start, "retention has cut what was not read yet");
                    return Ok(Step::Skip(start));
                }
                Found::Another => {
                    tracing::error!(
                        next_offset = offset.0,
                        "the log is another one than was read so far: folded anew"
                    );
                    (self.next_offset, self.retention_at) = (None, None);
                }
            }
        }
        Ok(Step::Begin(self.log.begin().await?))
    }

    /// What the log still holds, from time to time. Inboxes go on without an answer.
    async fn retained(&mut self) -> Option<Offset> {
        if self.retention_at.is_none_or(|at| Instant::now() < at) {
            return None;
        }
        self.retention_at = Some(Instant::now() + self.retention_period);
        let start = self.log.start().await;
        start.inspect_err(|error| tracing::debug!(%error, "what the log holds is unknown")).ok()
    }

    /// Goes on behind the step; whether it leads on.
    fn note(&mut self, step: &Step) -> bool {
        let (next_offset, is_end) = match step {
            Step::Retain(_) => return true,
            Step::Fetched(fetched, _) => {
                self.retention_at.get_or_insert_with(Instant::now);
                (fetched.next_offset, fetched.is_end())
            }
            Step::Skip(offset) => (*offset, false),
            Step::Begin(begin) => (begin.start, false),
        };
        self.is_gathering = match step {
            Step::Fetched(fetched, _) => is_end && fetched.records.len() >= MANY_RECORDS,
            Step::Retain(_) | Step::Skip(_) | Step::Begin(_) => false,
        };
        // At the end of the log there is something to wait for.
        self.wait = if is_end { Wait::ForRecords } else { Wait::No };
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(next_offset = next_offset.0, "fetching again");
        }
        self.next_offset.replace(next_offset) != Some(next_offset) || is_end
    }
}
