//! Hearing that a broker throttles the library.
//!
//! A broker that throttles has done what it was asked, and asks for some time of rest (KIP-219). The
//! library takes that for a failed try: it sleeps, and sends the same records again, for as long as it
//! is throttled and whatever its deadline is. It tells nobody but its log, just before it sleeps; so
//! that is listened to, and the call dropped before it sends anything twice.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::Poll;

use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// The broker has done what it was asked, or refused it: the library did not look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Throttled;

thread_local! {
    static HEARD: Cell<bool> = const { Cell::new(false) };
}

/// One for all calls: each one that is made has the whole process look at its log lines anew.
static EAR: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Ear));

/// Runs a call of the library until it is done, or throttled. What else the library logs meanwhile
/// is not heard of.
///
/// # Cancel safety
/// That of the call.
pub(crate) async fn unless_throttled<T>(call: impl Future<Output = T>) -> Result<T, Throttled> {
    let mut call = pin!(call);
    poll_fn(|context| {
        HEARD.set(false);
        match dispatcher::with_default(&EAR, || call.as_mut().poll(context)) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending if HEARD.get() => Poll::Ready(Err(Throttled)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Hears one line of the library's log, and nothing else.
struct Ear;

fn is_throttle(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "rskafka::backoff" && metadata.fields().field("throttle").is_some()
}

impl Subscriber for Ear {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_throttle(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_throttle(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        if is_throttle(event.metadata()) {
            HEARD.set(true);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
