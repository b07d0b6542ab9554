//! From publishing to being visible: a notification is sent, and its inbox read until it is there.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::runtime::Builder;

use crate::args::{MAX_DURATION, VisibleArgs};
use crate::connection::{Connection, Failure};
use crate::latency::{Latency, histogram, record};
use crate::progress::Progress;
use crate::{report, request, table};

/// Runs `loadgen visible`.
///
/// # Errors
/// The result cannot be written.
pub(crate) fn run(args: &VisibleArgs) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let seen = runtime.block_on(watch(args))?;
    let result = seen.result(serde_json::to_value(args)?);
    report::publish(&result, &table::of_visible(&result), result.is_clean, &args.output)
}

/// What `visible` measured.
#[derive(Debug, Serialize)]
pub(crate) struct Visible {
    schema: u32,
    command: &'static str,
    settings: serde_json::Value,
    is_clean: bool,
    pub(crate) requests: u64,
    /// From just before the send until an answer with the notification was read.
    pub(crate) from_send: Latency,
    /// From when the send was answered.
    pub(crate) from_answer: Latency,
    /// Reads of the inbox for each notification that was seen.
    pub(crate) polls_per_request: f64,
    pub(crate) errors: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_failure: Option<String>,
}

/// What was seen so far.
struct Seen {
    from_send: Histogram<u64>,
    from_answer: Histogram<u64>,
    polls: u64,
    errors: BTreeMap<&'static str, u64>,
    first_failure: Option<String>,
}

/// Two connections: one sends, one reads.
struct Probe<'a> {
    args: &'a VisibleArgs,
    producer: Connection,
    consumer: Connection,
    /// Tells the messages of this run from those of another.
    run: u128,
}

/// How long it took until a notification was there.
struct Times {
    from_send: Duration,
    from_answer: Duration,
    polls: u64,
}

#[derive(Debug, thiserror::Error)]
enum NotSeen {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("a send was answered with status {0}")]
    SendRefused(u16),
    #[error("a query was answered with status {0}")]
    QueryRefused(u16),
    #[error("a notification did not appear in time")]
    TooLate,
}

async fn watch(args: &VisibleArgs) -> anyhow::Result<Seen> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut probe = Probe {
        args,
        producer: Connection::new(args.producer_url.address(), args.timeout()),
        consumer: Connection::new(args.consumer_url.address(), args.timeout()),
        run: now.as_nanos(),
    };
    let mut seen = Seen::new()?;
    let (mut progress, started) = (Progress::new("visible"), Instant::now());
    let mut shown = started;
    for number in 0..args.requests {
        if started.elapsed() > MAX_DURATION {
            break;
        }
        match probe.see(number).await {
            Ok(times) => seen.count(&times),
            Err(error) => {
                seen.count_error(&error);
                if !args.output.allow_errors {
                    // The next ones would most likely take their whole timeout each.
                    return Ok(seen);
                }
            }
        }
        if shown.elapsed() >= progress.period() {
            progress.show((seen.from_send.len(), seen.errors.values().sum()));
            shown = Instant::now();
        }
    }
    Ok(seen)
}

impl Probe<'_> {
    /// Sends a notification, and reads its inbox until it is there.
    async fn see(&mut self, number: u32) -> Result<Times, NotSeen> {
        let to = number % self.args.users + 1;
        // The dot keeps number 1 from being seen in number 11.
        let needle = format!("visible-{}-{number}.", self.run);
        let rest = (self.args.message_bytes as usize).saturating_sub(needle.len());
        let message = format!("{needle}{}", request::message(rest));
        let from = request::sender(to, self.args.users);
        let send = request::publish(self.args.producer_url, from, to, &message);
        let query = request::query(self.args.consumer_url, to, 1);
        let sent = Instant::now();
        let answer = self.producer.exchange(&send).await?;
        if !answer.is_success() {
            return Err(NotSeen::SendRefused(answer.status));
        }
        let answered = Instant::now();
        let polls = self.poll(&query, needle.as_bytes()).await?;
        Ok(Times { from_send: sent.elapsed(), from_answer: answered.elapsed(), polls })
    }

    /// Reads an inbox until `needle` is in it; how many reads that took.
    async fn poll(&mut self, query: &[u8], needle: &[u8]) -> Result<u64, NotSeen> {
        let started = Instant::now();
        let mut polls = 0;
        while started.elapsed() < self.args.timeout() {
            polls += 1;
            let answer = self.consumer.exchange(query).await?;
            if !answer.is_success() {
                return Err(NotSeen::QueryRefused(answer.status));
            }
            let mut places = self.consumer.body(&answer).windows(needle.len());
            if places.any(|place| place == needle) {
                return Ok(polls);
            }
        }
        Err(NotSeen::TooLate)
    }
}

impl Seen {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            from_send: histogram()?,
            from_answer: histogram()?,
            polls: 0,
            errors: BTreeMap::new(),
            first_failure: None,
        })
    }

    fn count(&mut self, times: &Times) {
        record(&mut self.from_send, times.from_send);
        record(&mut self.from_answer, times.from_answer);
        self.polls += times.polls;
    }

    fn count_error(&mut self, error: &NotSeen) {
        *self.errors.entry(error.kind()).or_default() += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }

    fn result(self, settings: serde_json::Value) -> Visible {
        let seen = self.from_send.len();
        Visible {
            schema: report::SCHEMA,
            command: "visible",
            settings,
            is_clean: self.errors.is_empty(),
            requests: seen + self.errors.values().sum::<u64>(),
            from_send: Latency::from(&self.from_send),
            from_answer: Latency::from(&self.from_answer),
            polls_per_request: report::ratio(self.polls as f64, seen as f64),
            errors: self.errors,
            first_failure: self.first_failure,
        }
    }
}

impl NotSeen {
    fn kind(&self) -> &'static str {
        match self {
            Self::Failure(failure) => failure.kind(),
            Self::SendRefused(_) => "send_refused",
            Self::QueryRefused(_) => "query_refused",
            Self::TooLate => "not_seen",
        }
    }
}
