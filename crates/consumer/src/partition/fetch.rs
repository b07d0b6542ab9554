//! The fetching half: brings what is next, wherever that is.

use kafka::{Backoff, FetchError, Fetched, Reader, Wait};
use models::Offset;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Bytes a fetch asks for. Larger, and catching up takes more memory a partition; smaller, and it
/// takes more round trips.
const FETCH_BYTES: i32 = 1024 * 1024;

/// What the fetching half tells the applying half.
pub(super) enum Step {
    /// Records to apply.
    Fetched(Fetched),
    /// What was asked for is cut from the log: go on here.
    Skip(Offset),
    /// It is another log: start from nothing, here.
    Rebuild(Offset),
}

/// Fetches until `stop`, or until nobody applies what it brings.
pub(super) async fn fetch(
    mut reader: Reader,
    next_offset: Option<Offset>,
    steps: mpsc::Sender<Step>,
    stop: &CancellationToken,
) {
    let mut next_offset = next_offset;
    let mut backoff = Backoff::new();
    // The first fetch is to tell at once where the log ends.
    let mut wait = Wait::No;
    let mut is_failing = false;
    while !stop.is_cancelled() {
        let stepping = next_step(&mut reader, next_offset, wait);
        let step = match stop.run_until_cancelled(stepping).await {
            None => return,
            Some(Ok(step)) => step,
            Some(Err(error)) => {
                // Once: an outage lasts many tries, in every partition.
                if !is_failing {
                    tracing::warn!(%error, "fetch failed, trying again until it succeeds");
                }
                is_failing = true;
                stop.run_until_cancelled(backoff.wait()).await;
                continue;
            }
        };
        if std::mem::take(&mut is_failing) {
            tracing::info!(next_offset = step.next_offset().0, "fetching again");
        }
        let is_stuck = step.is_stuck(next_offset);
        wait = step.wait_after();
        next_offset = Some(step.next_offset());
        if steps.send(step).await.is_err() {
            return;
        }
        if is_stuck {
            tracing::warn!(
                next_offset = next_offset.map(|o| o.0),
                "nothing readable below the high watermark"
            );
            stop.run_until_cancelled(backoff.wait()).await;
        } else {
            backoff.reset();
        }
    }
}

async fn next_step(
    reader: &mut Reader,
    next_offset: Option<Offset>,
    wait: Wait,
) -> Result<Step, kafka::Error> {
    let Some(offset) = next_offset else {
        let (start, _) = reader.bounds().await?;
        return Ok(Step::Skip(start));
    };
    match reader.fetch(offset, FETCH_BYTES, wait).await {
        Ok(fetched) => Ok(Step::Fetched(fetched)),
        Err(FetchError::OutOfRange { asked, start, end }) if asked < start => {
            tracing::warn!(next_offset = asked.0, %start, %end, "retention has cut what was not read yet");
            Ok(Step::Skip(start))
        }
        Err(FetchError::OutOfRange { asked, start, end }) => {
            tracing::error!(next_offset = asked.0, %start, %end, "the log ends before what was read: it is another one");
            Ok(Step::Rebuild(start))
        }
        Err(FetchError::Unavailable(error)) => Err(error),
        Err(error) => {
            Err(kafka::Error::Malformed { call: "fetch".into(), reason: error.to_string() })
        }
    }
}

impl Step {
    fn next_offset(&self) -> Offset {
        match self {
            Self::Fetched(fetched) => fetched.next_offset,
            Self::Skip(offset) | Self::Rebuild(offset) => *offset,
        }
    }

    /// At the end of the log there is something to wait for.
    fn wait_after(&self) -> Wait {
        match self {
            Self::Fetched(fetched) if fetched.is_end() => Wait::ForRecords,
            Self::Fetched(_) | Self::Skip(_) | Self::Rebuild(_) => Wait::No,
        }
    }

    /// Nothing came although the log goes on.
    fn is_stuck(&self, asked: Option<Offset>) -> bool {
        match self {
            Self::Fetched(fetched) => Some(fetched.next_offset) == asked && !fetched.is_end(),
            Self::Skip(_) | Self::Rebuild(_) => false,
        }
    }
}
