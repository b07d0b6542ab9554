//! How fast a consumer without a store catches up.
//!
//! `cargo run --release -p e2e --example catch_up -- <program> <broker> [records] [users]`
//!
//! Fills the notifications topic up to so many records (default 2,000,000 for 10,000 users) where it
//! holds fewer, then runs `<program> consumer` on an empty store until it has caught up, and prints
//! records a second and what the process took. The broker must be one for trying things out.
#![allow(clippy::print_stdout)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use e2e::{Http, eventually, free_port, memory, processor_time};
use futures_util::future::try_join_all;
use kafka::{
    ClusterConfig, Lane, Reader, Topics, TopicsConfig, Writer, WriterConfig, WriterMetrics,
};
use models::{Notification, NotificationId, Partition, Record, Sent, Timestamp, User, seed_users};
use serde_json::Value;

/// Makes entries of 236 bytes, as `crates/inbox/examples/ingest.rs` does.
const MESSAGE_BYTES: usize = 120;
const FILL_BATCH: u64 = 20_000;
const LONG: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, broker, numbers @ ..] = arguments.as_slice() else {
        bail!("usage: catch_up <program> <broker> [records] [users]");
    };
    let number =
        |index: usize, default| numbers.get(index).map_or(Ok(default), |text| text.parse::<u64>());
    let (records, users) = (number(0, 2_000_000)?, number(1, 10_000)?.max(1));
    let cluster = ClusterConfig::new(vec![broker.clone()], "catch-up");
    let topics = topics(&cluster).await?;
    let there = count(&cluster, &topics).await?;
    fill(&cluster, &topics, users, there..records).await?;
    let records = count(&cluster, &topics).await?;
    catch_up(program, broker, records).await
}

async fn topics(cluster: &ClusterConfig) -> Result<Topics> {
    let config = TopicsConfig {
        topic: "notifications".into(),
        partitions_at_creation: 6,
        partitioner: None,
    };
    Ok(kafka::ensure(cluster, &config, &seed_users(), now()?).await?)
}

async fn count(cluster: &ClusterConfig, topics: &Topics) -> Result<u64> {
    let mut records = 0;
    for partition in (0..topics.partitions).map(Partition) {
        let (start, end) = Reader::new(cluster.clone(), topics.log(), partition).bounds().await?;
        records += u64::try_from(end.0 - start.0)?;
    }
    Ok(records)
}

async fn fill(
    cluster: &ClusterConfig,
    topics: &Topics,
    users: u64,
    numbers: std::ops::Range<u64>,
) -> Result<()> {
    let mut writers = Vec::new();
    for partition in (0..topics.partitions).map(Partition) {
        let (config, metrics) = (WriterConfig::default(), WriterMetrics::default());
        let (writer, task) =
            Writer::new(cluster.clone(), topics.log(), partition, &config, metrics);
        tokio::spawn(task);
        writers.push(writer);
    }
    let mut next = numbers.start;
    while next < numbers.end {
        let end = (next + FILL_BATCH).min(numbers.end);
        let mut sends = Vec::new();
        for number in next..end {
            let (home, record) = record(topics, number, users)?;
            let writer = writers.get(usize::try_from(home.0)?).context("a partition")?;
            sends.push(writer.produce(record, Lane::Single, (Instant::now() + LONG).into()));
        }
        try_join_all(sends).await?;
        next = end;
    }
    Ok(())
}

fn record(topics: &Topics, number: u64, users: u64) -> Result<(Partition, Record)> {
    let user = |n: u64| Ok::<_, anyhow::Error>(format!("{}", n + 1).parse()?);
    let to = User {
        id: user(number.wrapping_mul(6_364_136_223_846_793_005) % users)?,
        name: "Emma".into(),
    };
    let from = User { id: user(number % 97)?, name: "Bruno".into() };
    let home = topics.home(&to.id);
    let notification = Notification::plain(from, to, "x".repeat(MESSAGE_BYTES));
    let sent =
        Sent { id: NotificationId::new(), created_at: now()?, notification, fingerprint: None };
    Ok((home, Record::of_sent(&sent)?))
}

fn now() -> Result<Timestamp> {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(Timestamp::from_ms_clamped(i64::try_from(since_1970.as_millis())?))
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; there is nobody left to tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn catch_up(program: &str, broker: &str, records: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut command = Command::new(program);
    command.args(["consumer", "--brokers", broker, "--consumer-addr", &address, "--store-dir"]);
    command.arg(folder.path().join("store")).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let process = Running(command.spawn().with_context(|| program.to_owned())?);
    let http = Http::new()?;
    eventually(LONG, async || lag_is_gone(&http, &address).await).await?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{records} records in {seconds:.1} s: {:.0}/s", records as f64 / seconds);
    print_costs(process.0.id(), records)
}

async fn lag_is_gone(http: &Http, address: &str) -> Result<()> {
    let answer = http.get(&format!("http://{address}/v1/partitions")).await?;
    let body: Value = serde_json::from_str(&answer.body)?;
    let partitions = body.get("partitions").and_then(Value::as_array);
    for partition in partitions.context("no partitions yet")? {
        ensure!(partition.get("state").is_some_and(|state| state == "live"), "{partition}");
    }
    Ok(())
}

/// Processor time and memory, where the system tells (Linux).
fn print_costs(pid: u32, records: u64) -> Result<()> {
    let spent = processor_time(pid)?.as_secs_f64() * 1e6;
    println!("{:.1} us of processor time a record", spent / records as f64);
    println!("{} kB at most", memory(pid)?.peak_kib);
    Ok(())
}
