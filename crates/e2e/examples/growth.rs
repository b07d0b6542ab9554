//! What a long inbox and a large directory cost, beside a short inbox in the same run.
//!
//! `growth <program> [notifications] [users]`: 5,000,000 and 1,000,000 by default.
//!
//! Starts the embedded broker and both services from `program`, with folders of their own that are
//! removed afterwards. Fills one inbox with 1,000 notifications and one with many, and asks for both
//! in turn.
#![allow(clippy::print_stdout)]

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Http, Memory, Part, System, eventually, memory};
use futures_util::future::try_join_all;
use kafka::{ClusterConfig, Lane, Topics, TopicsConfig, Writer, WriterConfig, WriterMetrics};
use models::{
    DirectoryChange, Notification, NotificationId, Offset, Partition, Place, Position, Record,
    Sent, Timestamp, User, UserId, seed_users,
};
use reqwest::Method;
use serde_json::{Value, json};

const SHORT: u64 = 1_000;
/// Two users that share no partition with each other.
const USERS: [&str; 2] = ["short", "long"];
const FILL_BATCH: u64 = 20_000;
const LONG: Duration = Duration::from_secs(600);
/// Requests of a kind, for each inbox.
const REQUESTS: usize = 1_000;
/// Makes an entry of 236 bytes.
const MESSAGE_BYTES: usize = 120;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [program, numbers @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: growth <program> [notifications] [users]");
    };
    let number =
        |index: usize, default| numbers.get(index).map_or(Ok(default), |text| text.parse::<u64>());
    let (notifications, users) = (number(0, 5_000_000)?, number(1, 1_000_000)?);
    let mut system = System::parts(program).await?;
    let cluster = ClusterConfig::new(vec![system.addresses.broker.clone()], "growth");
    let topics = topics(&cluster).await?;
    grow_inboxes(&mut system, &cluster, &topics, notifications).await?;
    print_memory(&mut system, Part::Consumer, "consumer, after that")?;
    print_disk(&system)?;
    restart_consumer(&mut system).await?;
    grow_directory(&mut system, &cluster, &topics, users).await
}

async fn grow_inboxes(
    system: &mut System,
    cluster: &ClusterConfig,
    topics: &Topics,
    notifications: u64,
) -> Result<()> {
    let began = Instant::now();
    let mut oldest = Vec::new();
    for (user, count) in USERS.into_iter().zip([SHORT, notifications]) {
        let home = topics.home(&user.parse()?);
        let offset = fill(cluster, topics.log(), home, count, |n| notification(user, n)).await?;
        let place = Place { topic_id: topics.topic_id, partition: home, offset };
        oldest.push(Position::after(place).to_string());
    }
    println!("{notifications} notifications written in {:.0} s", began.elapsed().as_secs_f64());
    println!("all of them applied {:.0} s later", caught_up(system).await?.as_secs_f64());
    print_memory(system, Part::Consumer, "consumer, caught up")?;
    measure(system, "all unread").await?;

    for user in USERS {
        act(system, user, &json!({"action": "read"})).await?;
        let home = topics.home(&user.parse()?);
        fill(cluster, topics.log(), home, 10, |n| notification(user, n)).await?;
    }
    caught_up(system).await?;
    measure(system, "all read but the newest 10").await?;

    for (user, before) in USERS.into_iter().zip(oldest) {
        act(system, user, &json!({"action": "read"})).await?;
        act(system, user, &json!({"action": "unread", "before": before})).await?;
    }
    measure(system, "all read but the oldest 10").await
}

async fn restart_consumer(system: &mut System) -> Result<()> {
    system.stop(Part::Consumer, Duration::from_secs(30)).await?;
    let began = Instant::now();
    system.start(Part::Consumer)?;
    let url = format!("http://{}/v1/users/long/counts", system.addresses.consumer);
    is_answered(&url).await?;
    println!("warm restart: the first answer after {:.2} s", began.elapsed().as_secs_f64());
    print_memory(system, Part::Consumer, "consumer, restarted")
}

async fn grow_directory(
    system: &mut System,
    cluster: &ClusterConfig,
    topics: &Topics,
    users: u64,
) -> Result<()> {
    fill(cluster, topics.users.clone().into(), Partition(0), users, user).await?;
    let url =
        format!("http://{}/v1/users/user-{}", system.addresses.producer, users.saturating_sub(1));
    is_answered(&url).await?;
    print_memory(system, Part::Producer, &format!("producer, {users} users"))?;
    system.stop(Part::Producer, Duration::from_secs(30)).await?;
    system.restart(Part::Producer).await?;
    is_answered(&url).await?;
    print_memory(system, Part::Producer, "producer, restarted")
}

async fn is_answered(url: &str) -> Result<()> {
    let http = Http::new()?;
    eventually(LONG, async || {
        let answer = http.get(url).await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await
}

async fn topics(cluster: &ClusterConfig) -> Result<Topics> {
    let topic = "notifications".to_owned();
    let config = TopicsConfig { topic, partitions_at_creation: 6, partitioner: None };
    Ok(kafka::ensure(cluster, &config, &seed_users(), now()?).await?)
}

/// Appends so many records; the offset of the tenth, or of the last.
async fn fill(
    cluster: &ClusterConfig,
    topic: kafka::Topic,
    partition: Partition,
    count: u64,
    record: impl Fn(u64) -> Result<Record>,
) -> Result<Offset> {
    let (config, metrics) = (WriterConfig::default(), WriterMetrics::default());
    let (writer, task) = Writer::new(cluster.clone(), topic, partition, &config, metrics);
    let writing = tokio::spawn(task);
    let (mut next, mut tenth) = (0, Offset(0));
    while next < count {
        let end = (next + FILL_BATCH).min(count);
        let mut sends = Vec::new();
        for number in next..end {
            let deadline = (Instant::now() + LONG).into();
            sends.push(writer.produce(record(number)?, Lane::Single, deadline));
        }
        let offsets = try_join_all(sends).await?;
        if next == 0 {
            tenth = offsets.get(9).or(offsets.last()).copied().unwrap_or(tenth);
        }
        next = end;
    }
    writer.close();
    writing.await?;
    Ok(tenth)
}

fn notification(user: &str, number: u64) -> Result<Record> {
    let to = User { id: user.parse()?, name: "Emma".into() };
    let from: UserId = (number % 97 + 1).to_string().parse()?;
    let from = User { id: from, name: "Bruno".into() };
    let notification = Notification::plain(from, to, "x".repeat(MESSAGE_BYTES));
    let (id, created_at) = (NotificationId::new(), now()?);
    Ok(Record::of_sent(&Sent { id, created_at, notification, fingerprint: None })?)
}

fn user(number: u64) -> Result<Record> {
    let user = User { id: format!("user-{number}").parse()?, name: format!("Somebody {number}") };
    Ok(DirectoryChange::Present(user).to_record(now()?)?)
}

fn now() -> Result<Timestamp> {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(Timestamp::from_ms_clamped(i64::try_from(since_1970.as_millis())?))
}

/// Waits until the consumer has applied all there is.
async fn caught_up(system: &System) -> Result<Duration> {
    let began = Instant::now();
    eventually(LONG, async || {
        let answer = system.get(Part::Consumer, "/v1/partitions").await?;
        let body: Value = serde_json::from_str(&answer.body)?;
        let partitions = body.get("partitions").and_then(Value::as_array).context("partitions")?;
        for partition in partitions {
            let is_done = partition.get("lag") == Some(&json!(0))
                && partition.get("state") == Some(&json!("live"));
            ensure!(is_done, "{partition}");
        }
        Ok(())
    })
    .await?;
    Ok(began.elapsed())
}

async fn act(system: &System, user: &str, action: &Value) -> Result<()> {
    let address = &system.addresses.consumer;
    let url = format!("http://{address}/v1/users/{user}/notifications/actions");
    let began = Instant::now();
    let answer = Http::new()?.json(Method::POST, &url, action.to_string(), None).await?;
    ensure!(answer.status == 200, "{answer:?}");
    println!("{action} of {user:5}: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Medians of both inboxes, asked in turn.
async fn measure(system: &System, name: &str) -> Result<()> {
    let http = Http::new()?;
    for (what, path) in [
        ("newest page", "/notifications"),
        ("unread page", "/notifications?status=unread"),
        ("counts", "/counts"),
    ] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..REQUESTS {
            for (user, times) in USERS.into_iter().zip(&mut times) {
                let url = format!("http://{}/v1/users/{user}{path}", system.addresses.consumer);
                let began = Instant::now();
                let answer = http.get(&url).await?;
                times.push(began.elapsed());
                ensure!(answer.status == 200, "{answer:?}");
            }
        }
        let [short, long] = times.map(|mut times| {
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e6
        });
        println!("{name}: {what}: p50 {short:.0} us and {long:.0} us: {:.2}", long / short);
    }
    Ok(())
}

fn print_memory(system: &mut System, part: Part, name: &str) -> Result<()> {
    let Memory { resident_kib, peak_kib } = memory(system.process(part)?.id())?;
    println!("{name}: {resident_kib} kB resident, {peak_kib} kB at most");
    Ok(())
}

fn print_disk(system: &System) -> Result<()> {
    let (log, store) = (bytes_in(&system.data_dir)?, bytes_in(&system.store_dir)?);
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "log {} MiB, store {} MiB: {:.2} times",
        mib(log),
        mib(store),
        store as f64 / log as f64
    );
    Ok(())
}

fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        // What is on the disk: journals are made longer than what they hold.
        let on_disk = metadata.blocks() * 512;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { on_disk };
    }
    Ok(bytes)
}
