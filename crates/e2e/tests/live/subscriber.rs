//! A client whose connection is cut, and who comes back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use models::{EventStreamReader, Position, ServerSentEvent};
use reqwest::Response;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::random::Random;

/// The message behind which nothing is told.
pub(crate) const THE_END: &str = "the end";

/// A stream, and what it makes of what it is told.
pub(crate) struct Subscriber {
    client: reqwest::Client,
    inbox: String,
    random: Random,
    /// Cuts that are to come, however little is told.
    cuts_left: usize,
    told: Told,
}

/// What a stream was told.
#[derive(Default)]
pub(crate) struct Told {
    /// The offsets of what happened, as they came.
    pub(crate) events: Vec<i64>,
    /// Where its connections began.
    pub(crate) begins: Vec<i64>,
    pub(crate) cuts: usize,
    pub(crate) gaps: usize,
    last_event_id: String,
    /// By their offset.
    notifications: BTreeMap<i64, Value>,
    is_ended: bool,
}

/// As a client waits that was refused.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Bytes until the connection is cut, at most.
const MAX_BYTES: usize = 16_000;

impl Subscriber {
    pub(crate) fn new(consumer: &str, user: &str, random: Random, cuts: usize) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let inbox = format!("http://{consumer}/v1/users/{user}");
        Self { client, inbox, random, cuts_left: cuts, told: Told::default() }
    }

    /// Reads the page that the stream goes on from.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        self.reload().await
    }

    /// Reads until it was told the last event, and cut often enough.
    pub(crate) async fn run(mut self, end: watch::Receiver<Option<Instant>>) -> Result<Told> {
        let mut tries = interval(BETWEEN_TRIES);
        tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tries.tick().await;
            // Where the server starts.
            let Ok(response) = self.connect().await else { continue };
            self.read(response, &end).await?;
            let Some(deadline) = *end.borrow() else { continue };
            if self.told.is_ended && self.cuts_left == 0 {
                return Ok(self.told);
            }
            ensure!(Instant::now() < deadline, "not told the end in time");
        }
    }

    async fn connect(&mut self) -> Result<Response> {
        let request = self.client.get(format!("{}/stream", self.inbox));
        let request = request.header("Last-Event-ID", &self.told.last_event_id);
        let response = request.send().await?.error_for_status()?;
        self.told.begins.push(offset(&self.told.last_event_id)?);
        Ok(response)
    }

    /// Reads so many bytes, or until the server ends it.
    async fn read(
        &mut self,
        mut response: Response,
        end: &watch::Receiver<Option<Instant>>,
    ) -> Result<()> {
        let mut reader = EventStreamReader::default();
        let mut left = 1 + self.random.below(MAX_BYTES);
        loop {
            let is_last = end.borrow().is_some();
            if is_last && self.told.is_ended && self.cuts_left == 0 {
                return Ok(());
            }
            // At the end nothing more may come.
            let wait = if is_last { Duration::from_millis(200) } else { Duration::from_secs(30) };
            let piece = match timeout(wait, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(_) => return Ok(()),
                Err(_) if is_last => return self.cut(),
                Err(_) => bail!("silent for {wait:?}"),
            };
            let taken = piece.get(..left).unwrap_or(&piece);
            for event in reader.push(taken)? {
                if self.told.apply(&event)? {
                    // It goes on from there.
                    return self.reload().await;
                }
            }
            if !reader.last_event_id().is_empty() {
                reader.last_event_id().clone_into(&mut self.told.last_event_id);
            }
            left -= taken.len();
            if left == 0 {
                return self.cut();
            }
        }
    }

    fn cut(&mut self) -> Result<()> {
        self.told.cuts += 1;
        self.cuts_left = self.cuts_left.saturating_sub(1);
        Ok(())
    }

    /// After a gap the page says what is there.
    async fn reload(&mut self) -> Result<()> {
        let url = format!("{}/notifications?status=all&limit=200", self.inbox);
        let page: Value = serde_json::from_str(&self.client.get(url).send().await?.text().await?)?;
        ensure!(page["next_cursor"].is_null(), "more than a page");
        page["position"].as_str().context("position")?.clone_into(&mut self.told.last_event_id);
        self.told.notifications.clear();
        for notification in page["notifications"].as_array().context("notifications")? {
            self.told.put(notification.clone())?;
        }
        Ok(())
    }
}

impl Told {
    /// As a page shows them.
    pub(crate) fn notifications(&self) -> Vec<Value> {
        self.notifications.values().rev().cloned().collect()
    }

    /// What became of an event; whether the page has to be read.
    fn apply(&mut self, event: &ServerSentEvent) -> Result<bool> {
        let data: Value = serde_json::from_str(&event.data)?;
        match event.name.as_str() {
            "counts" | "closing" => return Ok(false),
            "gap" => {
                self.gaps += 1;
                return Ok(true);
            }
            "notification" => {
                ensure!(data["position"] == event.id.as_str(), "another position than its id");
                self.is_ended = data["message"] == THE_END;
                self.put(data)?;
            }
            "changed" => self.change(&data)?,
            other => bail!("an unknown event: {other}"),
        }
        self.events.push(offset(&event.id)? - 1);
        Ok(false)
    }

    fn put(&mut self, notification: Value) -> Result<()> {
        let position = notification["position"].as_str().context("position")?;
        self.notifications.insert(offset(position)?, notification);
        Ok(())
    }

    fn change(&mut self, changed: &Value) -> Result<()> {
        let before = changed["before"].as_str().map(offset).transpose()?;
        let ids = changed["ids"].as_array();
        let is_meant = |at: i64, notification: &Value| match (before, ids) {
            (Some(before), _) => at <= before,
            (None, ids) => ids.is_some_and(|ids| ids.contains(&notification["id"])),
        };
        if changed["deleted"] == true {
            self.notifications.retain(|at, it| !is_meant(*at, it));
        }
        for (at, notification) in &mut self.notifications {
            for field in ["read_at", "archived_at"] {
                let Some(time) = changed.get(field) else { continue };
                // What is so already stays so since then.
                if is_meant(*at, notification) && (time.is_null() || notification[field].is_null())
                {
                    notification[field] = time.clone();
                }
            }
        }
        Ok(())
    }
}

fn offset(position: &str) -> Result<i64> {
    let position: Position = position.parse()?;
    Ok(position.next_offset.0)
}
