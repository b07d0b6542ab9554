//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use models::Timestamp;

/// The time now.
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms_clamped(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
