//! What waits to be sent to one subscriber.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use models::Offset;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Chunks that wait. Larger, and slow subscribers take more memory; smaller, and a burst makes those that
/// are not slow read the store.
const MAX_CHUNKS: usize = 64;

/// Their bytes. One chunk may be larger: a notification is.
const MAX_BYTES: usize = 128 * 1024;

/// Events of one step of the fold, or of what retention cut.
#[derive(Clone)]
pub(super) struct Chunk {
    /// They lie here or behind it.
    pub(super) first: Offset,
    /// They lie below it.
    pub(super) next: Offset,
    /// As they are sent.
    pub(super) bytes: Bytes,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The service stops; it asks to come back after this time.
    Shutdown(Duration),
    /// The log turned out to be another one.
    Reset,
}

/// What a subscriber gets.
pub(super) enum Taken {
    Chunk(Chunk),
    /// All below this offset was taken; what else there is is to be read.
    LookAgain(Offset),
    /// There was more than may wait, since then: what came is dropped, nothing more comes.
    Overflow(Instant),
    End(End),
}

/// The queue of a subscriber: whoever fills it never waits.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    look_again: Option<Offset>,
    overflown_at: Option<Instant>,
    end: Option<End>,
    waker: Option<Waker>,
}

impl Queue {
    /// Whether there was room; where there was not, the subscriber is on its own.
    pub(super) fn push(&self, chunk: Chunk) -> bool {
        let mut state = self.0.lock();
        if state.look_again.is_some() {
            // It is read with what else there is.
            return true;
        }
        let bytes = state.bytes + chunk.bytes.len();
        let has_room = state.chunks.is_empty() || bytes <= MAX_BYTES;
        let has_room = has_room && state.chunks.len() < MAX_CHUNKS;
        if has_room {
            state.bytes = bytes;
            state.chunks.push_back(chunk);
        } else {
            state.overflow();
        }
        state.wake();
        has_room
    }

    /// What came is dropped, and nothing more comes.
    pub(super) fn overflow(&self) {
        let mut state = self.0.lock();
        state.overflow();
        state.wake();
    }

    /// Behind what waits, what comes next is to be read, and is not taken here.
    pub(super) fn look_again(&self, told: Offset) {
        let mut state = self.0.lock();
        state.look_again = state.look_again.max(Some(told));
        state.wake();
    }

    /// Nothing comes behind what waits.
    pub(super) fn end(&self, end: End) {
        let mut state = self.0.lock();
        state.end.get_or_insert(end);
        state.wake();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_idle()
    }

    /// Waits for what is next.
    ///
    /// # Cancel safety
    /// Nothing is taken before it returns.
    pub(super) async fn take(&self) -> Taken {
        poll_fn(|context| {
            let mut state = self.0.lock();
            match state.take() {
                Some(taken) => Poll::Ready(taken),
                None => {
                    // It often is the one from before.
                    match &mut state.waker {
                        Some(waker) => waker.clone_from(context.waker()),
                        none => *none = Some(context.waker().clone()),
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl State {
    fn take(&mut self) -> Option<Taken> {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.bytes.len();
            return Some(Taken::Chunk(chunk));
        }
        let end = self.end.map(Taken::End);
        let overflow = self.overflown_at.map(Taken::Overflow);
        end.or(overflow).or(self.look_again.map(Taken::LookAgain))
    }

    fn is_idle(&self) -> bool {
        let is_told = self.look_again.is_none() && self.overflown_at.is_none();
        self.chunks.is_empty() && self.end.is_none() && is_told
    }

    fn overflow(&mut self) {
        (self.chunks, self.bytes) = (VecDeque::new(), 0);
        self.overflown_at.get_or_insert_with(Instant::now);
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn chunk(first: i64, length: usize) -> Chunk {
        let bytes = Bytes::from(vec![b'x'; length]);
        Chunk { first: Offset(first), next: Offset(first + 1), bytes }
    }

    fn taken(queue: &Queue) -> String {
        match queue.take().now_or_never() {
            None => "nothing".to_owned(),
            Some(Taken::Chunk(chunk)) => chunk.first.to_string(),
            Some(Taken::LookAgain(_)) => "look again".to_owned(),
            Some(Taken::Overflow(_)) => "overflow".to_owned(),
            Some(Taken::End(end)) => format!("{end:?}"),
        }
    }

    #[test]
    fn a_queue_gives_what_it_got_and_then_its_end() {
        let queue = Queue::default();
        assert_eq!(taken(&queue), "nothing");
        assert!(queue.push(chunk(1, 9)));
        queue.look_again(Offset(2));
        assert!(queue.push(chunk(2, 9)));
        assert_eq!(
            [taken(&queue), taken(&queue), taken(&queue)],
            ["1", "look again", "look again"]
        );
        let queue = Queue::default();
        assert!(queue.push(chunk(1, 9)) && queue.push(chunk(2, 9)));
        queue.end(End::Reset);
        queue.end(End::Shutdown(Duration::ZERO));
        let all: Vec<_> = (0..4).map(|_| taken(&queue)).collect();
        assert_eq!(all, ["1", "2", "Reset", "Reset"]);
    }

    #[test]
    fn what_is_too_much_is_dropped_as_a_whole() {
        // Too many, too long; one alone may be of any length.
        for lengths in [vec![1; MAX_CHUNKS], vec![2 * MAX_BYTES], vec![MAX_BYTES / 2; 2]] {
            let queue = Queue::default();
            assert!(lengths.into_iter().all(|length| queue.push(chunk(1, length))));
            assert!(!queue.push(chunk(2, 1)) && !queue.is_empty());
            assert_eq!([taken(&queue), taken(&queue)], ["overflow"; 2]);
        }
    }
}
