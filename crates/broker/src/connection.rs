//! One client's connection. Requests are answered in the order they came. Produce requests are queued
//! while earlier ones wait for the disk; any other request is read, answered, and only then the next.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::api::{Context, Pending, Shared};
use crate::faults::Fault;
use crate::reply::Reply;
use crate::request::{Body, Refusal, Request};

/// Requests up to this size take no part of the shared memory: fetches and metadata must get through
/// while large appends wait.
const SMALL_BYTES: usize = 64 << 10;

/// Read ahead a connection. Only speed depends on it.
const READ_BYTES: usize = 16 << 10;

/// A request whose turn to be answered comes.
struct Turn {
    api: ApiKey,
    fault: Fault,
    work: Work,
}

enum Work {
    Queued(Pending, Memory),
    Whole(Request, oneshot::Sender<()>),
}

type Memory = Option<OwnedSemaphorePermit>;

/// Why a connection ends before the client closed it.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("a request of {0} bytes is longer than allowed, or is none")]
    Length(i32),
    #[error("the rest of a request did not come in time, or not at all")]
    CutOff,
    #[error("no memory for a large request in time")]
    Memory,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Serves one client until it goes, does something wrong, or the broker stops.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let (Ok(peer), Ok(local_addr)) = (stream.peer_addr(), stream.local_addr()) else {
        return;
    };
    // Without it a response of several segments waits for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let (read, write) = stream.into_split();
    let end = shared.stop.child_token();
    let (turns, next_turn) = mpsc::channel(shared.limits.requests_in_flight);
    let context = Context { shared, local_addr };
    let reader = Reader {
        context: context.clone(),
        stream: BufReader::with_capacity(READ_BYTES, read),
        turns,
        end: end.clone(),
    };
    let writer = Writer { context, stream: write };
    let writing = async {
        let ended = writer.run(next_turn).await;
        end.cancel();
        ended
    };
    let (read, written) = tokio::join!(reader.run(), writing);
    if let Err(error) = read {
        tracing::warn!(%peer, %error, "closed a connection");
    }
    if let Err(error) = written {
        tracing::warn!(%peer, error = &*error, "closed a connection");
    }
}

struct Reader {
    context: Context,
    stream: BufReader<OwnedReadHalf>,
    turns: mpsc::Sender<Turn>,
    end: CancellationToken,
}

impl Reader {
    async fn run(mut self) -> Result<(), Broken> {
        while let Some((frame, memory)) = self.frame().await? {
            let request = Request::parse(frame)?;
            let api = request.api;
            let fault = self.context.shared.faults.next(api);
            if fault.cut {
                break;
            }
            let next = match request.body {
                Body::Produce(produce) => {
                    let pending = self.context.produce(request.head, produce, fault).await;
                    let work = Work::Queued(pending, memory);
                    self.turns.send(Turn { api, fault, work }).await.is_ok()
                }
                Body::ApiVersions { .. }
                | Body::CreateTopics(_)
                | Body::DeleteTopics(_)
                | Body::DescribeConfigs(_)
                | Body::DescribeGroups(_)
                | Body::Fetch(_)
                | Body::FindCoordinator(_)
                | Body::InitProducerId(_)
                | Body::ListGroups(_)
                | Body::ListOffsets(_)
                | Body::Metadata(_)
                | Body::OffsetCommit(_)
                | Body::OffsetFetch(_) => self.answered(request, fault).await,
            };
            if !next {
                break;
            }
        }
        Ok(())
    }

    /// Hands a request over and returns when its answer is written; `false` when it will not be.
    async fn answered(&self, request: Request, fault: Fault) -> bool {
        let (done, answered) = oneshot::channel();
        let turn = Turn { api: request.api, fault, work: Work::Whole(request, done) };
        self.turns.send(turn).await.is_ok() && answered.await.is_ok()
    }

    /// The next frame without its length; `None` when there will be none.
    async fn frame(&mut self) -> Result<Option<(Bytes, Memory)>, Broken> {
        let limits = Arc::clone(&self.context.shared.limits);
        let mut length = [0; 4];
        let reading = timeout(limits.idle_timeout, self.stream.read_exact(&mut length));
        let read = tokio::select! {
            read = reading => read,
            () = self.end.cancelled() => return Ok(None),
        };
        if !matches!(read, Ok(Ok(_))) {
            return Ok(None);
        }
        let claimed = i32::from_be_bytes(length);
        let length = usize::try_from(claimed).map_err(|_| Broken::Length(claimed))?;
        if length > limits.frame_bytes {
            return Err(Broken::Length(claimed));
        }
        let memory = match length {
            ..=SMALL_BYTES => None,
            _ => Some(self.context.shared.grant(length).await.ok_or(Broken::Memory)?),
        };
        let frame = self.body(length, limits.read_timeout).await?;
        Ok(Some((frame, memory)))
    }

    async fn body(&mut self, length: usize, within: Duration) -> Result<Bytes, Broken> {
        // Room grows with what comes, not with what is claimed.
        let mut frame = Vec::with_capacity(length.min(SMALL_BYTES));
        let mut body = (&mut self.stream).take(length as u64);
        let read = timeout(within, body.read_to_end(&mut frame)).await;
        match read {
            Ok(Ok(read)) if read == length => Ok(frame.into()),
            Ok(_) | Err(_) => Err(Broken::CutOff),
        }
    }
}

struct Writer {
    context: Context,
    stream: OwnedWriteHalf,
}

impl Writer {
    async fn run(mut self, mut turns: mpsc::Receiver<Turn>) -> anyhow::Result<()> {
        while let Some(Turn { api, fault, work }) = turns.recv().await {
            let (reply, _memory, done) = match work {
                Work::Queued(pending, memory) => (pending.reply().await?, memory, None),
                Work::Whole(Request { head, body, .. }, done) => {
                    (self.context.answer(head, body, fault).await?, None, Some(done))
                }
            };
            self.context.shared.faults.released(api, &self.context.shared.stop).await;
            if fault.lose_answer || !self.respond(reply).await {
                break;
            }
            if let Some(done) = done {
                let _reader_gone = done.send(());
            }
        }
        Ok(())
    }

    /// Writes a response; `false` when the connection is to end. Every response passes here.
    async fn respond(&mut self, reply: Reply) -> bool {
        let (frame, _memory) = match reply {
            Reply::Frame { frame, memory } => (frame, memory),
            Reply::Nothing => return true,
            Reply::Close => return false,
        };
        let within = self.context.shared.limits.write_timeout;
        match timeout(within, self.stream.write_all(&frame)).await {
            Ok(written) => written.is_ok(),
            Err(_) => {
                tracing::warn!("cut a client that does not read");
                false
            }
        }
    }
}
