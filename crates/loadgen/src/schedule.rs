//! When requests are due.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How much load there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Requests at most.
    pub(crate) requests: u64,
    /// Time in which requests become due.
    pub(crate) duration: Duration,
    /// Requests due each second (open loop); none: whenever a connection is free (closed loop).
    pub(crate) rate: Option<NonZeroU32>,
    /// Time's worth of requests that may be due and not taken; at this bound the load ends.
    pub(crate) backlog: Duration,
    /// How long after its end a load that is behind may go on.
    pub(crate) grace: Duration,
}

/// The requests of a load, which its connections take in turns.
///
/// In an open loop a request is due at a time that does not depend on answers, and its latency
/// counts from then: a server that stalls cannot make the client ask less often and so hide the
/// stall (coordinated omission).
#[derive(Debug)]
pub(crate) struct Schedule {
    started: Instant,
    bounds: Bounds,
    taken: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    is_behind: AtomicBool,
    /// Open loop: requests that are due and not taken. This is the whole backlog: nothing is kept
    /// for a request that waits.
    due: Semaphore,
}

/// A request that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Which one, from 0.
    pub(crate) number: u64,
    /// When it was due.
    pub(crate) due: Instant,
    /// When a connection took it.
    pub(crate) taken: Instant,
}

impl Schedule {
    /// A load that starts now.
    pub(crate) fn start(bounds: Bounds) -> Self {
        Self {
            started: Instant::now(),
            bounds,
            taken: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
            due: Semaphore::new(0),
        }
    }

    /// The next request, once it is due; none when the load is over.
    pub(crate) async fn next(&self) -> Option<Turn> {
        if self.bounds.rate.is_some() {
            self.due.acquire().await.ok()?.forget();
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if number >= self.total() {
            return None;
        }
        let taken = Instant::now();
        let over = self.started + self.bounds.duration;
        match self.bounds.rate {
            None => (taken < over).then_some(Turn { number, due: taken, taken }),
            Some(rate) if taken < over + self.bounds.grace => {
                Some(Turn { number, due: self.started + due_after(number, rate), taken })
            }
            Some(_) => {
                self.is_behind.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// Counts a request as done.
    pub(crate) fn done(&self, is_success: bool) {
        let counter = if is_success { &self.answered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests answered with success so far, and those that failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// When it started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Whether requests were given up because the rate could not be kept.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Relaxed)
    }

    /// Lets requests become due until there are no more. In an open loop this is work for a thread
    /// of its own: the runtime's timers count in milliseconds, a thread sleeps to within 0.1 ms.
    pub(crate) fn keep_pace(&self, connections: usize) {
        let Some(rate) = self.bounds.rate else { return };
        let max_backlog = requests_in(self.bounds.backlog, rate);
        let mut released = 0;
        while released < self.total() {
            let next = self.started + due_after(released, rate);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let due = requests_in(self.started.elapsed(), rate).clamp(released + 1, self.total());
            self.due.add_permits((due - released) as usize);
            released = due;
            if self.due.available_permits() as u64 > max_backlog {
                self.is_behind.store(true, Ordering::Relaxed);
                return self.due.close();
            }
        }
        // One more for each connection, to find that there are no more.
        self.due.add_permits(connections);
    }

    fn total(&self) -> u64 {
        match self.bounds.rate {
            Some(rate) => self.bounds.requests.min(requests_in(self.bounds.duration, rate)),
            None => self.bounds.requests,
        }
    }
}

/// Time from the start until a request is due.
fn due_after(number: u64, rate: NonZeroU32) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Requests that are due after this time: the first at once.
fn requests_in(time: Duration, rate: NonZeroU32) -> u64 {
    let requests = time.as_nanos() * u128::from(rate.get()) / 1_000_000_000;
    u64::try_from(requests).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(rate: u32) -> Bounds {
        let (hour, second) = (Duration::from_secs(3_600), Duration::from_secs(1));
        let rate = NonZeroU32::new(rate);
        Bounds { requests: 10, duration: hour, rate, backlog: second, grace: second }
    }

    #[tokio::test]
    async fn a_closed_loop_ends_at_its_number_of_requests_or_in_time() {
        let schedule = Schedule::start(bounds(0));
        for number in 0..10 {
            assert_eq!(schedule.next().await.unwrap().number, number);
        }
        assert!(schedule.next().await.is_none());
        let over = Schedule::start(Bounds { duration: Duration::ZERO, ..bounds(0) });
        assert!(over.next().await.is_none());
        assert!(!schedule.is_behind() && !over.is_behind());
    }

    #[tokio::test]
    async fn an_open_loop_is_due_at_its_rate_however_late_it_is_taken() {
        let schedule = Schedule::start(bounds(10_000));
        schedule.keep_pace(1);
        for number in 0..10 {
            let turn = schedule.next().await.unwrap();
            assert_eq!(turn.due, schedule.started() + Duration::from_micros(100) * number);
            assert!(turn.taken >= schedule.started() + Duration::from_micros(900));
        }
        assert!(schedule.next().await.is_none() && !schedule.is_behind());
    }

    #[tokio::test]
    async fn a_backlog_at_its_bound_ends_the_load() {
        let backlog = Duration::from_micros(200);
        let schedule = Schedule::start(Bounds { backlog, ..bounds(10_000) });
        schedule.keep_pace(1);
        assert!(schedule.is_behind() && schedule.next().await.is_none());
    }

    #[tokio::test]
    async fn a_load_that_is_behind_ends_after_its_grace() {
        let (duration, grace) = (Duration::from_micros(900), Duration::ZERO);
        let schedule = Schedule::start(Bounds { duration, grace, ..bounds(10_000) });
        schedule.keep_pace(1);
        while Instant::now() < schedule.started() + duration {}
        assert!(schedule.next().await.is_none() && schedule.is_behind());
    }
}
