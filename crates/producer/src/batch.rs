//! Batches: lines in, a result for each line out, in the order of the lines.
//!
//! Two halves run at once. One reads blocks of lines and hands their records to the writers; the other
//! waits for what became of them and passes results on. Between them is a bounded queue: when it is
//! full, because the log is slow or the client does not read its results, no more lines are read.

mod lines;
mod notifications;
mod users;

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
pub(crate) use lines::{Block, Ended, Lines};
pub(crate) use notifications::{Notifications, fits, whole};
use service::{Code, Problem};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;
pub(crate) use users::{NewUser, NewUsers};

use crate::answer::put_problem;
use crate::problem::unavailable;

/// Bounds of batches.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Batches at once; one more is refused. Each costs up to [`BatchLimits::in_hand_bytes`].
    pub at_once: usize,
    /// How long a client may send nothing while its lines are waited for.
    pub idle_timeout: Duration,
    /// How long a client may leave its results unread.
    pub unread_timeout: Duration,
    /// Bytes of records of one batch that are not answered yet. Smaller, and partitions get small
    /// requests; at the least it is the size of the largest line.
    pub in_hand_bytes: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        let (idle_timeout, unread_timeout) = (Duration::from_secs(30), Duration::from_secs(30));
        Self { at_once: 16, idle_timeout, unread_timeout, in_hand_bytes: 16 * 1024 * 1024 }
    }
}

/// Blocks of lines of one batch that are not answered yet: many thousand lines, where they are short.
/// Fewer, and partitions get smaller requests.
const BLOCKS_IN_HAND: usize = 64;

/// What is done with lines.
pub(crate) trait Work {
    /// Lines whose records are on their way.
    type InHand;

    /// Begins what the lines of a block ask for, in their order, and passes it on in one or more
    /// parts.
    async fn begin(&self, block: Block, in_hand: &Pass<Self::InHand>);

    /// Waits for what was begun, and adds a result for each line.
    async fn finish(&self, in_hand: Self::InHand, out: &mut Vec<u8>);
}

/// What goes from one half to the other.
enum Part<T> {
    Lines(T),
    /// This line is not read, and no line behind it.
    Last(u64, Problem),
}

/// Passes on what was begun. It waits while too much is in hand.
pub(crate) struct Pass<T>(Sender<Part<T>>);

impl<T> Pass<T> {
    pub(crate) async fn on(&self, in_hand: T) {
        // Nobody receives it where the other half has ended, which ends this one too.
        let _ = self.0.send(Part::Lines(in_hand)).await;
    }
}

/// What a client gets.
pub(crate) enum Piece {
    /// Results, whole lines.
    Results(Bytes),
    /// That was all. Where it does not come, results are missing.
    End,
}

/// Does the work of a batch, until the last line is answered, the client does not take its answers
/// any more, or `stop`: lines that were read by then are answered.
pub(crate) async fn run<S, E, W>(
    lines: Lines<S>,
    work: W,
    pieces: Sender<Piece>,
    unread_timeout: Duration,
    stop: CancellationToken,
) where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Display,
    W: Work,
{
    let (sender, receiver) = mpsc::channel(BLOCKS_IN_HAND);
    let reading = async {
        read(lines, &work, Pass(sender), &stop).await;
        // The other half is still at it.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = reading => {}
        () = finish(&work, receiver, &pieces, unread_timeout) => {}
    }
}

async fn read<S, E, W>(
    mut lines: Lines<S>,
    work: &W,
    pass: Pass<W::InHand>,
    stop: &CancellationToken,
) where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Display,
    W: Work,
{
    let problem = loop {
        match stop.run_until_cancelled(lines.next()).await {
            Some(Ok(Some(block))) => work.begin(block, &pass).await,
            Some(Ok(None)) => return,
            Some(Err(Ended::TooSlow(timeout))) => {
                let detail = format!("nothing was sent for {timeout:?}");
                break Problem::new(Code::RequestTimeout, detail);
            }
            Some(Err(Ended::Broken(reason))) => {
                let detail = format!("the body cannot be read: {reason}");
                break Problem::new(Code::InvalidRequest, detail);
            }
            None => {
                break unavailable("the service is stopping; send this line and the rest again");
            }
        }
    };
    let _ = pass.0.send(Part::Last(lines.number(), problem)).await;
}

async fn finish<W: Work>(
    work: &W,
    mut parts: Receiver<Part<W::InHand>>,
    pieces: &Sender<Piece>,
    unread_timeout: Duration,
) {
    while let Some(part) = parts.recv().await {
        let mut out = Vec::new();
        match part {
            Part::Lines(in_hand) => work.finish(in_hand, &mut out).await,
            Part::Last(number, problem) => put_refused(&mut out, number, &problem),
        }
        if out.is_empty() {
            continue;
        }
        let sending = pieces.send(Piece::Results(out.into()));
        if !matches!(tokio::time::timeout(unread_timeout, sending).await, Ok(Ok(()))) {
            // The client is gone, or does not read: what is in the log stays there.
            return;
        }
    }
    // Whoever does not take the end knows no more than who is cut off, and has as little.
    let _ = tokio::time::timeout(unread_timeout, pieces.send(Piece::End)).await;
}

/// Adds `{"line":2,"status":404,"code":"user_not_found","detail":"..."}`.
fn put_refused(out: &mut Vec<u8>, number: u64, problem: &Problem) {
    let _ = write!(out, r#"{{"line":{number},"#);
    put_problem(out, problem);
    out.extend_from_slice(b"}\n");
}

/// Adds a result with these members, which stand in braces.
fn put_result(out: &mut Vec<u8>, number: u64, status: u16, members: &[u8]) {
    let _ = write!(out, r#"{{"line":{number},"status":{status},"#);
    out.extend_from_slice(members.strip_prefix(b"{").unwrap_or(members));
    out.push(b'\n');
}
