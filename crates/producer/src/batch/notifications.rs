//! A batch of notifications: each line is a request to send.

use std::sync::Arc;
use std::time::Duration;

use models::{IdempotencyKey, RequestId, SendRequest};
use service::{Code, Current, Problem, read_json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{Block, Pass, Work, put_refused, put_result};
use crate::answer::Answer;
use crate::directory::NotFound;
use crate::problem::{connecting, key_in_hand, key_reused};
use crate::publisher::{Addressed, Lots, Publisher, SendError, Ticket, UnderWay};
use crate::remembered::{Beginning, InHand, Request};

/// The most that a body may become in the log: its bytes times its recipients.
pub(crate) const MAX_EXPANDED_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of a record beyond the text of its request: headers, names, and what the memory takes.
const RECORD_BYTES: usize = 600;

/// Sends what lines ask for.
pub(crate) struct Notifications {
    publisher: Arc<Current<Publisher>>,
    produce_timeout: Duration,
    /// Bytes of records that may be in hand.
    room: Arc<Semaphore>,
    max_room: usize,
}

/// Lines whose records are on their way, and what they take of the room.
pub(crate) struct LinesInHand {
    lines: Vec<(u64, Line)>,
    under_way: Option<UnderWay>,
    _room: Option<OwnedSemaphorePermit>,
}

enum Line {
    Refused(Problem),
    /// It was answered with this before.
    Replayed(Box<[u8]>),
    Sent(Vec<Ticket>, Option<InHand>),
}

/// A line, whose request is looked up with the others', or what is wrong with it.
struct Asked {
    number: u64,
    size_bytes: usize,
    problem: Option<Problem>,
}

/// Lines that are not passed on yet.
struct Gathering<'a> {
    publisher: &'a Publisher,
    produce_timeout: Duration,
    lines: Vec<(u64, Line)>,
    lots: Lots,
    room: Option<OwnedSemaphorePermit>,
}

impl Notifications {
    pub(crate) fn new(
        publisher: Arc<Current<Publisher>>,
        produce_timeout: Duration,
        in_hand_bytes: usize,
    ) -> Self {
        // The largest line must have room.
        let max_room = in_hand_bytes.max(MAX_EXPANDED_BYTES);
        Self { publisher, produce_timeout, room: Arc::new(Semaphore::new(max_room)), max_room }
    }

    /// Waits until there is room for a line. What was gathered is passed on before, because only
    /// that makes room.
    async fn reserve(&self, bytes: usize, gathering: &mut Gathering<'_>, pass: &Pass<LinesInHand>) {
        let bytes = u32::try_from(bytes.min(self.max_room)).unwrap_or(u32::MAX);
        let permit = match self.room.clone().try_acquire_many_owned(bytes) {
            Ok(permit) => Some(permit),
            Err(_) => {
                gathering.pass_on(pass).await;
                // It is never closed.
                self.room.clone().acquire_many_owned(bytes).await.ok()
            }
        };
        match (&mut gathering.room, permit) {
            (Some(room), Some(permit)) => room.merge(permit),
            (room, permit) => *room = permit,
        }
    }
}

impl Work for Notifications {
    type InHand = LinesInHand;

    async fn begin(&self, block: Block, pass: &Pass<LinesInHand>) {
        let (asked, requests) = parse(&block);
        let Some(publisher) = self.publisher.get() else {
            let refuse = |it: Asked| (it.number, Line::Refused(it.problem.unwrap_or(connecting())));
            let lines = asked.into_iter().map(refuse).collect();
            return pass.on(LinesInHand { lines, under_way: None, _room: None }).await;
        };
        let deadline = Instant::now() + self.produce_timeout;
        let mut found = publisher.address(requests, deadline).await.into_iter();
        let mut gathering = Gathering::new(&publisher, self.produce_timeout);
        for Asked { number, size_bytes, problem } in asked {
            let addressed = match problem {
                Some(problem) => Err(problem),
                None => addressed(found.next()),
            };
            let line = match addressed {
                Ok(addressed) => {
                    let cost = (size_bytes + RECORD_BYTES) * addressed.to.len();
                    self.reserve(cost, &mut gathering, pass).await;
                    gathering.begin(addressed, pass).await
                }
                Err(problem) => Line::Refused(problem),
            };
            gathering.lines.push((number, line));
        }
        gathering.pass_on(pass).await;
    }

    async fn finish(&self, in_hand: LinesInHand, out: &mut Vec<u8>) {
        let LinesInHand { lines, mut under_way, _room } = in_hand;
        for (number, line) in lines {
            match (line, &mut under_way) {
                (Line::Refused(problem), _) => put_refused(out, number, &problem),
                (Line::Replayed(answer), _) => put_result(out, number, 201, &answer),
                (Line::Sent(tickets, in_hand), Some(under_way)) => {
                    let deliveries = under_way.deliver(tickets).await;
                    match Answer::of(&deliveries) {
                        Answer::Sent(answer) => {
                            put_result(out, number, 201, &answer);
                            if let Some(in_hand) = in_hand {
                                in_hand.remember(&answer);
                            }
                        }
                        Answer::Partly(answer) => put_result(out, number, 207, &answer),
                        Answer::Refused(problem) => put_refused(out, number, &problem),
                    }
                }
                // Tickets are only given out for records that are handed over.
                (Line::Sent(..), None) => put_refused(out, number, &connecting()),
            }
        }
    }
}

impl<'a> Gathering<'a> {
    fn new(publisher: &'a Publisher, produce_timeout: Duration) -> Self {
        Self { publisher, produce_timeout, lines: Vec::new(), lots: publisher.lots(), room: None }
    }

    /// Makes records of a request, unless its key was used before.
    async fn begin(&mut self, addressed: Addressed, pass: &Pass<LinesInHand>) -> Line {
        let key = addressed.request.idempotency_key.clone();
        let in_hand = match &key {
            None => None,
            Some(key) => match self.begin_key(&addressed.request, key, pass).await {
                Ok(Request::New(in_hand)) => Some(in_hand),
                Ok(Request::Answered(answer)) => return Line::Replayed(answer),
                Ok(Request::Reused) => return Line::Refused(key_reused()),
                Err(problem) => return Line::Refused(problem),
            },
        };
        match self.publisher.draft(addressed, key.as_ref(), service::now()) {
            Ok(drafts) => {
                let tickets = drafts.into_iter().map(|draft| self.lots.add(draft)).collect();
                Line::Sent(tickets, in_hand)
            }
            Err(error) => Line::Refused(error.into()),
        }
    }

    /// Looks the key up, and waits while another request has it in hand. That may be a line before
    /// this one: it is passed on, and so ends.
    async fn begin_key(
        &mut self,
        request: &SendRequest,
        key: &IdempotencyKey,
        pass: &Pass<LinesInHand>,
    ) -> Result<Request, Problem> {
        let (key, whole) = (RequestId::of_key(request, key), whole(request)?);
        let deadline = Instant::now() + self.produce_timeout;
        loop {
            match self.publisher.remembered().begin(key, whole) {
                Beginning::InHand(ending) => {
                    self.pass_on(pass).await;
                    let waiting = tokio::time::timeout_at(deadline, ending.wait());
                    waiting.await.map_err(|_| key_in_hand())?;
                }
                Beginning::Known(known) => return Ok(known),
            }
        }
    }

    /// Hands the records over and passes the lines on.
    async fn pass_on(&mut self, pass: &Pass<LinesInHand>) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        let lots = std::mem::replace(&mut self.lots, self.publisher.lots());
        let deadline = Instant::now() + self.produce_timeout;
        let under_way = Some(self.publisher.begin_batch(lots, deadline).await);
        pass.on(LinesInHand { lines, under_way, _room: self.room.take() }).await;
    }
}

/// The lines of a block, and the requests of those that have one.
fn parse(block: &Block) -> (Vec<Asked>, Vec<SendRequest>) {
    let (mut asked, mut requests) = (Vec::new(), Vec::new());
    for (number, line) in block.lines() {
        let size_bytes = line.as_ref().map_or(0, |line| line.len());
        let request = line.and_then(read).and_then(|request| {
            fits(size_bytes, request.to.as_slice().len())?;
            Ok(request)
        });
        let problem = match request {
            Ok(request) => {
                requests.push(request);
                None
            }
            Err(problem) => Some(problem),
        };
        asked.push(Asked { number, size_bytes, problem });
    }
    (asked, requests)
}

/// The plain reader is twice as fast as the one that tells where a fault is: only faults pay for that.
fn read(line: &[u8]) -> Result<SendRequest, Problem> {
    let plain = line.starts_with(b"{").then(|| serde_json::from_slice(line));
    match plain {
        Some(Ok(request)) => Ok(request),
        _ => read_json(line),
    }
}

fn addressed(found: Option<Result<Addressed, NotFound>>) -> Result<Addressed, Problem> {
    found.unwrap_or(Err(NotFound::Unknown)).map_err(|error| SendError::from(error).into())
}

/// Refuses what would become too much for the log.
pub(crate) fn fits(size_bytes: usize, recipients: usize) -> Result<(), Problem> {
    if size_bytes.saturating_mul(recipients) <= MAX_EXPANDED_BYTES {
        return Ok(());
    }
    let detail = format!(
        "{size_bytes} bytes for {recipients} recipients are more than {MAX_EXPANDED_BYTES} bytes \
         together: send to fewer at once"
    );
    Err(Problem::new(Code::TooLarge, detail))
}

/// All that is in a request.
pub(crate) fn whole(request: &SendRequest) -> Result<RequestId, Problem> {
    RequestId::of_whole(request).map_err(|error| SendError::from(error).into())
}
