//! Faults on purpose, for tests of what is built on a broker.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a running broker is to do wrong. For tests, and off until one asks.
///
/// Got from [`Broker::faults`](crate::Broker::faults); clones are handles of the same. A fault that is to
/// happen a number of times meets the next requests to come, of all clients; to set it again replaces the
/// number. One request meets one of them: first come the cuts, then errors, lost answers, throttles.
/// Requests already there are not met, but by a stall, which holds every answer not yet written.
///
/// ```no_run
/// # async fn example(broker: broker::Broker) {
/// use broker::{ApiKey, ResponseError};
///
/// let faults = broker.faults();
/// faults.fail_produce(ResponseError::NotLeaderOrFollower, 2);
/// faults.lose_answer(ApiKey::Produce, 1); // the third is appended, and nobody is told
/// faults.stall(ApiKey::Fetch);
/// // ... the code under test ...
/// assert_eq!(faults.held(), 1);
/// faults.clear();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Faults {
    switches: Arc<Switches>,
}

#[derive(Debug)]
struct Switches {
    /// Whether there ever was a fault: while not, all that a request costs is to look here.
    used: AtomicBool,
    plans: Mutex<HashMap<ApiKey, Plan>>,
    /// Who waits for a release has a receiver, and nobody else has.
    stalled: watch::Sender<Stalled>,
}

/// What happens to the next requests of one kind, and how often.
#[derive(Debug, Default)]
struct Plan {
    cuts: u32,
    losses: u32,
    errors: u32,
    error: Option<ResponseError>,
    throttles: u32,
    throttle_ms: i32,
}

#[derive(Debug, Default)]
struct Stalled {
    all: bool,
    apis: HashSet<ApiKey>,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fault {
    /// The connection ends instead of a look at the request.
    pub(crate) cut: bool,
    /// The request is done and its connection ends instead of an answer.
    pub(crate) lose_answer: bool,
    /// The answer of every partition; nothing is done.
    pub(crate) error: Option<ResponseError>,
    pub(crate) throttle_ms: i32,
}

impl Faults {
    pub(crate) fn none() -> Faults {
        let switches = Switches {
            used: AtomicBool::new(false),
            plans: Mutex::default(),
            stalled: watch::Sender::new(Stalled::default()),
        };
        Faults { switches: Arc::new(switches) }
    }

    /// Holds the answers to requests of this kind until [`Faults::release`]; the requests are done.
    pub fn stall(&self, api: ApiKey) {
        self.set_used();
        self.switches.stalled.send_modify(|stalled| {
            stalled.apis.insert(api);
        });
    }

    /// Holds all answers until [`Faults::release`].
    pub fn stall_all(&self) {
        self.set_used();
        self.switches.stalled.send_modify(|stalled| stalled.all = true);
    }

    /// Lets go the answers that are held. A broker that stops does so, too.
    pub fn release(&self) {
        self.switches.stalled.send_replace(Stalled::default());
    }

    /// How many connections have an answer that is held at this moment.
    pub fn held(&self) -> usize {
        self.switches.stalled.receiver_count()
    }

    /// Closes the connection instead of doing a request of this kind, the next `times`. What came before
    /// on the connection is answered.
    pub fn cut(&self, api: ApiKey, times: u32) {
        self.plan(api, |plan| plan.cuts = times);
    }

    /// Does a request of this kind and then closes the connection instead of answering, the next
    /// `times`: a lost acknowledgement.
    pub fn lose_answer(&self, api: ApiKey, times: u32) {
        self.plan(api, |plan| plan.losses = times);
    }

    /// Answers the next `times` a produce with `error` for every partition, and appends nothing.
    pub fn fail_produce(&self, error: ResponseError, times: u32) {
        self.plan(ApiKey::Produce, |plan| (plan.error, plan.errors) = (Some(error), times));
    }

    /// Answers the next `times` a fetch with `error` for every partition, at once.
    pub fn fail_fetch(&self, error: ResponseError, times: u32) {
        self.plan(ApiKey::Fetch, |plan| (plan.error, plan.errors) = (Some(error), times));
    }

    /// Names a throttle time in the answer to a produce, the next `times`. The records are appended and
    /// the answer is not late, as with a quota of Apache Kafka (KIP-219).
    pub fn throttle_produce(&self, throttle: Duration, times: u32) {
        let throttle_ms = i32::try_from(throttle.as_millis()).unwrap_or(i32::MAX);
        self.plan(ApiKey::Produce, |plan| {
            (plan.throttle_ms, plan.throttles) = (throttle_ms, times);
        });
    }

    /// Ends every fault and every stall.
    pub fn clear(&self) {
        self.plans().clear();
        self.release();
    }

    /// What is to go wrong with a request that comes now.
    pub(crate) fn next(&self, api: ApiKey) -> Fault {
        if !self.is_used() {
            return Fault::default();
        }
        self.plans().get_mut(&api).map(Plan::next).unwrap_or_default()
    }

    /// Returns when answers to requests of this kind are not held, or at `stop`.
    pub(crate) async fn released(&self, api: ApiKey, stop: &CancellationToken) {
        if !self.is_used() || !self.switches.stalled.borrow().holds(api) {
            return;
        }
        let mut stalled = self.switches.stalled.subscribe();
        let released = stalled.wait_for(|stalled| !stalled.holds(api));
        let _stopping = stop.run_until_cancelled(released).await;
    }

    fn plan(&self, api: ApiKey, change: impl FnOnce(&mut Plan)) {
        change(self.plans().entry(api).or_default());
        self.set_used();
    }

    fn plans(&self) -> MutexGuard<'_, HashMap<ApiKey, Plan>> {
        self.switches.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_used(&self) -> bool {
        self.switches.used.load(Ordering::Acquire)
    }

    fn set_used(&self) {
        self.switches.used.store(true, Ordering::Release);
    }
}

impl Plan {
    fn next(&mut self) -> Fault {
        let mut fault = Fault::default();
        if is_due(&mut self.cuts) {
            fault.cut = true;
        } else if is_due(&mut self.errors) {
            fault.error = self.error;
        } else if is_due(&mut self.losses) {
            fault.lose_answer = true;
        } else if is_due(&mut self.throttles) {
            fault.throttle_ms = self.throttle_ms;
        }
        fault
    }
}

fn is_due(times: &mut u32) -> bool {
    let due = *times > 0;
    *times = times.saturating_sub(1);
    due
}

impl Stalled {
    fn holds(&self, api: ApiKey) -> bool {
        self.all || self.apis.contains(&api)
    }
}
