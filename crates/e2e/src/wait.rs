//! Waiting for the world.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

/// Time between two looks. Longer, and every test takes longer; shorter, and looking takes the
/// processor from what is waited for.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks again and again until `look` succeeds.
///
/// # Errors
/// It did not `within` this time; the last look's error.
pub async fn eventually<T>(
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() >= deadline => {
                return Err(error).with_context(|| format!("still so after {within:?}"));
            }
            Err(_) => sleep(PERIOD).await,
        }
    }
}
