//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double from 50 ms to 500 ms.
///
/// A service must be back within two seconds of its broker, which bounds the longest wait; a
/// broker that refuses everything must not be asked in a tight loop, which bounds the shortest.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(500);

impl Backoff {
    /// Starts from the shortest wait.
    pub fn new() -> Self {
        Self { next: SHORTEST }
    }

    /// After a success: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.next = SHORTEST;
    }

    /// Waits.
    ///
    /// # Cancel safety
    /// Cancelled, it counts as waited.
    pub async fn wait(&mut self) {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        tokio::time::sleep(wait).await;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}
