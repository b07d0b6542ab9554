//! How many streams are open.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What bounds the streams of a service, and counts them.
#[derive(Clone)]
pub(crate) struct Turns {
    max_streams: usize,
    free: Arc<Semaphore>,
    open: Gauge,
}

/// A stream that is open, until it is dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    open: Gauge,
}

/// Clients that come back to a service in a second, after it was stopped. More, and they keep each other
/// waiting; fewer, and the last ones wait for longer.
const BACK_A_SECOND: usize = 1_000;

impl Turns {
    pub(crate) fn new(max_streams: usize, open: Gauge) -> Self {
        let max_streams = max_streams.min(Semaphore::MAX_PERMITS);
        Self { max_streams, free: Arc::new(Semaphore::new(max_streams)), open }
    }

    /// None: there are too many.
    pub(crate) fn take(&self) -> Option<Turn> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        self.open.inc();
        Some(Turn { _permit: permit, open: self.open.clone() })
    }

    pub(crate) fn max_streams(&self) -> usize {
        self.max_streams
    }

    /// Over how long clients are to be spread that come back once this service has stopped.
    pub(crate) fn back_within(&self) -> Duration {
        let open = self.max_streams.saturating_sub(self.free.available_permits());
        Duration::from_secs(1 + (open / BACK_A_SECOND) as u64)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.open.dec();
    }
}
