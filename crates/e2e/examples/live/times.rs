//! Times, and what they come to.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};

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

/// What a process has used of processors so far, by the kernel's ticks of 10 ms.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // Behind the name, which may have any characters.
    let (_, fields) = stat.rsplit_once(')').context("a name")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().context("a time")?.parse::<u64>().context("a number");
    Ok(Duration::from_millis(10 * (ticks()? + ticks()?)))
}
