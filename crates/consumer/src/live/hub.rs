//! The streams of a partition's users.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use inbox::{InboxError, InboxEvent, News, Watchers};
use models::{Offset, UserId};
use parking_lot::Mutex;
use prometheus_client::metrics::histogram::Histogram;

use super::queue::{Chunk, End, Queue, Taken};
use super::telling::{Format, Telling};
use crate::metrics::seconds_since;
use crate::views::Log;

/// The streams of a partition's users: a user's streams are all in one hub.
pub(crate) struct Hub {
    log: Log,
    max_streams_per_user: usize,
    /// From a notification's own time until it is handed to its streams.
    push_seconds: Histogram,
    /// How many users have streams: most of those whose inboxes change have none.
    watched: AtomicUsize,
    /// All that was folded below it was told.
    settled: AtomicI64,
    admitted: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    users: HashMap<UserId, Streams>,
    /// How often the log turned out to be another one.
    resets: u64,
    is_closed: bool,
}

/// The streams of a user.
#[derive(Default)]
struct Streams {
    /// Those that are open.
    open: usize,
    /// Those of them that know all that was folded so far.
    subscribers: Vec<(Format, Arc<Queue>)>,
}

/// A stream that may not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("too many streams of this user are open: {0} at most")]
    TooMany(usize),
    #[error("the service is stopping")]
    Closed,
}

/// The place of a stream in the hub, until it is dropped.
pub(super) struct Place {
    hub: Arc<Hub>,
    user_id: UserId,
    format: Format,
    /// It is about the log as it was after so many resets.
    resets: u64,
    queue: Option<Arc<Queue>>,
}

impl Hub {
    pub(crate) fn new(log: Log, max_streams_per_user: usize, push_seconds: Histogram) -> Self {
        Self {
            log,
            max_streams_per_user,
            push_seconds,
            watched: AtomicUsize::new(0),
            settled: AtomicI64::new(0),
            admitted: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// A place for another stream of this user.
    pub(super) fn admit(
        self: &Arc<Self>,
        user_id: &UserId,
        format: Format,
    ) -> Result<Place, NotAdmitted> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(NotAdmitted::Closed);
        }
        let streams = state.users.entry(user_id.clone()).or_default();
        if streams.open >= self.max_streams_per_user {
            return Err(NotAdmitted::TooMany(self.max_streams_per_user));
        }
        streams.open += 1;
        self.watched.store(state.users.len(), Ordering::Release);
        let (hub, user_id, resets) = (Arc::clone(self), user_id.clone(), state.resets);
        Ok(Place { hub, user_id, format, resets, queue: None })
    }

    /// A number in this range, another one each time.
    fn spread(&self, range: Range<u64>) -> u64 {
        // A step without a factor in common with the length comes by everywhere.
        const STEP: u64 = 397;
        let n = self.admitted.fetch_add(1, Ordering::Relaxed);
        range.start + n.wrapping_mul(STEP) % (range.end - range.start)
    }

    /// All that was folded below it was told.
    pub(crate) fn settle(&self, next_offset: Offset) {
        self.settled.store(next_offset.0, Ordering::Release);
    }

    /// Something happened that is no event: once they have told all below this offset, streams look
    /// for themselves.
    pub(crate) fn look_again(&self, told: Offset) {
        let state = self.state.lock();
        for (_, queue) in state.users.values().flat_map(|streams| &streams.subscribers) {
            queue.look_again(told);
        }
    }

    /// The log is another one: all streams end.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        state.resets += 1;
        for (_, queue) in state.users.values().flat_map(|streams| &streams.subscribers) {
            queue.end(End::Reset);
        }
    }

    /// All streams end, and none begins; they are asked to come back one after the other, all of them
    /// within `spread`.
    pub(crate) fn close(&self, spread: Duration) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let subscribers = state.users.values().flat_map(|streams| &streams.subscribers);
        let count = u32::try_from(subscribers.clone().count()).unwrap_or(u32::MAX).max(1);
        for ((_, queue), n) in subscribers.zip(0..) {
            queue.end(End::Shutdown(spread * n / count));
        }
    }

    /// Writes a chunk once for each format that somebody takes, and hands it to all who do.
    fn push(
        &self,
        user_id: &UserId,
        first: Offset,
        next: Offset,
        write: impl Fn(&mut Telling) -> Result<(), InboxError>,
    ) {
        let chunk = |format| {
            let mut telling = Telling::new(self.log, format);
            // Without it, whoever takes this format reads the inbox and sees for itself.
            let written = write(&mut telling);
            let written =
                written.inspect_err(|error| tracing::error!(%error, "events are not told"));
            let bytes = written.ok().map(|()| telling.into_bytes());
            bytes.map(|bytes| Chunk { first, next, bytes })
        };
        // Written without the lock. A stream that takes its place meanwhile reads the inbox later, and
        // so knows of this.
        let [event_stream, frames] = self.formats_of(user_id).map(|it| it.and_then(chunk));
        let mut state = self.state.lock();
        let Some(streams) = state.users.get_mut(user_id) else { return };
        streams.subscribers.retain(|(format, queue)| {
            let chunk = match format {
                Format::EventStream => &event_stream,
                Format::Frames => &frames,
            };
            match chunk {
                Some(chunk) => queue.push(chunk.clone()),
                None => {
                    queue.overflow();
                    false
                }
            }
        });
    }

    /// The formats in which somebody is to be told.
    fn formats_of(&self, user_id: &UserId) -> [Option<Format>; 2] {
        let state = self.state.lock();
        let subscribers = state.users.get(user_id).map(|streams| streams.subscribers.as_slice());
        [Format::EventStream, Format::Frames].map(|format| {
            let takes_it = |(other, _): &(Format, _)| *other == format;
            subscribers.unwrap_or_default().iter().any(takes_it).then_some(format)
        })
    }
}

impl Watchers for Hub {
    fn is_watched(&self, user_id: &UserId) -> bool {
        self.watched.load(Ordering::Acquire) > 0 && self.state.lock().users.contains_key(user_id)
    }

    fn tell(&self, news: News) {
        let News { user_id, first, events, head } = news;
        let next = head.next_offset.unwrap_or(first);
        self.push(&user_id, first, next, |telling| telling.news(&events, head));
        for event in &events {
            if let InboxEvent::Sent(entry) = event {
                self.push_seconds.observe(seconds_since(entry.created_at));
            }
        }
    }
}

impl Place {
    /// Something to be told in this stream's format.
    pub(super) fn telling(&self) -> Telling {
        Telling::new(self.hub.log, self.format)
    }

    pub(super) fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// A number in this range, another one for each stream.
    pub(super) fn spread(&self, range: Range<u64>) -> u64 {
        self.hub.spread(range)
    }

    /// From now on the fold tells this stream what it folds.
    pub(super) fn subscribe(&mut self) {
        self.unsubscribe();
        let queue = Arc::new(Queue::default());
        let mut state = self.hub.state.lock();
        if state.is_closed {
            queue.end(End::Shutdown(Duration::ZERO));
        } else if state.resets != self.resets {
            queue.end(End::Reset);
        } else if let Some(streams) = state.users.get_mut(&self.user_id) {
            streams.subscribers.push((self.format, queue.clone()));
        }
        self.queue = Some(queue);
    }

    pub(super) fn unsubscribe(&mut self) {
        let Some(queue) = self.queue.take() else { return };
        let mut state = self.hub.state.lock();
        let Some(streams) = state.users.get_mut(&self.user_id) else { return };
        let is_this = |(_, other): &(Format, Arc<Queue>)| Arc::ptr_eq(other, &queue);
        if let Some(index) = streams.subscribers.iter().position(is_this) {
            streams.subscribers.swap_remove(index);
        }
    }

    /// Waits for what the fold tells; for ever without a subscription.
    ///
    /// # Cancel safety
    /// Nothing is taken before it returns.
    pub(super) async fn take(&self) -> Taken {
        match &self.queue {
            Some(queue) => queue.take().await,
            None => std::future::pending().await,
        }
    }

    /// All below it was told; none: something waits to be taken.
    pub(super) fn settled(&self) -> Option<Offset> {
        // In this order: what was told before it waits, or was taken.
        let settled = Offset(self.hub.settled.load(Ordering::Acquire));
        self.queue.as_ref().filter(|queue| queue.is_empty()).map(|_| settled)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.unsubscribe();
        let mut state = self.hub.state.lock();
        let Some(streams) = state.users.get_mut(&self.user_id) else { return };
        streams.open -= 1;
        if streams.open == 0 {
            state.users.remove(&self.user_id);
        }
        self.hub.watched.store(state.users.len(), Ordering::Release);
    }
}
