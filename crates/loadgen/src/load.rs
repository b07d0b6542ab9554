//! Running a load.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::connection::{Connection, Failure};
use crate::progress::Progress;
use crate::schedule::{Bounds, Schedule};
use crate::tally::Tally;

/// What is asked, by how many.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// Taken in turns.
    pub(crate) requests: Arc<[Vec<u8>]>,
    pub(crate) connections: u32,
    pub(crate) threads: u32,
    /// How long a request may take.
    pub(crate) timeout: Duration,
}

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) tally: Tally,
    /// From the start to the last answer.
    pub(crate) elapsed: Duration,
    /// The rate was kept (open loop).
    pub(crate) kept_pace: bool,
}

/// Connections that are open, and idle.
#[derive(Debug)]
pub(crate) struct Ready<'a> {
    load: &'a Load,
    streams: Vec<TcpStream>,
}

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Wait after a connection could not be opened. Shorter, and a server that is away costs a busy
/// loop; longer, and its return is noticed late.
const RECONNECT_WAIT: Duration = Duration::from_millis(50);

impl Load {
    /// Opens the connections, which is no part of what is measured.
    ///
    /// # Errors
    /// Nothing listens.
    pub(crate) fn connect(&self) -> anyhow::Result<Ready<'_>> {
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            let stream = open(self.address);
            streams.push(stream.with_context(|| format!("cannot connect to {}", self.address))?);
        }
        Ok(Ready { load: self, streams })
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

impl Ready<'_> {
    /// Runs the load to its end.
    ///
    /// # Errors
    /// A thread cannot be started, or fails.
    pub(crate) fn run(self, bounds: Bounds, name: &str) -> anyhow::Result<Done> {
        let schedule = Arc::new(Schedule::start(bounds));
        let (load, shares) = (self.load, self.shares());
        let (done, results) = sync_channel(shares.len());
        let tally = std::thread::scope(|scope| {
            let connections = load.connections as usize;
            let pace = schedule.clone();
            scope.spawn(move || pace.keep_pace(connections));
            for share in shares {
                let (done, schedule) = (done.clone(), schedule.clone());
                // There is room for all of them.
                scope.spawn(move || drop(done.try_send(work(load, share, schedule))));
            }
            drop(done);
            collect(&results, &schedule, name)
        })?;
        let elapsed = schedule.started().elapsed();
        Ok(Done { tally, elapsed, kept_pace: !schedule.is_behind() })
    }

    /// The connections, shared out to the threads.
    fn shares(self) -> Vec<Vec<TcpStream>> {
        let size = self.streams.len().div_ceil(self.load.threads as usize).max(1);
        let mut shares = Vec::new();
        let mut streams = self.streams.into_iter().peekable();
        while streams.peek().is_some() {
            shares.push(streams.by_ref().take(size).collect());
        }
        shares
    }
}

/// Waits for all threads, and says meanwhile how far they are.
fn collect(
    results: &Receiver<anyhow::Result<Tally>>,
    schedule: &Schedule,
    name: &str,
) -> anyhow::Result<Tally> {
    let mut progress = Progress::new(name);
    let mut tally = Tally::new()?;
    loop {
        match results.recv_timeout(progress.period()) {
            Ok(result) => tally.add(result?)?,
            Err(RecvTimeoutError::Timeout) => progress.show(schedule.counts()),
            Err(RecvTimeoutError::Disconnected) => return Ok(tally),
        }
    }
}

/// What a thread does: some of the connections, on a runtime of its own.
fn work(load: &Load, streams: Vec<TcpStream>, schedule: Arc<Schedule>) -> anyhow::Result<Tally> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let tally = Arc::new(Mutex::new(Tally::new()?));
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for stream in streams {
            let connection = Connection::new(load.address, load.timeout).over(stream)?;
            tasks.spawn(drive(connection, load.requests.clone(), schedule.clone(), tally.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        anyhow::Ok(())
    })?;
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(tally)
}

/// What a connection does: the next request when it is due and the last one is done with.
async fn drive(
    mut connection: Connection,
    requests: Arc<[Vec<u8>]>,
    schedule: Arc<Schedule>,
    tally: Arc<Mutex<Tally>>,
) {
    while let Some(turn) = schedule.next().await {
        let index = usize::try_from(turn.number).unwrap_or_default() % requests.len().max(1);
        let Some(request) = requests.get(index) else { return };
        let result = connection.exchange(request).await;
        let now = std::time::Instant::now();
        schedule.done(result.as_ref().is_ok_and(|answer| answer.is_success()));
        let cannot_connect = matches!(result, Err(Failure::Connect(_)));
        {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(answer) => tally.answer(turn, answer.status, now, connection.body(&answer)),
                Err(failure) => tally.failure(turn, &failure),
            }
        }
        if cannot_connect {
            tokio::time::sleep(RECONNECT_WAIT).await;
        }
    }
}
