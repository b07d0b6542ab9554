//! One stream: from a place in the log on, without an end.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use inbox::{InboxError, PartitionReader, ReplayBounds};
use models::Offset;
use tokio::time::{Instant, timeout_at};

use super::hub::{NotAdmitted, Place};
use super::queue::{End, Taken};
use super::telling::{ClosingReason, Format, GapReason, Telling};
use super::turns::Turn;
use crate::inboxes::{Inboxes, ReadError, UserInbox};

/// How much of what happened is read at once, while a client that was away catches up. Larger takes more
/// memory for each of them; smaller, and catching up takes longer.
const REPLAY: ReplayBounds = ReplayBounds { limit: 100, max_bytes: 64 * 1024 };

/// After so long a silence something is sent, so that both sides and all between them know that the
/// connection is alive. Contract: at least every 25 s.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a subscriber for whom too much waits may take nothing. Longer, and those who do not read
/// keep their connection; shorter, and a short stall ends a stream.
const SLOW: Duration = Duration::from_secs(10);

/// After how long clients whose connection was cut come back, spread over them.
const RETRY_MS: Range<u64> = 500..3_000;

/// Where a stream begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beginning {
    /// With what is new.
    Now,
    /// With what was not told below this offset.
    From(Offset),
    /// With what is new, after a gap.
    Gap(GapReason),
}

/// A stream of one inbox's events.
pub(crate) struct EventStream {
    inboxes: Arc<Inboxes>,
    reader: PartitionReader,
    place: Place,
    told: Told,
    /// What comes next is what the fold tells; else it is read from the inbox.
    is_live: bool,
    end: Option<EndOfStream>,
    /// What is sent first.
    first: Option<Bytes>,
    keep_alive_at: Instant,
    _turn: Turn,
}

/// Why a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndOfStream {
    /// Whoever comes back finds it again, or another log.
    Restart,
    /// The subscriber did not take what happened.
    Slow,
    /// The inbox cannot be read.
    Fault,
}

/// A stream cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl EventStream {
    /// Begins a stream; `turn` is kept until its end.
    ///
    /// # Errors
    /// There are too many; the inbox cannot be read.
    pub(crate) async fn open(
        inboxes: &Arc<Inboxes>,
        inbox: &UserInbox<'_>,
        format: Format,
        beginning: Beginning,
        turn: Turn,
    ) -> Result<Self, NotOpened> {
        let (told, gap) = match beginning {
            Beginning::Now => (Told::NEW, None),
            Beginning::Gap(reason) => (Told::NEW, Some(reason)),
            Beginning::From(to) => (Told { to, start: Offset(0) }, None),
        };
        let mut stream = Self {
            inboxes: inboxes.clone(),
            reader: inbox.view.reader.clone(),
            place: inbox.view.hub.admit(inbox.user_id, format)?,
            told,
            is_live: false,
            end: None,
            first: None,
            keep_alive_at: Instant::now() + KEEP_ALIVE,
            _turn: turn,
        };
        let mut telling = stream.place.telling();
        telling.retry(stream.place.spread(RETRY_MS));
        stream.first = Some(stream.read(telling, gap).await?);
        Ok(stream)
    }

    /// What is to be sent next; none: the stream has ended.
    ///
    /// # Cancel safety
    /// What was not returned is returned by the next call.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let bytes = match self.first.take() {
            Some(first) => Some(first),
            None if self.end.is_some() => None,
            None => self.go_on().await,
        };
        self.keep_alive_at = Instant::now() + KEEP_ALIVE;
        bytes
    }

    /// Why it has ended, once it has.
    pub(crate) fn end(&self) -> EndOfStream {
        self.end.unwrap_or(EndOfStream::Fault)
    }

    async fn go_on(&mut self) -> Option<Bytes> {
        loop {
            if !self.is_live {
                let read = self.read(self.place.telling(), None).await;
                // Whoever comes back is told why.
                return read
                    .inspect_err(|error| tracing::debug!(%error, "a stream ends: cannot be read"))
                    .ok();
            }
            match timeout_at(self.keep_alive_at, self.place.take()).await {
                Err(_) => return Some(self.keep_alive()),
                // The inbox, when it was read, had it already.
                Ok(Taken::Chunk(chunk)) if chunk.first < self.told.to => {}
                Ok(Taken::Chunk(chunk)) => {
                    self.told.to = chunk.next;
                    return Some(chunk.bytes);
                }
                Ok(Taken::LookAgain(told)) => {
                    self.told.to = self.told.to.max(told);
                    self.is_live = false;
                }
                Ok(Taken::Overflow(since)) if since.elapsed() > SLOW => {
                    return Some(self.closing(ClosingReason::Slow, None));
                }
                Ok(Taken::Overflow(_)) => self.is_live = false,
                Ok(Taken::End(End::Shutdown(after))) => {
                    let retry_ms = RETRY_MS.start + after.as_millis() as u64;
                    return Some(self.closing(ClosingReason::Shutdown, Some(retry_ms)));
                }
                Ok(Taken::End(End::Reset)) => return Some(self.reset()),
            }
        }
    }

    /// Reads what happened since, or a first part of it.
    async fn read(
        &mut self,
        mut telling: Telling,
        gap: Option<GapReason>,
    ) -> Result<Bytes, ReadError> {
        // Before the inbox is read: what is folded behind that is told to this subscription.
        self.place.subscribe();
        let (reader, user_id) = (self.reader.clone(), self.place.user_id().clone());
        let told = self.told;
        let read = move || {
            let replay = reader.replay(&user_id, told.to, REPLAY)?;
            telling.replay(&replay, told.start)?;
            Ok::<_, InboxError>((replay, telling))
        };
        let (replay, mut telling) = self.inboxes.reads.small(read).await??;
        let next_offset = replay.head.next_offset.unwrap_or(Offset(0));
        match gap {
            Some(reason) => telling.gap(reason, next_offset),
            None if told.is_new() => telling.id(next_offset),
            // It fell back: it is folded anew.
            None if told.to > next_offset => return Ok(self.reset()),
            None => {}
        }
        self.told = Told { to: replay.next.unwrap_or(next_offset), start: replay.log_start };
        self.is_live = replay.next.is_none();
        if !self.is_live {
            self.place.unsubscribe();
        }
        Ok(telling.into_bytes())
    }

    fn keep_alive(&mut self) -> Bytes {
        // Whoever comes back need not be told of what is not theirs.
        let settled = self.place.settled().filter(|settled| *settled > self.told.to);
        self.told.to = settled.unwrap_or(self.told.to);
        let mut telling = self.place.telling();
        telling.keep_alive(settled);
        telling.into_bytes()
    }

    fn closing(&mut self, reason: ClosingReason, retry_ms: Option<u64>) -> Bytes {
        let mut telling = self.place.telling();
        telling.closing(reason, retry_ms);
        let end = match reason {
            ClosingReason::Slow => EndOfStream::Slow,
            ClosingReason::Shutdown => EndOfStream::Restart,
        };
        self.ended(end, telling)
    }

    /// The log is another one than it was told of.
    fn reset(&mut self) -> Bytes {
        let mut telling = self.place.telling();
        telling.gap(GapReason::Reset, Offset(0));
        self.ended(EndOfStream::Restart, telling)
    }

    fn ended(&mut self, end: EndOfStream, telling: Telling) -> Bytes {
        self.end = Some(end);
        self.place.unsubscribe();
        telling.into_bytes()
    }
}

/// What a stream was told so far.
#[derive(Clone, Copy)]
struct Told {
    /// All below it.
    to: Offset,
    /// That retention has cut what lies below it.
    start: Offset,
}

impl Told {
    /// Nothing of what there is: a stream that begins with what is new.
    const NEW: Self = Self { to: Offset(i64::MAX), start: Offset(i64::MAX) };

    fn is_new(self) -> bool {
        self.to == Self::NEW.to
    }
}
