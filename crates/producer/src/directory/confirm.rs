//! Where the users topic ends, asked for many at once.

use kafka::End;
use models::Offset;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Behind;

/// Asks the broker where the users topic ends, one question at a time: whoever comes while one is
/// under way shares the next.
pub(super) struct Confirmation(Mutex<Asking>);

struct Asking {
    end: End,
    /// When the last question was asked, and what was answered.
    last: Option<(Instant, Option<Offset>)>,
}

impl Confirmation {
    pub(super) fn new(end: End) -> Self {
        Self(Mutex::new(Asking { end, last: None }))
    }

    /// Where the users topic ended at some time after `since`.
    ///
    /// # Errors
    /// The broker could not be asked.
    ///
    /// # Cancel safety
    /// Whoever waits asks next.
    pub(super) async fn end_from(&self, since: Instant) -> Result<Offset, Behind> {
        let mut asking = self.0.lock().await;
        // An answer to a question that was asked before may lack what was written before we came.
        if let Some((asked_at, answer)) = asking.last
            && asked_at > since
        {
            return answer.ok_or(Behind);
        }
        let asked_at = Instant::now();
        let answer = match asking.end.offset().await {
            Ok(end) => Some(end),
            Err(error) => {
                tracing::debug!(%error, "the end of the users topic cannot be asked for");
                None
            }
        };
        asking.last = Some((asked_at, answer));
        answer.ok_or(Behind)
    }
}
