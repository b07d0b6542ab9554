//! An embedded broker for tests that keeps its address while it is down.
//!
//! What fails here is a test that cannot go on: it panics.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use broker::{Broker, Config, Faults};
use kafka::ClusterConfig;
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// Longer than a broker takes to stop.
const LONG: Duration = Duration::from_secs(30);

/// A broker on an address it keeps, with a data folder that ends with it.
#[derive(Debug)]
pub struct TestBroker {
    config: Config,
    running: Option<Broker>,
    _reserved: TcpSocket,
    dir: TempDir,
}

impl TestBroker {
    /// One that runs.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with this changed.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut broker = Self::not_running();
        change(&mut broker.config);
        broker.start_again().await;
        broker
    }

    /// Its address is taken, and it does not run.
    pub fn not_running() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (reserved, address) = reserve();
        let config = Config::new(dir.path(), address);
        Self { config, running: None, _reserved: reserved, dir }
    }

    /// Stops it.
    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop(LONG).await.unwrap();
    }

    /// Starts it, on the same address and with the same data.
    pub async fn start_again(&mut self) {
        self.running = Some(Broker::start(self.config.clone()).await.unwrap());
    }

    /// What it is started with the next time.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// What it is to do wrong.
    pub fn faults(&self) -> Faults {
        self.running.as_ref().unwrap().faults().clone()
    }

    /// Another broker, with all it has, takes the place of this one.
    pub async fn replace(&mut self, mut other: Self) {
        other.stop().await;
        self.stop().await;
        std::mem::swap(&mut self.dir, &mut other.dir);
        self.config.data_dir = self.dir.path().to_owned();
        self.start_again().await;
    }

    /// Where it listens, or will.
    pub fn address(&self) -> &str {
        &self.config.listen
    }

    /// How clients find it.
    pub fn cluster(&self) -> ClusterConfig {
        ClusterConfig::new(vec![self.address().to_owned()], "test")
    }
}

/// An address that nobody else is given while the broker that listens there is down.
fn reserve() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    // The broker, which sets it too, can then listen beside a socket that does not.
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}
