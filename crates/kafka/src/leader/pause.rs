//! How long a broker that throttles is left alone.

use std::time::Duration;

use tokio::time::Instant;

/// The longest that is waited for what a broker says. Smaller, and what is sent meanwhile lies unread
/// until it counts as failed, is sent again, and is appended twice; larger, and a broker that says
/// nonsense stops a partition for that long.
const LONGEST: Duration = Duration::from_secs(30);

/// Until when no more requests are to be sent over a connection (KIP-219: the broker has done what it
/// was asked, and reads no more requests for this long).
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
}

impl Pause {
    /// Takes the `throttle_time_ms` of an answer.
    pub(super) fn throttled(&mut self, throttle_time_ms: i32) {
        let time = u64::try_from(throttle_time_ms).map_or(Duration::ZERO, Duration::from_millis);
        self.until = (!time.is_zero()).then(|| Instant::now() + time.min(LONGEST));
    }

    /// Waits until the broker may be asked again.
    pub(super) async fn wait(&mut self) {
        if let Some(until) = self.until.take() {
            tokio::time::sleep_until(until).await;
        }
    }
}
