//! Saying how far a load is.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// A line on standard error now and then: each second for a person, each 5 s for a log.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    name: &'a str,
    period: Duration,
    started: Instant,
    last: (u64, Instant),
}

impl<'a> Progress<'a> {
    /// Of the load with this name, which starts now.
    pub(crate) fn new(name: &'a str) -> Self {
        let period = Duration::from_secs(if stderr().is_terminal() { 1 } else { 5 });
        let now = Instant::now();
        Self { name, period, started: now, last: (0, now) }
    }

    /// When the next line is due.
    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    /// Writes a line: requests answered with success, and those that failed.
    pub(crate) fn show(&mut self, (answered, failed): (u64, u64)) {
        let (before, then) = self.last;
        let rate = (answered - before) as f64 / then.elapsed().as_secs_f64();
        let seconds = self.started.elapsed().as_secs();
        self.last = (answered, Instant::now());
        // A load does not end because nobody reads how far it is.
        let _ = writeln!(
            stderr(),
            "{:>10} {seconds:>4} s  {answered:>10} answered  {rate:>8.0}/s  {failed} failed",
            self.name
        );
    }
}
