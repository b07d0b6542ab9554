//! Many streams that are read with little effort.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use e2e::eventually;
use memchr::memmem;
use models::EventStreamReader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::LONG;
use crate::publish::Published;
use crate::times::Times;

/// Connections that are opened at once.
const AT_ONCE: usize = 64;

/// Open streams, each read by a task.
pub(crate) struct Streams {
    tasks: JoinSet<Vec<(usize, Instant)>>,
    arrived: Arc<AtomicUsize>,
}

impl Streams {
    /// Opens so many of the consumer, of these users, and waits until all are.
    pub(crate) async fn open(
        consumer: &str,
        count: usize,
        user_of: impl Fn(usize) -> String,
    ) -> Result<Self> {
        let path_of = |number| format!("/v1/users/{}/stream", user_of(number));
        Self::open_at(consumer, count, path_of).await
    }

    pub(crate) async fn open_at(
        address: &str,
        count: usize,
        path_of: impl Fn(usize) -> String,
    ) -> Result<Self> {
        let (mut opening, at_once) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
        for number in 0..count {
            let (address, path, at_once) = (address.to_owned(), path_of(number), at_once.clone());
            opening.spawn(async move {
                let _turn = at_once.acquire().await?;
                open(&address, &path, None).await
            });
        }
        let (mut tasks, arrived) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        while let Some(stream) = opening.join_next().await {
            tasks.spawn(read(stream??, arrived.clone()));
        }
        Ok(Self { tasks, arrived })
    }

    /// How long each message took to each stream that it is for, once all are there.
    pub(crate) async fn times_of(self, published: &Published, each: usize) -> Result<Times> {
        let Self { mut tasks, arrived } = self;
        let expected = published.len() * each;
        eventually(LONG, async || {
            let count = arrived.load(Ordering::SeqCst);
            ensure!(count >= expected, "{count} of {expected} have come");
            Ok(())
        })
        .await?;
        // They end with what they have.
        arrived.store(END, Ordering::SeqCst);
        let mut times = Vec::new();
        while let Some(arrivals) = tasks.join_next().await {
            for (number, at) in arrivals? {
                times.push(at - published.sent(number).context("a message of ours")?);
            }
        }
        ensure!(times.len() == expected, "{} of {expected}: lost, or twice", times.len());
        Ok(Times::of(times))
    }
}

/// The readers are to end.
const END: usize = usize::MAX / 2;

/// How long a reader waits before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Opens a stream, and waits for its head.
pub(crate) async fn open(address: &str, path: &str, last: Option<&str>) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{last}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    ensure!(&head == b"HTTP/1.1 200", "{}", String::from_utf8_lossy(&head));
    Ok(stream)
}

const MARK: &[u8] = b"\"message\":\"m";

/// When each message came.
async fn read(mut stream: TcpStream, arrived: Arc<AtomicUsize>) -> Vec<(usize, Instant)> {
    let (mut arrivals, mut rest) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 4 * 1024];
    loop {
        let reading = tokio::time::timeout(LOOK, stream.read(&mut buffer));
        let read = match reading.await {
            Ok(Ok(0) | Err(_)) => return arrivals,
            Ok(Ok(read)) => read,
            Err(_) if arrived.load(Ordering::Relaxed) >= END => return arrivals,
            Err(_) => continue,
        };
        let at = Instant::now();
        rest.extend_from_slice(buffer.get(..read).unwrap_or_default());
        for number in take_numbers(&mut rest) {
            arrivals.push((number, at));
            arrived.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The numbers of the messages in it; what is left may be the beginning of one.
pub(crate) fn take_numbers(rest: &mut Vec<u8>) -> Vec<usize> {
    let (mut numbers, mut done) = (Vec::new(), 0);
    for found in memmem::find_iter(rest, MARK) {
        let text = rest.get(found + MARK.len()..).unwrap_or_default();
        let Some(length) = memchr::memchr(b';', text) else { break };
        let digits = text.get(..length).and_then(|digits| std::str::from_utf8(digits).ok());
        numbers.extend(digits.and_then(|digits| digits.parse::<usize>().ok()));
        done = found + MARK.len() + length;
    }
    // A mark, its number, and where a piece of the transfer may end between them.
    let kept = rest.len().saturating_sub(64).max(done);
    rest.drain(..kept);
    numbers
}

/// A stream that is not read.
pub(crate) struct Stuck {
    stream: TcpStream,
    consumer: String,
    path: String,
}

pub(crate) async fn never_read(consumer: &str, user: &str) -> Result<Stuck> {
    let path = format!("/v1/users/{user}/stream");
    let stream = open(consumer, &path, None).await?;
    Ok(Stuck { stream, consumer: consumer.to_owned(), path })
}

impl Stuck {
    /// It was cut; with the last id that it has it gets what is missing, and all of that once.
    pub(crate) async fn comes_back_whole(mut self, published: &Published) -> Result<()> {
        let mut body = Vec::new();
        let reading = tokio::time::timeout(LONG, self.stream.read_to_end(&mut body)).await;
        let is_reset = matches!(reading, Ok(Err(_)));
        let (mut told, id) = events_of(&body)?;
        ensure!(told.len() < published.len(), "nothing was cut");
        let cut_after = told.len();
        let mut again = open(&self.consumer, &self.path, Some(&id)).await?;
        let mut more = Vec::new();
        let deadline = Instant::now() + LONG;
        while told.len() < published.len() {
            ensure!(Instant::now() < deadline, "{} of {}", told.len(), published.len());
            let mut buffer = vec![0; 64 * 1024];
            let read = again.read(&mut buffer).await?;
            ensure!(read > 0, "ended");
            more.extend_from_slice(buffer.get(..read).unwrap_or_default());
            let (rest, _) = events_of(&more)?;
            told.truncate(cut_after);
            told.extend(rest);
        }
        ensure!(told.iter().copied().eq(0..published.len()), "lost, twice or not in order");
        println!(
            "  it was cut (reset: {is_reset}) after {cut_after} and resumed whole: {}",
            told.len()
        );
        Ok(())
    }
}

/// The numbers of the messages in a chunked body, and its last id.
fn events_of(body: &[u8]) -> Result<(Vec<usize>, String)> {
    let mut reader = EventStreamReader::default();
    let (mut numbers, mut rest) = (Vec::new(), body);
    if let Some(head) = memmem::find(rest, b"\r\n\r\n") {
        rest = rest.get(head + 4..).unwrap_or_default();
    }
    while let Some(end) = memmem::find(rest, b"\r\n") {
        let Ok(length) = std::str::from_utf8(rest.get(..end).unwrap_or_default()) else {
            bail!("no length")
        };
        let length = usize::from_str_radix(length, 16)?;
        let Some(chunk) = rest.get(end + 2..end + 2 + length) else { break };
        for event in reader.push(chunk)? {
            let mut data = event.data.into_bytes();
            numbers.extend(take_numbers(&mut data));
        }
        rest = rest.get(end + 4 + length..).unwrap_or_default();
    }
    Ok((numbers, reader.last_event_id().to_owned()))
}
