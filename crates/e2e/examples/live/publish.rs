//! Publishing at a rate, whatever the answers take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::message;
use crate::times::Times;

/// Connections that publish.
const CONNECTIONS: usize = 48;

/// How much is published.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) a_second: usize,
    pub(crate) count: usize,
    /// To whom, in turns.
    pub(crate) users: usize,
}

/// Publishes to the producer, or to a bare hub.
pub(crate) struct Publisher {
    address: String,
    path: &'static str,
    body_of: Arc<dyn Fn(usize, usize) -> String + Send + Sync>,
    text: String,
}

/// When each message was published, and answered.
pub(crate) struct Published(Vec<(Instant, Instant)>);

impl Publisher {
    pub(crate) fn new(producer: &str, user_of: fn(usize) -> String) -> Self {
        let body_of = move |user, _| user_of(user);
        Self {
            address: producer.to_owned(),
            path: "/v1/notifications",
            body_of: Arc::new(body_of),
            text: String::new(),
        }
    }

    /// Publishes bodies as they are.
    pub(crate) fn bare(address: &str, body_of: fn(usize) -> String) -> Self {
        let body_of = move |_, number| body_of(number);
        let (path, text) = ("/publish", String::new());
        Self { address: address.to_owned(), path, body_of: Arc::new(body_of), text }
    }

    /// With so much more in each message.
    pub(crate) fn with_text(self, text: String) -> Self {
        Self { text, ..self }
    }

    fn request(&self, number: usize, users: usize) -> Vec<u8> {
        let body = (self.body_of)(number % users, number);
        let body = if self.path == "/publish" {
            body
        } else {
            json!({"to": body, "message": message(number) + &self.text}).to_string()
        };
        let length = body.len();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.path
        );
        head.into_bytes()
    }

    /// Publishes at this rate; each message when it is due.
    pub(crate) async fn publish(self, rate: Rate) -> Result<Published> {
        let publisher = Arc::new(self);
        let next = Arc::new(AtomicUsize::new(0));
        let began = tokio::time::Instant::now() + Duration::from_millis(200);
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS.min(rate.count) {
            let (publisher, next) = (publisher.clone(), next.clone());
            connections.spawn(async move { publisher.publish_in_turn(&next, rate, began).await });
        }
        let mut all: Vec<_> = Vec::new();
        while let Some(some) = connections.join_next().await {
            all.extend(some??);
        }
        all.sort_unstable_by_key(|(number, ..)| *number);
        Ok(Published(all.into_iter().map(|(_, sent, answered)| (sent, answered)).collect()))
    }

    async fn publish_in_turn(
        &self,
        next: &AtomicUsize,
        rate: Rate,
        began: tokio::time::Instant,
    ) -> Result<Vec<(usize, Instant, Instant)>> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (mut done, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= rate.count {
                return Ok(done);
            }
            let request = self.request(number, rate.users);
            let due = Duration::from_secs_f64(number as f64 / rate.a_second as f64);
            tokio::time::sleep_until(began + due).await;
            let sent = Instant::now();
            stream.write_all(&request).await?;
            // One small answer, which comes in one piece.
            let read = stream.read(&mut buffer).await?;
            let answer = buffer.get(..read).unwrap_or_default();
            let is_good = answer.starts_with(b"HTTP/1.1 20");
            ensure!(is_good, "{}", String::from_utf8_lossy(answer));
            done.push((number, sent, Instant::now()));
        }
    }
}

impl Published {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// When it was published.
    pub(crate) fn sent(&self, number: usize) -> Option<Instant> {
        self.0.get(number).map(|(sent, _)| *sent)
    }

    pub(crate) fn answers(&self) -> Times {
        Times::of(self.0.iter().map(|(sent, answered)| *answered - *sent).collect())
    }
}
