//! Retries under Idempotency-Keys, to two producers, while answers are lost and processes die.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{ChaosProxy, Direction, Http, Part, System, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::{LocalSet, spawn_local};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const SENDS: usize = 10_000;
const SENDERS: usize = 40;
const TRIES: usize = 5;
const USERS: [&str; 4] = ["1", "2", "3", "4"];

/// How long a killed producer may be away.
const AWAY: Duration = Duration::from_secs(60);

/// What all senders share.
struct Storm {
    http: Http,
    /// Both producers, each behind a proxy that loses answers.
    producers: [String; 2],
    begun: AtomicUsize,
    tries: AtomicUsize,
    replayed: AtomicUsize,
}

impl Storm {
    /// Sends until none is left, each under its own key, to one producer and then to the other.
    async fn send_all(&self) -> Result<()> {
        loop {
            let number = self.begun.fetch_add(1, Ordering::SeqCst);
            if number >= SENDS {
                return Ok(());
            }
            self.send(number).await.with_context(|| format!("number {number}"))?;
        }
    }

    /// At most five tries; every seventh goes on although it was answered.
    async fn send(&self, number: usize) -> Result<()> {
        let (key, to) = (format!("key-{number}"), USERS[number % 4]);
        let body = json!({"from": 2, "to": to, "message": format!("number {number}")}).to_string();
        let mut last = None;
        for attempt in 0..TRIES {
            let producer = &self.producers[(number + attempt) % 2];
            self.tries.fetch_add(1, Ordering::SeqCst);
            let url = format!("http://{producer}/v1/notifications");
            match self.http.json(Method::POST, &url, body.clone(), Some(&key)).await {
                Ok(answer) if answer.status == 201 => {
                    if answer.header("Idempotency-Replayed").is_some() {
                        self.replayed.fetch_add(1, Ordering::SeqCst);
                    }
                    if !number.is_multiple_of(7) {
                        return Ok(());
                    }
                    last = Some(answer);
                }
                Ok(answer) => ensure!(answer.status == 503, "{answer:?}"),
                // The answer is lost, or the producer is gone: the next try waits until it is there.
                Err(_) => {
                    let url =
                        format!("http://{}/readyz", self.producers[(number + attempt + 1) % 2]);
                    eventually(AWAY, async || {
                        let answer = self.http.get(&url).await?;
                        ensure!(answer.status == 200, "{answer:?}");
                        Ok(())
                    })
                    .await?;
                }
            }
        }
        last.map(drop).context("five tries, and never an answer")
    }

    /// Waits for so many more sends, or the last.
    async fn more(&self, count: usize) -> Result<()> {
        let goal = (self.begun.load(Ordering::SeqCst) + count).min(SENDS);
        eventually(Duration::from_secs(120), async || {
            let begun = self.begun.load(Ordering::SeqCst);
            ensure!(begun >= goal, "{begun} of {goal}");
            Ok(())
        })
        .await
    }

    fn is_over(&self) -> bool {
        self.begun.load(Ordering::SeqCst) >= SENDS
    }
}

/// All messages of a user's inbox, by how often they are shown.
async fn shown(system: &System, user: &str) -> Result<BTreeMap<String, usize>> {
    let answer = system.get(Part::Consumer, &format!("/v1/users/{user}/export")).await?;
    ensure!(answer.status == 200, "{answer:?}");
    let mut shown = BTreeMap::new();
    for line in answer.body.lines() {
        let notification: Value = serde_json::from_str(line)?;
        *shown.entry(notification["message"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    Ok(shown)
}

#[tokio::test]
async fn ten_thousand_sends_with_keys_are_ten_thousand_notifications() -> Result<()> {
    LocalSet::new().run_until(send_under_strikes()).await
}

async fn send_under_strikes() -> Result<()> {
    let began = Instant::now();
    let (mut system, broker_proxy) = System::parts_behind_proxy(PROGRAM).await?;
    system.start(Part::SecondProducer)?;
    system.ready(Part::SecondProducer).await?;
    let proxies = [
        ChaosProxy::before_http(&system.addresses.producer).await?,
        ChaosProxy::before_http(&system.addresses.second_producer).await?,
    ];
    let storm = Arc::new(Storm {
        http: Http::new()?,
        producers: proxies.each_ref().map(ChaosProxy::address),
        begun: AtomicUsize::new(0),
        tries: AtomicUsize::new(0),
        replayed: AtomicUsize::new(0),
    });
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| storm.clone())
        .map(|storm| spawn_local(async move { storm.send_all().await }))
        .collect();
    let strikes = strike(&storm, &mut system, &broker_proxy, &proxies).await?;
    for sender in senders {
        sender.await??;
    }
    let found = eventually(AWAY, async || {
        let mut found = BTreeMap::new();
        for user in USERS {
            found.extend(shown(&system, user).await?);
        }
        ensure!(found.len() >= SENDS, "{} of {SENDS} shown", found.len());
        Ok(found)
    })
    .await?;
    let notifications: usize = found.values().sum();
    println!(
        "{SENDS} sends with keys in {} s: {} tries, {} replayed from memory, {strikes:?}; \
         {notifications} notifications, {} of them once",
        began.elapsed().as_secs(),
        storm.tries.load(Ordering::SeqCst),
        storm.replayed.load(Ordering::SeqCst),
        found.values().filter(|times| **times == 1).count(),
    );
    assert_eq!((notifications, found.len()), (SENDS, SENDS));
    Ok(())
}

/// Until all sends were begun: answers are lost on both ways, and both producers are killed.
async fn strike(
    storm: &Storm,
    system: &mut System,
    broker_proxy: &ChaosProxy,
    proxies: &[ChaosProxy; 2],
) -> Result<BTreeMap<&'static str, usize>> {
    let mut strikes = BTreeMap::new();
    for round in 0.. {
        storm.more(150).await?;
        if storm.is_over() {
            break;
        }
        let what = match round % 10 {
            3 | 8 => {
                let part = if round % 10 == 3 { Part::Producer } else { Part::SecondProducer };
                system.kill_9(part)?;
                system.restart(part).await?;
                "producers killed"
            }
            1 | 5 => {
                broker_proxy.lose_answers(3);
                "acknowledgements lost thrice"
            }
            _ => {
                let proxy = &proxies[round % 2];
                proxy.black_hole(Direction::ToClient);
                storm.more(20).await?;
                proxy.cut();
                proxy.flow(Direction::ToClient);
                "answers of a producer lost"
            }
        };
        *strikes.entry(what).or_default() += 1;
    }
    Ok(strikes)
}
