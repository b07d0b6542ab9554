//! `kafka-notify up` is killed again and again while it is written to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Client, Part, System, eventually};
use kafka::{ClusterConfig, Reader, Wait};
use models::{Event, NotificationId, Offset, Partition, Place, Position, TopicId};
use serde_json::Value;
use tokio::sync::Notify;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const ROUNDS: usize = 20;
const SENDS: usize = 5_000;
const SENDERS: usize = 8;
const USERS: usize = 4;
const PARTITIONS: i32 = 6;

/// How many notifications `GET /notifications/{user}` shows at most.
const SHOWN: usize = 1_000;

/// Sends its own numbered messages to one user, one after the other.
struct Sender {
    name: usize,
    sends: Vec<Outcome>,
}

/// What became of a send.
enum Outcome {
    /// Answered 200: it is in the inbox, exactly once.
    Accepted { id: NotificationId, position: Position },
    /// No answer, or another one: it may be in the inbox, at most once.
    Unknown,
}

/// When the senders of a round let the process be killed, and when they end.
struct Round {
    begun: AtomicUsize,
    kill_at: usize,
    kill: Notify,
    is_killed: AtomicBool,
}

impl Sender {
    fn user(&self) -> usize {
        self.name % USERS + 1
    }

    async fn send_until_killed(mut self, client: Client, round: Arc<Round>) -> Self {
        let to = u32::try_from(self.user()).unwrap();
        while !round.is_killed.load(Ordering::SeqCst) {
            if round.begun.fetch_add(1, Ordering::SeqCst) + 1 == round.kill_at {
                round.kill.notify_one();
            }
            let message = message(self.name, self.sends.len());
            let outcome = match client.send(to % 4 + 1, to, &message).await {
                Ok(answer) if answer.status == 200 => Outcome::Accepted {
                    id: answer.header("Notification-Id").unwrap().parse().unwrap(),
                    position: answer.header("Position").unwrap().parse().unwrap(),
                },
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{answer:?}");
                    Outcome::Unknown
                }
                Err(_) => Outcome::Unknown,
            };
            self.sends.push(outcome);
        }
        self
    }

    fn accepted(&self) -> impl Iterator<Item = (usize, NotificationId, Position)> {
        self.sends.iter().enumerate().filter_map(|(number, outcome)| match outcome {
            Outcome::Accepted { id, position } => Some((number, *id, *position)),
            Outcome::Unknown => None,
        })
    }

    /// What an inbox shows of this sender, from one of its numbers on, is what it was told.
    fn check(&self, first: usize, messages: &[String]) {
        let of_sender = messages.iter().filter_map(|message| number(self.name, message));
        let found: Vec<_> = of_sender.filter(|number| *number >= first).collect();
        let name = self.name;
        assert!(
            found.is_sorted_by(|a, b| a < b),
            "sender {name}: twice or out of order: {found:?}"
        );
        assert!(found.last() < Some(&self.sends.len()), "sender {name}: never sent: {found:?}");
        let found: HashSet<_> = found.into_iter().collect();
        for (number, id, _) in self.accepted().filter(|(number, ..)| *number >= first) {
            assert!(
                found.contains(&number),
                "sender {name}: {number} ({id}) was accepted and lost"
            );
        }
    }
}

fn message(sender: usize, number: usize) -> String {
    format!("sender {sender} number {number}")
}

fn number(sender: usize, message: &str) -> Option<usize> {
    message.strip_prefix(&format!("sender {sender} number "))?.parse().ok()
}

/// From `from` to `to`, `to` not included.
fn random(from: usize, to: usize) -> usize {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    from + usize::try_from(high % (to - from) as u64).unwrap()
}

async fn run_round(
    system: &mut System,
    senders: Vec<Sender>,
    kill_at: usize,
) -> Result<Vec<Sender>> {
    let round = Arc::new(Round {
        begun: AtomicUsize::new(0),
        kill_at,
        kill: Notify::new(),
        is_killed: AtomicBool::new(false),
    });
    let sending: Vec<_> = senders
        .into_iter()
        .map(|sender| tokio::spawn(sender.send_until_killed(system.client(), round.clone())))
        .collect();
    tokio::time::timeout(Duration::from_secs(60), round.kill.notified()).await?;
    system.kill_9(Part::Up)?;
    round.is_killed.store(true, Ordering::SeqCst);
    let mut senders = Vec::new();
    for sender in sending {
        senders.push(sender.await?);
    }
    Ok(senders)
}

/// Starts it again; sometimes it is killed once more while it starts.
async fn restart(system: &mut System, round: usize) -> Result<()> {
    if round.is_multiple_of(4) {
        system.start(Part::Up)?;
        let soon = Duration::from_secs(10);
        eventually(soon, async || system.get(Part::Up, "/livez").await).await?;
        system.kill_9(Part::Up)?;
    }
    system.restart(Part::Up).await
}

/// The messages that each user's inbox shows, oldest first.
async fn inboxes(system: &System) -> Result<BTreeMap<usize, Vec<String>>> {
    let mut inboxes = BTreeMap::new();
    for user in 1..=USERS {
        let answer = system.inbox(u32::try_from(user)?).await?;
        ensure!(answer.status == 200, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body)?;
        let notifications = body["notifications"].as_array().unwrap();
        let text = |n: &Value| n["message"].as_str().unwrap().to_owned();
        inboxes.insert(user, notifications.iter().map(text).collect());
    }
    Ok(inboxes)
}

/// The whole notifications topic.
struct Log {
    /// Each user's messages, without the copies that retries left.
    messages: BTreeMap<usize, Vec<String>>,
    ids: HashMap<(Partition, Offset), NotificationId>,
    copies: usize,
}

async fn read_log(broker: &str, topic_id: TopicId) -> Result<Log> {
    let cluster = ClusterConfig::new(vec![broker.to_owned()], "e2e");
    let mut log = Log { messages: BTreeMap::new(), ids: HashMap::new(), copies: 0 };
    let mut seen = HashSet::new();
    for partition in (0..PARTITIONS).map(Partition) {
        let mut reader = Reader::new(cluster.clone(), "notifications", partition);
        let (mut next_offset, end) = reader.bounds().await?;
        while next_offset < end {
            let fetched = reader.fetch(next_offset, 1024 * 1024, Wait::No).await?;
            for (offset, record) in fetched.records {
                let place = Place { topic_id, partition, offset };
                let Event::Sent(sent) = Event::decode(&record, place)? else { continue };
                log.ids.insert((partition, offset), sent.id);
                if !seen.insert(sent.id) {
                    log.copies += 1;
                    continue;
                }
                let user = sent.notification.to.id.as_str().parse()?;
                log.messages.entry(user).or_default().push(sent.notification.message);
            }
            next_offset = fetched.next_offset;
        }
    }
    Ok(log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_there_once_and_in_order_however_often_it_is_killed() -> Result<()> {
    let mut system = System::up(PROGRAM).await?;
    let mut senders: Vec<_> = (0..SENDERS).map(|name| Sender { name, sends: Vec::new() }).collect();
    for round in 1..=ROUNDS {
        let first: Vec<_> = senders.iter().map(|sender| sender.sends.len()).collect();
        let left = SENDS.saturating_sub(first.iter().sum());
        let share = left / (ROUNDS - round + 1);
        let kill_at = if round == ROUNDS { left } else { random(share / 2, share * 3 / 2) };
        senders = run_round(&mut system, senders, kill_at.max(1)).await?;
        restart(&mut system, round).await?;
        let inboxes = inboxes(&system).await?;
        for (sender, first) in senders.iter().zip(first) {
            sender.check(first, &inboxes[&sender.user()]);
        }
    }
    let (_, _, position) = senders[0].accepted().next().unwrap();
    let log = read_log(&system.addresses.broker, position.topic_id).await?;
    let inboxes = inboxes(&system).await?;
    for (user, messages) in &log.messages {
        let tail = &messages[messages.len().saturating_sub(SHOWN)..];
        assert_eq!(inboxes[user], tail, "the inbox of user {user} differs from the log");
    }
    for sender in &senders {
        sender.check(0, &log.messages[&sender.user()]);
        for (number, id, position) in sender.accepted() {
            let offset = Offset(position.next_offset.0 - 1);
            let found = log.ids.get(&(position.partition, offset));
            assert_eq!(found, Some(&id), "sender {} number {number}: {position:?}", sender.name);
        }
    }
    report(&senders, &log);
    Ok(())
}

fn report(senders: &[Sender], log: &Log) {
    let sends: usize = senders.iter().map(|sender| sender.sends.len()).sum();
    let accepted: usize = senders.iter().map(|sender| sender.accepted().count()).sum();
    let found: BTreeSet<_> = log.messages.values().flatten().collect();
    let unanswered = sends - accepted;
    println!(
        "{ROUNDS} rounds, {sends} sends, {accepted} answered 200, {unanswered} not; {} found, of \
         which {} unanswered; {} copies in the log",
        found.len(),
        found.len() - accepted,
        log.copies
    );
}
