//! The fetching half: brings what is next, wherever that is.

use kafka::{Backoff, Error, Fetched, Wait};
use models::Offset;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::log::{Begin, Found, Log};

/// What the fetching half tells the applying half.
pub(super) enum Step {
    /// Records to apply.
    Fetched(Fetched),
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
    is_failing: bool,
}

impl Fetch {
    pub(super) fn new(log: Log, next_offset: Option<Offset>) -> Self {
        // The first fetch is to tell at once where the log ends.
        Self { log, next_offset, wait: Wait::No, is_failing: false }
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
        if let Some(offset) = self.next_offset {
            match self.log.fetch(offset, self.wait).await? {
                Found::Records(fetched) => return Ok(Step::Fetched(fetched)),
                Found::Cut(start) => {
                    tracing::warn!(next_offset = offset.0, %start, "retention has cut what was not read yet");
                    return Ok(Step::Skip(start));
                }
                Found::Another => {
                    tracing::error!(
                        next_offset = offset.0,
                        "the log is another one than was read so far: folded anew"
                    );
                    self.next_offset = None;
                }
            }
        }
        Ok(Step::Begin(self.log.begin().await?))
    }

    /// Goes on behind the step; whether it leads on.
    fn note(&mut self, step: &Step) -> bool {
        let (next_offset, is_end) = match step {
            Step::Fetched(fetched) => (fetched.next_offset, fetched.is_end()),
            Step::Skip(offset) => (*offset, false),
            Step::Begin(begin) => (begin.start, false),
        };
        // At the end of the log there is something to wait for.
        self.wait = if is_end { Wait::ForRecords } else { Wait::No };
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(next_offset = next_offset.0, "fetching again");
        }
        self.next_offset.replace(next_offset) != Some(next_offset) || is_end
    }
}
