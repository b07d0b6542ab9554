//! What came of requests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::connection::Failure;
use crate::latency::{histogram, record};
use crate::schedule::Turn;

/// Counts, and how long answers took.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Of answers with success, in nanoseconds from when the request was due. A refusal is quick
    /// and would make a failing server look fast.
    pub(crate) latency: Histogram<u64>,
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by kind.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Requests that no connection was free for when they were due.
    pub(crate) late: u64,
    /// What the first one without success said.
    pub(crate) first_failure: Option<String>,
}

/// A request taken so long after it was due is late. Shorter, and the scheduler's own jitter
/// counts; longer, and a connection too few goes unseen.
const LATE: Duration = Duration::from_millis(1);

/// Bytes of an answer that are shown when it is the first failure.
const SHOWN_BYTES: usize = 200;

impl Tally {
    /// # Errors
    /// The histogram's bounds are wrong, which they are not.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latency: histogram()?,
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            late: 0,
            first_failure: None,
        })
    }

    /// Counts an answer that came at `now`.
    pub(crate) fn answer(&mut self, turn: Turn, status: u16, now: Instant, body: &[u8]) {
        self.taken(turn);
        *self.statuses.entry(status).or_default() += 1;
        if (200..300).contains(&status) {
            record(&mut self.latency, now.saturating_duration_since(turn.due));
        } else if self.first_failure.is_none() {
            let body = String::from_utf8_lossy(body.get(..SHOWN_BYTES).unwrap_or(body));
            self.first_failure = Some(format!("{status} {body}"));
        }
    }

    /// Counts a request without an answer.
    pub(crate) fn failure(&mut self, turn: Turn, failure: &Failure) {
        self.taken(turn);
        *self.errors.entry(failure.kind()).or_default() += 1;
        self.first_failure.get_or_insert_with(|| failure.to_string());
    }

    fn taken(&mut self, turn: Turn) {
        self.late += u64::from(turn.taken.saturating_duration_since(turn.due) > LATE);
    }

    /// Adds what another one counted.
    ///
    /// # Errors
    /// Never: all histograms have the same bounds.
    pub(crate) fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latency.add(&other.latency)?;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.late += other.late;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        Ok(())
    }

    /// All requests.
    pub(crate) fn requests(&self) -> u64 {
        self.statuses.values().sum::<u64>() + self.errors.values().sum::<u64>()
    }

    /// Requests answered with success.
    pub(crate) fn successes(&self) -> u64 {
        self.latency.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request due `due_ms` and taken `taken_ms` after `start`.
    fn turn(start: Instant, due_ms: u64, taken_ms: u64) -> Turn {
        let after = |ms| start + Duration::from_millis(ms);
        Turn { number: 0, due: after(due_ms), taken: after(taken_ms) }
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due() {
        let (start, mut tally) = (Instant::now(), Tally::new().unwrap());
        // A server that answers in 1 ms and stalls 100 ms once; requests are due each 10 ms.
        for number in 0..10 {
            let taken_ms = 100 + number;
            let answered = start + Duration::from_millis(taken_ms + 1);
            tally.answer(turn(start, number * 10, taken_ms), 200, answered, b"");
        }
        let ms = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1e6;
        assert_eq!((tally.successes(), tally.late), (10, 10));
        assert!((ms(1.0) - 101.0).abs() < 0.2, "{}", ms(1.0));
        assert!((ms(0.5) - 56.0).abs() < 0.2, "{}", ms(0.5));
    }

    #[test]
    fn what_failed_is_counted_by_kind_and_is_in_no_latency() {
        let (start, mut tally) = (Instant::now(), Tally::new().unwrap());
        let turn = turn(start, 0, 0);
        tally.answer(turn, 200, start, b"");
        tally.failure(turn, &Failure::Timeout);
        let mut other = Tally::new().unwrap();
        other.answer(turn, 503, start, b"away");
        other.failure(turn, &Failure::Timeout);
        tally.add(other).unwrap();
        assert_eq!((tally.requests(), tally.successes(), tally.late), (4, 1, 0));
        assert_eq!(tally.statuses, [(200, 1), (503, 1)].into());
        assert_eq!(tally.errors, [("timeout", 2)].into());
        assert_eq!(tally.first_failure.as_deref(), Some("no answer in time"));
    }
}
