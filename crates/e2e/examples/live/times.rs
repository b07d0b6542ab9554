//! Times, and what they come to.

use std::fmt;
use std::time::Duration;

/// Times that something took, in ascending order.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn ms_at(&self, permille: usize) -> f64 {
        let index = (self.0.len() * permille / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, max] = [500, 900, 990, 1000].map(|permille| self.ms_at(permille));
        write!(f, "p50 {p50:.2} p90 {p90:.2} p99 {p99:.2} max {max:.2} ms ({})", self.len())
    }
}
