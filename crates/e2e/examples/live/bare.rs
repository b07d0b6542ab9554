//! What others take: rskafka from a produce to its fetch, and actix-web alone.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use e2e::{Process, eventually, free_port, processor_time};
use kafka::{ClusterConfig, Lane, Reader, TopicsConfig, Wait, Writer, WriterConfig, WriterMetrics};
use models::{Headers, Partition, Record, Timestamp};
use tokio::net::TcpStream;

use crate::publish::{Publisher, Rate};
use crate::streams::Streams;
use crate::times::Times;
use crate::{LONG, SECONDS, message};

/// Streams of one user.
pub(crate) const FAN: usize = 1_000;
pub(crate) const FAN_RATE: Rate = Rate { a_second: 20, count: 20 * SECONDS, users: 1 };

/// From a produce to its fetch, one after the other, in a topic of its own.
pub(crate) async fn produce_to_fetch(broker: &str) -> Result<()> {
    let cluster = ClusterConfig::new(vec![broker.to_owned()], "live");
    let config =
        TopicsConfig { topic: "live-bare".into(), partitions_at_creation: 1, partitioner: None };
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = Timestamp::from_ms_clamped(i64::try_from(since_1970)?);
    let topics = kafka::ensure(&cluster, &config, &models::seed_users(), now).await?;
    let (config, metrics) = (WriterConfig::default(), WriterMetrics::default());
    let (writer, task) = Writer::new(cluster.clone(), topics.log(), Partition(0), &config, metrics);
    tokio::spawn(task);
    let mut reader = Reader::new(cluster, topics.log(), Partition(0));
    reader.connect().await?;
    let (_, mut next_offset) = reader.bounds().await?;
    let record = Record {
        key: Some("1".into()),
        value: Some("x".repeat(200).into()),
        headers: Headers::default(),
        timestamp: now,
    };
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let deadline = tokio::time::Instant::now() + LONG;
        let fetching = async {
            let fetched = reader.fetch(next_offset, 1 << 20, Wait::ForRecords).await?;
            anyhow::Ok((fetched.next_offset, Instant::now()))
        };
        let producing = async {
            // The fetch is to wait at the broker.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let began = Instant::now();
            writer.produce(record.clone(), Lane::Single, deadline).await?;
            anyhow::Ok(began)
        };
        let (fetched, began) = tokio::join!(fetching, producing);
        let (next, at) = fetched?;
        next_offset = next;
        times.push(at - began?);
    }
    println!("bare rskafka, produce to fetch: {}", Times::of(times));
    Ok(())
}

/// An actix-web hub, running.
pub(crate) async fn start_hub(program: &str) -> Result<(Process, String)> {
    let port = free_port()?;
    let mut command = Command::new(program);
    command.arg(port.to_string());
    let process = Process::start("bare-hub", command, &std::env::temp_dir())?;
    let address = format!("127.0.0.1:{port}");
    eventually(LONG, async || TcpStream::connect(&address).await.context("not yet")).await?;
    Ok((process, address))
}

/// The same fan as the consumer's, with events of the same size.
pub(crate) async fn fan_out(program: &str) -> Result<()> {
    let (process, address) = start_hub(program).await?;
    let streams = Streams::open_at(&address, FAN, |_| "/stream".to_owned()).await?;
    let before = processor_time(process.id())?;
    let published = Publisher::bare(&address, event).publish(FAN_RATE).await?;
    let times = streams.times_of(&published, FAN).await?;
    let spent = processor_time(process.id())? - before;
    println!(
        "bare actix-web hub: {FAN} streams, 20 messages a second: {:.1} us of processor time an event; {times}",
        spent.as_secs_f64() * 1e6 / times.len() as f64
    );
    Ok(())
}

/// As long as what the consumer sends for a notification.
fn event(number: usize) -> String {
    format!(
        "id: {}\nevent: notification\ndata: {{\"message\":\"{}\",\"rest\":\"{}\"}}\n\n\
         event: counts\ndata: {{\"unread_count\":{number},\"unseen_count\":{number}}}\n\n",
        "x".repeat(44),
        message(number),
        "x".repeat(380)
    )
}
