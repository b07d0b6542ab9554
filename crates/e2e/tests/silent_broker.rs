//! A broker that accepts connections and says nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Client, Direction, Part, System, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long a send may wait for the log (`--produce-timeout-ms`), and what a busy machine adds.
const DEADLINE: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_secs(3);

/// Sends at once, and how often.
const SENDERS: usize = 100;
const ROUNDS: usize = 3;

/// More than what waits may take, and far less than what a leak would.
const FLAT_KIB: u64 = 64 * 1024;

/// Resident memory of a part's process.
fn memory_kib(system: &mut System, part: Part) -> Result<u64> {
    Ok(e2e::memory(system.process(part)?.id())?.resident_kib)
}

/// Sends a message and sees how long it takes to be refused.
async fn refused(client: Client, number: usize) -> Result<Duration> {
    let began = Instant::now();
    let user = u32::try_from(number % 4 + 1)?;
    let answer = client.send(user, user, &"x".repeat(10_000)).await?;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("Retry-After").is_some(), "{answer:?}");
    Ok(began.elapsed())
}

#[tokio::test]
async fn sends_are_refused_in_time_and_the_services_are_back_when_the_broker_is() -> Result<()> {
    let (mut system, proxy) = System::parts_behind_proxy(PROGRAM).await?;
    assert_eq!(system.send(2, 1, "before").await?.status, 200);
    proxy.black_hole(Direction::ToBroker);
    proxy.black_hole(Direction::ToClient);

    let mut slowest = Duration::ZERO;
    let mut memory = Vec::new();
    for _ in 0..ROUNDS {
        let sending: Vec<_> =
            (0..SENDERS).map(|number| tokio::spawn(refused(system.client(), number))).collect();
        for sending in sending {
            slowest = slowest.max(sending.await??);
        }
        memory.push([Part::Producer, Part::Consumer].map(|part| memory_kib(&mut system, part)));
    }
    assert!(slowest < DEADLINE + SLACK, "{slowest:?}");
    let inbox = system.inbox(1).await?;
    assert!(inbox.status == 200 && inbox.header("Staleness").is_some(), "{inbox:?}");

    proxy.pass_all();
    let back = Instant::now();
    eventually(Duration::from_secs(30), async || {
        let answer = system.send(2, 1, "after").await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await?;
    let sent = back.elapsed();
    eventually(Duration::from_secs(30), async || {
        let inbox = system.inbox(1).await?;
        ensure!(inbox.body.contains("\"after\""), "{inbox:?}");
        Ok(())
    })
    .await?;
    println!(
        "{} sends refused, the slowest after {slowest:?}; broker back: sent after {sent:?}, shown \
         after {:?}; resident KiB of producer and consumer: {memory:?}",
        SENDERS * ROUNDS,
        back.elapsed()
    );
    let [first, .., last] = &memory[..] else { panic!("rounds") };
    for (first, last) in first.iter().zip(last) {
        let (first, last) = (first.as_ref().unwrap(), last.as_ref().unwrap());
        assert!(*last < first + FLAT_KIB, "{memory:?}");
    }
    Ok(())
}
