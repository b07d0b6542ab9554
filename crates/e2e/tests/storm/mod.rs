//! Many senders, and faults while they send. What was answered 200 must be shown, once and in order,
//! and nothing else.

pub(crate) mod kills;
mod log;
mod sender;
pub(crate) mod spoil;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Part, System, eventually};
use kafka::{ClusterConfig, Lane, Writer, WriterConfig, WriterMetrics};
use models::{DirectoryChange, Partition, Timestamp, User};
use serde_json::Value;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

use log::Log;
use sender::{Sender, Tickets};

const SENDS: usize = 20_000;
const SENDERS: usize = 40;

/// Each sender has a recipient of its own, so that every inbox is shown whole.
const FIRST_USER: usize = 101;

/// How long services may take to have caught up, on a busy machine.
const CATCHING_UP: Duration = Duration::from_secs(60);

/// Sends between two strikes.
const CALM: std::ops::Range<usize> = 300..1_500;

/// What breaks things.
pub(crate) trait Faults {
    /// Breaks something, and sees to it that it works again; what it was.
    async fn strike(&mut self, system: &mut System, sends: &Sends) -> Result<&'static str>;
}

/// How many sends were begun.
#[derive(Clone)]
pub(crate) struct Sends(Arc<AtomicUsize>);

impl Sends {
    /// Waits for so many more, or the last.
    pub(crate) async fn more(&self, count: usize) -> Result<()> {
        let goal = (self.0.load(Ordering::SeqCst) + count).min(SENDS);
        let reached = async || {
            let begun = self.0.load(Ordering::SeqCst);
            ensure!(begun >= goal, "{begun} sends of {goal}");
            Ok(())
        };
        eventually(Duration::from_secs(120), reached).await
    }

    /// Whether the last was begun.
    pub(crate) fn are_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= SENDS
    }
}

/// Sends while `faults` strike, and then holds what is shown against what was answered.
pub(crate) async fn rage(name: &str, system: &mut System, faults: &mut impl Faults) -> Result<()> {
    LocalSet::new().run_until(rage_here(name, system, faults)).await
}

async fn rage_here(name: &str, system: &mut System, faults: &mut impl Faults) -> Result<()> {
    let began = Instant::now();
    add_users(system).await?;
    let sends = Sends(Arc::default());
    let tickets = Tickets::new(SENDS, sends.0.clone());
    let sending: Vec<_> = (0..SENDERS)
        .map(|number| Sender::new(FIRST_USER + number))
        .map(|sender| spawn_local(sender.send_all(system.client(), tickets.clone())))
        .collect();
    let (mut strikes, mut retries) = (BTreeMap::<_, u32>::new(), Retries::default());
    while !sends.are_over() {
        sends.more(random(CALM)).await?;
        retries.look(system).await;
        let struck = faults.strike(system, &sends).await?;
        *strikes.entry(struck).or_default() += 1;
    }
    let mut senders = Vec::new();
    for sending in sending {
        senders.push(sending.await??);
    }
    retries.look(system).await;
    let inboxes = caught_up(system, &senders).await?;
    let log = Log::read(system, &senders).await?;
    for sender in &senders {
        let shown = &inboxes[&sender.user];
        sender.check(shown);
        assert_eq!(shown, &log.messages[&sender.user], "an inbox is the fold of the log");
        for (number, id, position) in sender.accepted() {
            assert!(
                log.has(id, position),
                "user {}: number {number} is not at its position",
                sender.user
            );
        }
    }
    report(name, &senders, &strikes, retries, &log, began.elapsed());
    Ok(())
}

/// Users of the tests' own, written as any Kafka client can.
async fn add_users(system: &System) -> Result<()> {
    let cluster = ClusterConfig::new(vec![system.addresses.broker.clone()], "test");
    let (config, metrics) = (WriterConfig::default(), WriterMetrics::default());
    let topic = "notifications.users";
    let (writer, task) = Writer::new(cluster, topic, Partition(0), &config, metrics);
    let task = tokio::spawn(task);
    for id in FIRST_USER..FIRST_USER + SENDERS {
        let user = User { id: id.to_string().parse()?, name: format!("user {id}") };
        let record = DirectoryChange::Present(user).to_record(Timestamp::from_ms_clamped(0))?;
        writer.produce(record, Lane::Single, Instant::now() + CATCHING_UP).await?;
    }
    writer.close();
    task.await?;
    let last = u32::try_from(FIRST_USER + SENDERS - 1)?;
    eventually(CATCHING_UP, async || {
        let answer = system.send(last, 4, "are you there?").await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await
}

/// What each sender's inbox shows, once it shows the last that was accepted.
async fn caught_up(system: &System, senders: &[Sender]) -> Result<BTreeMap<usize, Vec<String>>> {
    let mut inboxes = BTreeMap::new();
    for sender in senders {
        let last = sender.accepted().last().map(|(number, ..)| sender.message(number));
        let shown = eventually(CATCHING_UP, async || {
            let shown = inbox(system, sender.user).await?;
            ensure!(last.as_ref().is_none_or(|last| shown.contains(last)), "{last:?} is missing");
            Ok(shown)
        });
        inboxes.insert(sender.user, shown.await.with_context(|| sender.user.to_string())?);
    }
    Ok(inboxes)
}

async fn inbox(system: &System, user: usize) -> Result<Vec<String>> {
    let answer = system.inbox(u32::try_from(user)?).await?;
    ensure!(answer.status == 200, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body)?;
    let notifications = body["notifications"].as_array().context("notifications")?;
    Ok(notifications.iter().map(|it| it["message"].as_str().unwrap().to_owned()).collect())
}

/// The producer's count of retries; what it had counted since the last look is lost with it.
#[derive(Default)]
struct Retries {
    before: u64,
    now: u64,
}

impl Retries {
    async fn look(&mut self, system: &System) {
        let found = metric(system, "notify_produce_retries_total").await.unwrap_or(self.now);
        if found < self.now {
            self.before += self.now;
        }
        self.now = found;
    }
}

/// A number among the producer's metrics.
pub(crate) async fn metric(system: &System, name: &str) -> Result<u64> {
    let answer = system.get(Part::Producer, "/metrics").await?;
    let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.context("no such metric")?.parse()?)
}

pub(crate) fn random(range: std::ops::Range<usize>) -> usize {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    range.start + usize::try_from(high % range.len() as u64).unwrap()
}

fn report(
    name: &str,
    senders: &[Sender],
    strikes: &BTreeMap<&str, u32>,
    retries: Retries,
    log: &Log,
    took: Duration,
) {
    let accepted: usize = senders.iter().map(|sender| sender.accepted().count()).sum();
    let shown: usize = log.messages.values().map(Vec::len).sum();
    println!(
        "{name}: {SENDS} sends in {} s, {strikes:?}; {accepted} answered 200, {shown} shown (of \
         which {} unanswered), 0 lost, 0 shown twice; {} retries seen, {} copies in the log",
        took.as_secs(),
        shown - accepted,
        retries.before + retries.now,
        log.copies,
    );
}
