//! Reading what was just written, on whichever instance.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use e2e::{Answer, Http, Part, System};
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const PAIRS: usize = 5_000;
const CLIENTS: usize = 20;

/// One of several clients, each with a user of its own.
#[derive(Clone)]
struct Client {
    http: Http,
    producer: String,
    consumers: [String; 2],
    user: String,
}

impl Client {
    async fn send(&self, number: usize) -> Result<(String, String)> {
        let body = json!({"to": self.user, "message": format!("number {number}")}).to_string();
        let url = format!("http://{}/v1/notifications", self.producer);
        let answer = json_of(self.http.json(Method::POST, &url, body, None).await?, 201)?;
        let sent = &answer["notifications"][0];
        Ok((text(&sent["id"])?, text(&sent["position"])?))
    }

    fn url(&self, consumer: usize, path: &str) -> String {
        format!("http://{}/v1/users/{}{path}", self.consumers[consumer % 2], self.user)
    }

    /// A send, and the page that must show it first, on one consumer or the other.
    async fn send_and_read(self, pairs: usize) -> Result<usize> {
        for number in 0..pairs {
            let (id, position) = self.send(number).await?;
            let path = format!("/notifications?limit=1&min_position={position}&wait_ms=10000");
            let page = json_of(self.http.get(&self.url(number, &path)).await?, 200)?;
            ensure!(page["notifications"][0]["id"] == id.as_str(), "stale: {page}");
            ensure!(page["unread_count"] == number + 1, "stale count: {page}");
        }
        Ok(pairs)
    }

    /// Commands of every kind, and what must show their effect: where they were given, at once, and
    /// on the other consumer with the position that they were answered with.
    async fn command_and_read(self, pairs: usize) -> Result<usize> {
        for number in 0..pairs {
            match number % 4 {
                0 => {
                    let (id, position) = self.send(number).await?;
                    let path = format!("/counts?min_position={position}&wait_ms=10000");
                    let before = json_of(self.http.get(&self.url(number, &path)).await?, 200)?;
                    let unread = before["unread_count"].as_u64().context("unread_count")?;
                    self.act(number, &json!({"action": "read", "ids": [id]}), unread - 1).await?;
                }
                1 => {
                    self.act(number, &json!({"action": "unread"}), self.total(number).await?)
                        .await?
                }
                2 => self.act(number, &json!({"action": "read"}), 0).await?,
                _ => self.patch_and_read(number).await?,
            }
        }
        Ok(pairs)
    }

    async fn total(&self, consumer: usize) -> Result<u64> {
        let counts = json_of(self.http.get(&self.url(consumer, "/counts")).await?, 200)?;
        counts["total_count"].as_u64().context("total_count")
    }

    async fn act(&self, consumer: usize, action: &Value, unread: u64) -> Result<()> {
        let url = self.url(consumer, "/notifications/actions");
        let answer = self.http.json(Method::POST, &url, action.to_string(), None).await?;
        let counts = json_of(answer, 200)?;
        ensure!(counts["unread_count"] == unread, "{action}: {counts}, not {unread}");
        let here = json_of(self.http.get(&self.url(consumer, "/counts")).await?, 200)?;
        ensure!(here["unread_count"] == unread, "stale after {action}: {here}, not {unread}");
        let path = format!("/counts?min_position={}&wait_ms=10000", text(&counts["position"])?);
        let there = json_of(self.http.get(&self.url(consumer + 1, &path)).await?, 200)?;
        ensure!(there["unread_count"] == unread, "stale elsewhere: {there}, not {unread}");
        Ok(())
    }

    async fn patch_and_read(&self, number: usize) -> Result<()> {
        let path = self.url(number, "/notifications?limit=1&status=all");
        let page = json_of(self.http.get(&path).await?, 200)?;
        let id = text(&page["notifications"][0]["id"])?;
        let url = self.url(number, &format!("/notifications/{id}"));
        let is_read = number % 8 < 4;
        let body = json!({"read": is_read, "archived": false}).to_string();
        let patched = json_of(self.http.json(Method::PATCH, &url, body, None).await?, 200)?;
        ensure!(patched["read_at"].is_null() != is_read, "{patched}");
        let read = json_of(self.http.get(&url).await?, 200)?;
        ensure!(read == patched, "stale: {read}, not {patched}");
        Ok(())
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("no text")?.to_owned())
}

fn json_of(answer: Answer, status: u16) -> Result<Value> {
    ensure!(answer.status == status, "{answer:?}");
    Ok(serde_json::from_str(&answer.body)?)
}

async fn clients(system: &System, prefix: &str) -> Result<Vec<Client>> {
    let http = Http::new()?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let user = format!("{prefix}-{number}");
        let url = format!("http://{}/v1/users/{user}", system.addresses.producer);
        let body = json!({"name": "someone"}).to_string();
        json_of(http.json(Method::PUT, &url, body, None).await?, 201)?;
        let consumers =
            [system.addresses.consumer.clone(), system.addresses.second_consumer.clone()];
        let producer = system.addresses.producer.clone();
        clients.push(Client { http: http.clone(), producer, consumers, user });
    }
    Ok(clients)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_just_written_is_read_on_whichever_instance() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    system.start(Part::SecondConsumer)?;
    system.ready(Part::SecondConsumer).await?;
    for (name, is_command) in [("send-then-read", false), ("command-then-read", true)] {
        let began = Instant::now();
        let reading: Vec<_> = clients(&system, name)
            .await?
            .into_iter()
            .map(|client| {
                tokio::spawn(async move {
                    if is_command {
                        client.command_and_read(PAIRS / CLIENTS).await
                    } else {
                        client.send_and_read(PAIRS / CLIENTS).await
                    }
                })
            })
            .collect();
        let mut pairs = 0;
        for reading in reading {
            pairs += reading.await??;
        }
        assert_eq!(pairs, PAIRS);
        println!("{PAIRS} {name} pairs in {} s: 0 stale", began.elapsed().as_secs());
    }
    Ok(())
}
