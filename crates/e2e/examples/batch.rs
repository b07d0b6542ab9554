//! What one connection publishes in a batch, beside Kafka's own ProducerPerformance, in turns; and how
//! long single sends and commands take meanwhile.
//!
//! `batch <program> <broker> <folder with Kafka's jars> [lines] [rounds]`: 1,000,000 lines and 3
//! rounds by default.
//!
//! First the producer alone; then with a consumer that folds, as fast as it goes, beside
//! ProducerPerformance alone and with Kafka's ConsumerPerformance reading along, which keeps nothing;
//! then at fixed rates.
//! Starts a producer and a consumer from `program`, with folders of their own that are removed
//! afterwards, on a broker for trying things out.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Answer, Http, Memory, Part, System, eventually, memory, run};
use memchr::memmem;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Recipients, over all partitions.
const USERS: u64 = 1_000;
/// Of a message, and of ProducerPerformance's records.
const MESSAGE_BYTES: usize = 200;
/// A record of ours has in addition JSON around it and the headers of a CloudEvent: it takes 545 bytes
/// of the log, and so does one of ProducerPerformance with a value of so many.
const EQUAL_BYTES: usize = 535;
const LONG: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [program, broker, jars, numbers @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: batch <program> <broker> <folder with jars> [lines] [rounds]");
    };
    let number =
        |index: usize, default| numbers.get(index).map_or(Ok(default), |text| text.parse::<u64>());
    let (lines, rounds) = (number(0, 1_000_000)?, number(1, 3)?);
    let kafka = Kafka { broker: broker.clone(), jars: jars.clone() };
    let mut system = System::laid_out(program)?;
    broker.clone_into(&mut system.addresses.broker);
    system.start_with(Part::Producer, &["--users", "open"])?;
    system.ready(Part::Producer).await?;
    kafka.create_topic().await?;

    println!("without a consumer:");
    for _ in 0..rounds {
        let reference = kafka.both_sizes(lines).await?;
        let rate = publish(&system, lines, None).await?;
        println!("{}", reference.beside(rate));
        print_memory(&mut system, &[Part::Producer])?;
    }
    system.start(Part::Consumer)?;
    system.ready(Part::Consumer).await?;
    caught_up(&system).await?;
    let others = Others::new(&system)?;
    println!("with a consumer, nothing else: {}", others.times_for(Duration::from_secs(3)).await?);
    for _ in 0..rounds {
        let reference = kafka.both_sizes(lines).await?;
        let read_along = kafka.read_along(lines).await?;
        let (rate, meanwhile) = publish_beside(&system, lines, None, &others).await?;
        println!("{}; meanwhile {meanwhile}", reference.beside(rate));
        println!(
            "ProducerPerformance of {EQUAL_BYTES} bytes while ConsumerPerformance reads along \
             {read_along:.0}/s: {:.2} of itself alone, batch {:.2} of that",
            read_along / reference.equal,
            rate / read_along
        );
        print_memory(&mut system, &[Part::Producer, Part::Consumer])?;
        caught_up(&system).await?;
    }
    for pace in PACES {
        let (rate, meanwhile) =
            publish_beside(&system, pace * PACED_SECONDS, Some(pace), &others).await?;
        println!("batch at {pace}/s: {rate:.0}/s; meanwhile {meanwhile}");
        caught_up(&system).await?;
    }
    Ok(())
}

/// Lines a second, where the client holds itself back.
const PACES: [u64; 3] = [80_000, 60_000, 40_000];
const PACED_SECONDS: u64 = 8;

/// How long Kafka's consumer may take to be there.
const JVM_START: Duration = Duration::from_secs(5);

/// Where ProducerPerformance runs.
struct Kafka {
    broker: String,
    jars: String,
}

/// What ProducerPerformance sends a second.
struct Reference {
    /// Records of [`MESSAGE_BYTES`].
    small: f64,
    /// Records that take as much of the log as ours do.
    equal: f64,
}

impl Reference {
    fn beside(&self, rate: f64) -> String {
        let Self { small, equal } = self;
        format!(
            "batch {rate:.0}/s, ProducerPerformance {small:.0}/s of {MESSAGE_BYTES} bytes: {:.2}, \
             {equal:.0}/s of {EQUAL_BYTES}: {:.2}",
            rate / small,
            rate / equal
        )
    }
}

const TOPIC: &str = "producer-performance";

impl Kafka {
    async fn create_topic(&self) -> Result<()> {
        let arguments =
            ["--bootstrap-server", &self.broker, "--create", "--if-not-exists", "--topic"];
        let mut command = self.java("org.apache.kafka.tools.TopicCommand");
        command.args(arguments).args([TOPIC, "--partitions", "6", "--replication-factor", "1"]);
        run(command, "", LONG).await?.success()?;
        Ok(())
    }

    async fn both_sizes(&self, records: u64) -> Result<Reference> {
        let small = self.producer_performance(records, MESSAGE_BYTES).await?;
        let equal = self.producer_performance(records, EQUAL_BYTES).await?;
        Ok(Reference { small, equal })
    }

    /// What ProducerPerformance sends a second of the equal size while ConsumerPerformance reads what
    /// comes.
    async fn read_along(&self, records: u64) -> Result<f64> {
        let mut command = self.java("org.apache.kafka.tools.ConsumerPerformance");
        command.args(["--bootstrap-server", &self.broker, "--topic", TOPIC, "--from-latest"]);
        command.args(["--num-records", &records.to_string(), "--timeout", "20000"]);
        let reading = async { run(command, "", LONG).await?.success() };
        let sending = async {
            // It has to be there before the first record.
            tokio::time::sleep(JVM_START).await;
            self.producer_performance(records, EQUAL_BYTES).await
        };
        let (read, sent) = tokio::join!(reading, sending);
        read?;
        sent
    }

    /// Records a second, as it says itself.
    async fn producer_performance(&self, records: u64, size: usize) -> Result<f64> {
        let mut command = self.java("org.apache.kafka.tools.ProducerPerformance");
        let (records, size) = (records.to_string(), size.to_string());
        command.args(["--topic", TOPIC, "--num-records", &records, "--record-size", &size]);
        command.args(["--throughput", "-1", "--bootstrap-server", &self.broker]);
        command.args(["--command-property", "acks=all"]);
        let output = run(command, "", LONG).await?.success()?.stdout;
        let last = output.lines().last().unwrap_or_default();
        let rate = last.split(", ").nth(1).and_then(|part| part.split(' ').next());
        rate.with_context(|| output.clone())?.parse().with_context(|| output.clone())
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.arg("-cp").arg(Path::new(&self.jars).join("*")).arg(class);
        command
    }
}

/// Publishes so many lines over one connection while others send and read.
async fn publish_beside(
    system: &System,
    lines: u64,
    pace: Option<u64>,
    others: &Others,
) -> Result<(f64, Times)> {
    let is_over = AtomicBool::new(false);
    let publishing = async {
        let rate = publish(system, lines, pace).await;
        is_over.store(true, Ordering::SeqCst);
        rate
    };
    let (rate, times) = tokio::join!(publishing, others.times_until(&is_over));
    Ok((rate?, times?))
}

/// Publishes so many lines over one connection, at most `pace` a second; how many it were a second.
async fn publish(system: &System, lines: u64, pace: Option<u64>) -> Result<f64> {
    let began = Instant::now();
    let stream = TcpStream::connect(&system.addresses.producer).await?;
    stream.set_nodelay(true)?;
    let (mut from, mut to) = stream.into_split();
    let writing = tokio::spawn(async move {
        let head = "POST /v1/notifications/batch HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
        to.write_all(head.as_bytes()).await?;
        let message = "x".repeat(MESSAGE_BYTES);
        let block: String = (0..USERS)
            .map(|user| format!("{{\"to\":\"user-{user}\",\"message\":\"{message}\"}}\n"))
            .collect();
        let chunk = format!("{:x}\r\n{block}\r\n", block.len());
        let began = tokio::time::Instant::now();
        for sent in 0..lines / USERS {
            if let Some(pace) = pace {
                let due = Duration::from_secs_f64((sent * USERS) as f64 / pace as f64);
                tokio::time::sleep_until(began + due).await;
            }
            to.write_all(chunk.as_bytes()).await?;
        }
        to.write_all(b"0\r\n\r\n").await?;
        Ok::<_, anyhow::Error>(to)
    });
    let (mut good, mut seen) = (0, Vec::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut buffer).await?;
        ensure!(read > 0, "the connection ended after {good} results");
        seen.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let kept = seen.len().saturating_sub(MARK.len() - 1);
        good += count(&seen);
        ensure!(memmem::find(&seen, b"\"code\"").is_none(), "{}", String::from_utf8_lossy(&seen));
        let is_end = seen.ends_with(b"0\r\n\r\n");
        seen.drain(..kept);
        if is_end {
            break;
        }
    }
    let _open = writing.await??;
    ensure!(good == lines, "{good} results of {lines}");
    Ok(lines as f64 / began.elapsed().as_secs_f64())
}

const MARK: &[u8] = b"\"status\":201";

fn count(bytes: &[u8]) -> u64 {
    memmem::find_iter(bytes, MARK).count() as u64
}

/// Who sends and changes single notifications.
struct Others {
    http: Http,
    producer: String,
    consumer: String,
}

/// How long that took.
struct Times {
    sends: Vec<Duration>,
    patches: Vec<Duration>,
}

/// Between two requests of a kind.
const PERIOD: Duration = Duration::from_millis(20);

impl Others {
    fn new(system: &System) -> Result<Self> {
        let http = Http::new()?;
        let (producer, consumer) =
            (system.addresses.producer.clone(), system.addresses.consumer.clone());
        Ok(Self { http, producer, consumer })
    }

    async fn times_for(&self, time: Duration) -> Result<Times> {
        let is_over = AtomicBool::new(false);
        let waiting = async {
            tokio::time::sleep(time).await;
            is_over.store(true, Ordering::SeqCst);
        };
        tokio::join!(self.times_until(&is_over), waiting).0
    }

    async fn times_until(&self, is_over: &AtomicBool) -> Result<Times> {
        let mut times = Times { sends: Vec::new(), patches: Vec::new() };
        let mut ticks = tokio::time::interval(PERIOD);
        while !is_over.load(Ordering::SeqCst) {
            ticks.tick().await;
            let user = format!("other-{}", times.sends.len() % 100);
            let began = Instant::now();
            let body = json!({"to": user, "message": "hello"}).to_string();
            let url = format!("http://{}/v1/notifications", self.producer);
            let sent = json_of(self.http.json(Method::POST, &url, body, None).await?, 201)?;
            times.sends.push(began.elapsed());
            let id = sent.pointer("/notifications/0/id").and_then(Value::as_str);
            let id = id.context("an id")?;
            let url = format!("http://{}/v1/users/{user}/notifications/{id}", self.consumer);
            let began = Instant::now();
            let body = json!({"read": true}).to_string();
            json_of(self.http.json(Method::PATCH, &url, body, None).await?, 200)?;
            times.patches.push(began.elapsed());
        }
        Ok(times)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, times) in [("sends", &self.sends), (" PATCH", &self.patches)] {
            let mut times = times.clone();
            times.sort_unstable();
            let at = |percent: usize| {
                let time = times.get((times.len() * percent / 100).min(times.len().max(1) - 1));
                time.copied().unwrap_or_default().as_secs_f64() * 1e3
            };
            write!(f, "{name} p50 {:.1} p99 {:.1} ms ({})", at(50), at(99), times.len())?;
        }
        Ok(())
    }
}

fn json_of(answer: Answer, status: u16) -> Result<Value> {
    ensure!(answer.status == status, "{answer:?}");
    Ok(serde_json::from_str(&answer.body)?)
}

async fn caught_up(system: &System) -> Result<()> {
    eventually(LONG, async || {
        let answer = system.get(Part::Consumer, "/v1/partitions").await?;
        let body: Value = serde_json::from_str(&answer.body)?;
        for partition in body.get("partitions").and_then(Value::as_array).context("partitions")? {
            ensure!(partition.get("lag") == Some(&json!(0)), "{partition}");
        }
        Ok(())
    })
    .await
}

fn print_memory(system: &mut System, parts: &[Part]) -> Result<()> {
    for part in parts.iter().copied() {
        let Memory { resident_kib, peak_kib } = memory(system.process(part)?.id())?;
        println!("{part:?}: {resident_kib} kB resident, {peak_kib} kB at most");
    }
    Ok(())
}
