//! What live push takes: time, processor time, memory; beside what Kafka and actix-web take alone.
//!
//! `live <program> <bare_hub> <broker> [part...]`: all parts without one: `latency`, `fan-out`, `slow`,
//! `connects`, `memory`, `stop`. Starts a producer and a consumer, with folders of their own that are removed
//! afterwards, on a broker for trying things out.
#![allow(clippy::print_stdout)]

mod bare;
mod connects;
mod memory;
mod publish;
mod stop;
mod streams;
mod times;

use std::time::Duration;

use anyhow::{Result, bail};
use e2e::{Part, System};

use publish::{Publisher, Rate};
use streams::Streams;

/// How long each measurement lasts.
const SECONDS: usize = 10;

const LONG: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [program, bare_hub, broker, parts @ ..] = arguments.as_slice() else {
        bail!("usage: live <program> <bare_hub> <broker> [part...]");
    };
    let is_meant = |part: &str| parts.is_empty() || parts.iter().any(|meant| meant == part);
    let mut system = System::laid_out(program)?;
    broker.clone_into(&mut system.addresses.broker);
    start(&mut system).await?;
    if is_meant("latency") {
        bare::produce_to_fetch(broker).await?;
        latency(&system, 1, 400).await?;
        latency(&system, 2_000, 2_000).await?;
    }
    if is_meant("fan-out") {
        for _ in 0..3 {
            fan_out(&mut system).await?;
            bare::fan_out(bare_hub).await?;
        }
    }
    if is_meant("slow") {
        slow(&mut system).await?;
    }
    if is_meant("connects") {
        connects::storm(&mut system).await?;
    }
    if is_meant("memory") {
        memory::of_consumer(&mut system).await?;
        memory::of_bare_hub(bare_hub).await?;
    }
    if is_meant("stop") {
        stop::stop_and_restart(&mut system).await?;
    }
    Ok(())
}

const CONSUMER_FLAGS: [&str; 4] = ["--max-streams", "12000", "--max-streams-per-user", "2000"];

async fn start(system: &mut System) -> Result<()> {
    system.start_with(Part::Producer, &["--users", "open"])?;
    system.ready(Part::Producer).await?;
    system.start_with(Part::Consumer, &CONSUMER_FLAGS)?;
    system.ready(Part::Consumer).await
}

/// From the call that publishes until the event is there: each user has a stream.
async fn latency(system: &System, users: usize, a_second: usize) -> Result<()> {
    let streams = Streams::open(&system.addresses.consumer, users, user_of).await?;
    let publisher = Publisher::new(&system.addresses.producer, user_of);
    let rate = Rate { a_second, count: a_second * SECONDS, users };
    let published = publisher.publish(rate).await?;
    let times = streams.times_of(&published, 1).await?;
    println!("{users} streams, {a_second} messages a second, publish to event: {times}");
    println!("  publish to answer: {}", published.answers());
    Ok(())
}

fn user_of(number: usize) -> String {
    format!("live-{number}")
}

/// Streams of one user, and what the consumer's processor time is for each event of each of them.
async fn fan_out(system: &mut System) -> Result<()> {
    let consumer = system.process(Part::Consumer)?.id();
    let streams = Streams::open(&system.addresses.consumer, bare::FAN, |_| user_of(0)).await?;
    let before = e2e::processor_time(consumer)?;
    let publisher = Publisher::new(&system.addresses.producer, user_of);
    let published = publisher.publish(bare::FAN_RATE).await?;
    let times = streams.times_of(&published, bare::FAN).await?;
    let spent = e2e::processor_time(consumer)? - before;
    println!(
        "consumer: {} streams of one user, 20 messages a second: {:.1} us of processor time an event; {times}",
        bare::FAN,
        spent.as_secs_f64() * 1e6 / times.len() as f64
    );
    Ok(())
}

/// One of 1,000 subscribers never reads.
async fn slow(system: &mut System) -> Result<()> {
    let consumer = system.process(Part::Consumer)?.id();
    for is_slow_there in [false, true, false, true] {
        let stuck = if is_slow_there {
            Some(streams::never_read(&system.addresses.consumer, &user_of(0)).await?)
        } else {
            None
        };
        let streams = Streams::open(&system.addresses.consumer, 999, |_| user_of(0)).await?;
        let before = e2e::memory(consumer)?.resident_kib;
        let publisher =
            Publisher::new(&system.addresses.producer, user_of).with_text("x".repeat(20_000));
        let rate = Rate { a_second: 20, count: 20 * 3 * SECONDS, users: 1 };
        let published = publisher.publish(rate).await?;
        let times = streams.times_of(&published, 999).await?;
        let after = e2e::memory(consumer)?.resident_kib;
        let name = if is_slow_there { "one more that never reads" } else { "nobody else" };
        println!("999 streams, {name}: {times}; memory {before} KB before, {after} KB after");
        if let Some(stuck) = stuck {
            stuck.comes_back_whole(&published).await?;
        }
    }
    Ok(())
}

/// What was published, by its number.
pub(crate) fn message(number: usize) -> String {
    format!("m{number};")
}
