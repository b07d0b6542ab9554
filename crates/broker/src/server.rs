//! The broker as a value: started, told where it listens, stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::Shared;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::connection;
use crate::data_dir::DataDir;
use crate::endpoint::Endpoint;
use crate::error::{StartError, StopError};
use crate::faults::Faults;
use crate::offsets::GroupOffsets;

/// Pause after a failed accept, which is mostly a lack of file handles: others must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running broker. Dropped, it stops without waiting; [`Broker::stop`] waits.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    /// Ends connections that did not end by themselves.
    cut: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl Broker {
    /// Locks the data folder, binds, recovers the logs and serves in the background.
    ///
    /// # Errors
    /// The data folder or the address is in use, a log is damaged, or the system fails.
    pub async fn start(config: Config) -> Result<Broker, StartError> {
        let limits = Arc::new(config.limits);
        let advertised = config.advertised.as_deref().map(endpoint).transpose()?;
        let path = config.data_dir.clone();
        let data_dir = blocking(move || DataDir::open(&path)).await?;
        let data_dir = Arc::new(data_dir);
        let (listener, addr) = bind(&config.listen).await?;
        let (catalog, offsets) = {
            let (data_dir, limits) = (Arc::clone(&data_dir), Arc::clone(&limits));
            blocking(move || {
                let catalog = Catalog::open(Arc::clone(&data_dir), Arc::clone(&limits))?;
                let offsets = GroupOffsets::open(data_dir, &catalog, limits.group_offsets)?;
                Ok((catalog, offsets))
            })
            .await?
        };
        let stop = CancellationToken::new();
        let memory = Semaphore::new(limits.memory_bytes as usize);
        let shared = Arc::new(Shared {
            catalog,
            offsets: Arc::new(offsets),
            data_dir,
            limits,
            advertised,
            memory: Arc::new(memory),
            faults: Faults::none(),
            stop: stop.clone(),
        });
        let broker = Broker {
            addr,
            shared,
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
            _stop_when_dropped: stop.drop_guard(),
        };
        broker.spawn_tasks(listener);
        tracing::info!(%addr, data_dir = %config.data_dir.display(), "the broker listens");
        Ok(broker)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What this broker is to do wrong, for tests of its clients.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Runs until `stop` is cancelled and then stops within [`Limits::stop_timeout`].
    ///
    /// [`Limits::stop_timeout`]: crate::Limits::stop_timeout
    ///
    /// # Errors
    /// As [`Broker::stop`].
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), StopError> {
        stop.cancelled().await;
        let within = self.shared.limits.stop_timeout;
        self.stop(within).await
    }

    /// Takes no more connections and requests, answers what is in flight, and returns when the data
    /// folder is free, or after `deadline`.
    ///
    /// # Errors
    /// [`StopError::Unfinished`] when the deadline came first.
    pub async fn stop(self, deadline: Duration) -> Result<(), StopError> {
        let until = Instant::now() + deadline;
        self.shared.stop.cancel();
        self.tasks.close();
        let finished = timeout(deadline, self.tasks.wait()).await.is_ok();
        let connections = if finished { 0 } else { self.tasks.len() };
        self.cut.cancel();
        let left = until.saturating_duration_since(Instant::now());
        let partitions = self.shared.catalog.close(left).await;
        if connections + partitions == 0 {
            return Ok(());
        }
        Err(StopError::Unfinished { connections, partitions })
    }

    fn spawn_tasks(&self, listener: TcpListener) {
        let accepting =
            accept(listener, Arc::clone(&self.shared), self.tasks.clone(), self.cut.clone());
        self.tasks.spawn(accepting);
        self.tasks.spawn(retain(Arc::clone(&self.shared)));
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    cut: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(shared.limits.connections));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        let stream: TcpStream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(
                limit = shared.limits.connections,
                "too many connections; closed a new one"
            );
            continue;
        };
        let serving = connection::serve(Arc::clone(&shared), stream);
        let cut = cut.clone();
        tasks.spawn(async move {
            let _place = place;
            cut.run_until_cancelled(serving).await;
        });
    }
}

async fn retain(shared: Arc<Shared>) {
    let mut ticks = interval(shared.limits.retention_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shared.stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        shared.catalog.retain(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    }
}

async fn bind(listen: &str) -> Result<(TcpListener, SocketAddr), StartError> {
    let unusable = |source| StartError::Address { addr: listen.to_owned(), source };
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for addr in lookup_host(listen).await.map_err(unusable)? {
        match TcpListener::bind(addr).await {
            Ok(listener) => {
                let addr = listener.local_addr().map_err(unusable)?;
                return Ok((listener, addr));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(StartError::AddressInUse { addr });
            }
            Err(error) => failed = error,
        }
    }
    Err(unusable(failed))
}

fn endpoint(text: &str) -> Result<Endpoint, StartError> {
    text.parse().map_err(|_| StartError::Advertised { addr: text.to_owned() })
}

async fn blocking<T, F>(work: F) -> Result<T, StartError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StartError> + Send + 'static,
{
    let done = task::spawn_blocking(work).await;
    done.map_err(|error| {
        StartError::io("open", "the data folder".as_ref())(io::Error::other(error))
    })?
}
