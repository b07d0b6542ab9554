//! Ports, and whether a broker answers.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Where ports are taken from: below the ones that systems give to outgoing connections, so that
/// no client gets a port while its server restarts.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A port of 127.0.0.1 that nobody listens on, and that this process was not given before.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Begun anywhere, because other test processes look for ports too.
    let start = usize::from(uuid::Uuid::new_v4().as_u64_pair().0 as u16);
    for port in PORTS.cycle().skip(start).take(PORTS.len()) {
        let is_free = || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if !given.contains(&port) && is_free() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!("no free port in {PORTS:?}")
}

/// ApiVersions, version 0: length, key 18, version, correlation id, no client id.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

/// Succeeds where a broker answers the first request every Kafka client sends.
pub(crate) async fn ask_broker(address: &str) -> Result<()> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&API_VERSIONS).await?;
        let mut head = [0; 10];
        stream.read_exact(&mut head).await?;
        anyhow::Ok(head)
    };
    let head = timeout(Duration::from_secs(2), asking).await.context("no answer in time")??;
    let [_, _, _, _, correlation_and_error @ ..] = head;
    ensure!(correlation_and_error == [0, 0, 0, 7, 0, 0], "not the answer of a broker: {head:?}");
    Ok(())
}
