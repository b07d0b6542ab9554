//! One client's connection through a proxy.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::frames::{Frames, Head};
use super::pump::Pump;
use super::switches::Switches;
use super::{Direction, Shared};

/// How long the broker may take to accept a connection.
const CONNECTING: Duration = Duration::from_secs(5);

/// Produce requests remembered for their answers. Some have none (`acks=0`): the oldest is forgotten
/// first.
const UNANSWERED: usize = 1024;

/// Produce requests that were not answered yet, by correlation id.
#[derive(Default)]
pub(super) struct Produces(Mutex<BTreeSet<i32>>);

impl Produces {
    /// Takes note of the Produce requests among these.
    pub(super) fn note(&self, requests: &[Head]) {
        let mut unanswered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for request in requests.iter().filter(|request| request.is_produce) {
            unanswered.insert(request.correlation_id);
            if unanswered.len() > UNANSWERED {
                unanswered.pop_first();
            }
        }
    }

    /// Whether this answers one of them, which then is answered.
    pub(super) fn answers(&self, response: &Head) -> bool {
        let mut unanswered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.remove(&response.correlation_id)
    }
}

/// Serves a client until it or the broker goes, or the connection is cut.
pub(super) async fn run(
    client: TcpStream,
    shared: Arc<Shared>,
    mut switches: watch::Receiver<Switches>,
) {
    let cuts = switches.borrow().cuts;
    let pumping = pump(client, &shared, switches.clone());
    tokio::select! {
        biased;
        _cut = switches.wait_for(|switches| switches.cuts != cuts) => {}
        // Whatever ended it, both sides see it closed.
        _ended = pumping => {}
    }
}

async fn pump(
    client: TcpStream,
    shared: &Shared,
    switches: watch::Receiver<Switches>,
) -> Result<()> {
    let broker = timeout(CONNECTING, TcpStream::connect(&shared.upstream)).await??;
    // As if the two were connected directly.
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let produces = Produces::default();
    let requests = Pump {
        direction: Direction::ToBroker,
        frames: Frames::of_requests(),
        produces: &produces,
        shared,
        switches: switches.clone(),
        from: from_client,
        to: to_broker,
    };
    let answers = Pump {
        direction: Direction::ToClient,
        frames: Frames::of_responses(),
        produces: &produces,
        shared,
        switches,
        from: from_broker,
        to: to_client,
    };
    tokio::try_join!(requests.run(), answers.run())?;
    Ok(())
}
