//! A TCP proxy between Kafka clients and a broker, which spoils what a test tells it to.

mod connection;
mod frames;
mod pump;
mod switches;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use switches::{Flow, Switches};

/// Which bytes: those from clients, or those from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From clients to the broker: requests.
    ToBroker,
    /// From the broker to clients: answers.
    ToClient,
}

/// What went through a proxy since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Connections of clients, those that were closed at once included.
    pub connections: u64,
    /// Answers to Produce that were swallowed.
    pub answers_lost: u64,
    /// Bytes that went on to the broker.
    pub bytes_to_broker: u64,
    /// Bytes that went on to clients.
    pub bytes_to_client: u64,
}

/// A proxy on a port of its own. A switch holds for open and for new connections, from when its
/// function returns. The broker has to advertise the proxy, or clients go around it.
///
/// Dropped, it closes everything.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    upstream: String,
    /// Whether what passes is the Kafka protocol, so that answers can be told apart.
    is_kafka: bool,
    switches: watch::Sender<Switches>,
    /// Answers still to be lost.
    to_lose: AtomicU64,
    connections: AtomicU64,
    answers_lost: AtomicU64,
    bytes_to_broker: AtomicU64,
    bytes_to_client: AtomicU64,
}

impl ChaosProxy {
    /// A proxy that passes everything to the broker at `upstream`. That need not run yet: while it is
    /// away, connections are closed.
    ///
    /// # Errors
    /// There is no port for it.
    pub async fn start(upstream: &str) -> Result<Self> {
        Self::start_as(upstream, true).await
    }

    /// The same before anything else that speaks TCP; [`ChaosProxy::lose_answers`] does nothing.
    ///
    /// # Errors
    /// There is no port for it.
    pub async fn before_http(upstream: &str) -> Result<Self> {
        Self::start_as(upstream, false).await
    }

    async fn start_as(upstream: &str, is_kafka: bool) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            is_kafka,
            switches: watch::Sender::default(),
            to_lose: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            answers_lost: AtomicU64::new(0),
            bytes_to_broker: AtomicU64::new(0),
            bytes_to_client: AtomicU64::new(0),
        });
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { address, shared, serving })
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What went through it so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counts {
            connections: read(&self.shared.connections),
            answers_lost: read(&self.shared.answers_lost),
            bytes_to_broker: read(&self.shared.bytes_to_broker),
            bytes_to_client: read(&self.shared.bytes_to_client),
        }
    }

    /// Closes all open connections. New ones are served.
    pub fn cut(&self) {
        self.turn(|switches| switches.cuts += 1);
    }

    /// Closes new connections at once. Open ones go on until [`ChaosProxy::cut`].
    pub fn refuse(&self) {
        self.turn(|switches| switches.refuses = true);
    }

    /// Serves new connections again.
    pub fn accept(&self) {
        self.turn(|switches| switches.refuses = false);
    }

    /// Holds the bytes of one direction: after a few KiB the proxy no longer reads.
    pub fn stall(&self, direction: Direction) {
        self.turn(|switches| *switches.flow_mut(direction) = Flow::Stalled);
    }

    /// Reads the bytes of one direction and throws them away. What comes after [`ChaosProxy::flow`]
    /// on such a connection may be the middle of a frame.
    pub fn black_hole(&self, direction: Direction) {
        self.turn(|switches| *switches.flow_mut(direction) = Flow::Lost);
    }

    /// Ends a stall, with what was held going on first, or a black hole.
    pub fn flow(&self, direction: Direction) {
        self.turn(|switches| *switches.flow_mut(direction) = Flow::Passing);
    }

    /// Passes at most so many bytes a second, and at least some, on each connection each way.
    pub fn slow(&self, bytes_per_second: u32) {
        self.turn(|switches| switches.bytes_per_second = Some(bytes_per_second));
    }

    /// Of the next `n` answers to Produce none reaches its client: instead its connection is cut. The
    /// broker appended, and nobody knows. Answers that tell of an error count as well.
    pub fn lose_answers(&self, n: u64) {
        self.shared.to_lose.store(n, Ordering::SeqCst);
    }

    /// Spoils nothing any more. What was cut stays cut.
    pub fn pass_all(&self) {
        self.lose_answers(0);
        self.turn(|switches| *switches = Switches { cuts: switches.cuts, ..Switches::default() });
    }

    fn turn(&self, switch: impl FnOnce(&mut Switches)) {
        self.shared.switches.send_modify(switch);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves connections until it is aborted, which ends them too.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Without file handles nothing can be served any more, which tests see.
                let Ok((client, _)) = accepted else { return };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                // Watched from here on: a cut that comes before the task runs concerns it too.
                let switches = shared.switches.subscribe();
                if !switches.borrow().refuses {
                    connections.spawn(connection::run(client, shared.clone(), switches));
                }
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}
