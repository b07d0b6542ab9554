//! A connection: one request, its answer, the next request.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::{Answer, MAX_ANSWER_BYTES, Unreadable};

/// A connection that is opened when it is first needed, and again after it was lost.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    timeout: Duration,
    stream: Option<TcpStream>,
    /// The last answer.
    buffer: Vec<u8>,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("no answer in time")]
    Timeout,
    #[error("the server closed the connection")]
    Closed,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Failure {
    /// What it is counted as.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Io(_) => "io",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Room for a read. Smaller, and a page of 20 takes two reads; larger is memory a connection.
const READ_BYTES: usize = 16 * 1024;

impl Connection {
    /// A connection to `address`, each of whose requests may take `timeout`.
    pub(crate) fn new(address: SocketAddr, timeout: Duration) -> Self {
        Self { address, timeout, stream: None, buffer: Vec::with_capacity(READ_BYTES) }
    }

    /// The same over a stream that is open already.
    ///
    /// # Errors
    /// The runtime cannot watch the stream.
    pub(crate) fn over(mut self, stream: std::net::TcpStream) -> io::Result<Self> {
        self.stream = Some(TcpStream::from_std(stream)?);
        Ok(self)
    }

    /// Sends a request and reads its answer, all of it.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        let limit = self.timeout;
        timeout(limit, self.attempt(request)).await.unwrap_or(Err(Failure::Timeout))
    }

    /// The body of the last answer.
    pub(crate) fn body(&self, answer: &Answer) -> &[u8] {
        self.buffer.get(answer.head_bytes..answer.bytes()).unwrap_or_default()
    }

    async fn attempt(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await.map_err(Failure::Connect)?,
        };
        stream.write_all(request).await?;
        let answer = read_answer(&mut stream, &mut self.buffer).await?;
        if answer.keep_alive {
            // Only now: after a failure or a timeout the rest of this answer could still come,
            // and would be taken for the next one.
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Answer, Failure> {
    buffer.clear();
    let mut answer = None;
    loop {
        // More than there is to read: a read that fills its room costs one more to see the end.
        buffer.reserve(READ_BYTES);
        if stream.read_buf(buffer).await? == 0 {
            return Err(Failure::Closed);
        }
        if answer.is_none() {
            answer = Answer::parse(buffer)?;
        }
        match answer.take() {
            Some(whole) if buffer.len() >= whole.bytes() => return Ok(whole),
            known => answer = known,
        }
        if buffer.len() > MAX_ANSWER_BYTES {
            return Err(Unreadable::TooLarge.into());
        }
    }
}
