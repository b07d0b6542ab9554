//! Clients that come and go.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Part, System, memory, processor_time};
use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::streams::open;
use crate::times::Times;
use crate::user_of;

const A_SECOND: u32 = 100;
const SECONDS: u32 = 60;

/// How long each stays.
const STAY: Duration = Duration::from_secs(5);

/// 100 connects a second for a minute, each of which stays for a while.
pub(crate) async fn storm(system: &mut System) -> Result<()> {
    let consumer = system.process(Part::Consumer)?.id();
    let (before, spent) = (memory(consumer)?.resident_kib, processor_time(consumer)?);
    let mut clients = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / A_SECOND);
    for number in 0..A_SECOND * SECONDS {
        ticks.tick().await;
        let address = system.addresses.consumer.clone();
        clients.spawn(async move { client(&address, number as usize).await });
    }
    let mut times = Vec::new();
    while let Some(time) = clients.join_next().await {
        times.push(time??);
    }
    let spent = processor_time(consumer)? - spent;
    println!(
        "{A_SECOND} connects a second for {SECONDS} s, each stays {} s: connect to counts {}; \
         {:.0} us of processor time each; memory {before} KB before, {} KB after",
        STAY.as_secs(),
        Times::of(times),
        spent.as_secs_f64() * 1e6 / f64::from(A_SECOND * SECONDS),
        memory(consumer)?.resident_kib
    );
    Ok(())
}

/// Until its counts have come.
async fn client(address: &str, number: usize) -> Result<Duration> {
    let began = Instant::now();
    let path = format!("/v1/users/{}/stream", user_of(number % 1_000));
    let mut stream = open(address, &path, None).await?;
    let (mut head, mut buffer) = (Vec::new(), vec![0; 2 * 1024]);
    while memmem::find(&head, b"event: counts").is_none() {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "ended");
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    let took = began.elapsed();
    tokio::time::sleep(STAY).await;
    Ok(took)
}
