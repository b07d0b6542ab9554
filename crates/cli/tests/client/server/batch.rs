//! `POST /v1/notifications/batch`: lines in, results out, while both are open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use super::State;

/// What it knows and how it behaves.
#[derive(Default)]
pub(crate) struct Batch {
    /// What was applied: by key, how often it came, and the last line.
    pub(crate) applied: BTreeMap<String, (usize, Value)>,
    /// Bytes of lines so far.
    pub(crate) bytes: usize,
    /// So many results are given, and then the connection breaks; the line in hand is applied.
    pub(crate) breaks_after: Option<usize>,
    /// So many next lines are answered 503.
    pub(crate) refuses: usize,
    /// Whole requests answered with this status.
    pub(crate) status: Option<u16>,
    /// After so many lines it reads on only when told to.
    pub(crate) holds_after: Option<usize>,
    pub(crate) go_on: Arc<Notify>,
    lines: usize,
}

impl Batch {
    pub(crate) fn keys(&self) -> Vec<String> {
        self.applied.keys().cloned().collect()
    }

    /// Lines so far, also those that came again.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// The result of a line; none is a connection that breaks.
    fn result(&mut self, number: usize, line: &str) -> Option<Value> {
        self.lines += 1;
        self.bytes += line.len();
        let request: Value = serde_json::from_str(line).unwrap();
        let key = request["idempotency_key"].as_str().expect("a line has a key").to_owned();
        if self.refuses > 0 {
            self.refuses -= 1;
            return Some(
                json!({"line": number, "status": 503, "code": "broker_unavailable", "detail": "the broker is away"}),
            );
        }
        // Answers print ids as strings.
        let to = request["to"].as_str().map_or_else(|| request["to"].to_string(), str::to_owned);
        if to == "nobody" {
            return Some(
                json!({"line": number, "status": 404, "code": "user_not_found", "detail": "no such user: nobody"}),
            );
        }
        if to == "half" {
            return Some(json!({"line": number, "status": 207, "notifications": [
                {"to": "1", "status": 201, "id": "i", "position": "p"},
                {"to": "2", "status": 413, "code": "too_large"},
            ]}));
        }
        let before = self.applied.get(&key).map_or(0, |(times, _)| *times);
        self.applied.insert(key, (before + 1, request));
        match &mut self.breaks_after {
            Some(0) => {
                self.breaks_after = None;
                return None;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Some(
            json!({"line": number, "status": 201, "notifications": [{"id": "i", "to": to, "position": "p"}]}),
        )
    }
}

pub(super) async fn serve(
    read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    state: Arc<Mutex<State>>,
) -> Option<()> {
    let status = state.lock().unwrap().batch.status;
    if let Some(status) = status {
        let body = json!({"detail": "the whole batch is refused", "code": "some_code"}).to_string();
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        write.write_all(answer.as_bytes()).await.ok()?;
        // Read on: a connection closed with bytes unread is reset before the answer is read.
        let mut read = read;
        tokio::io::copy(&mut read, &mut tokio::io::sink()).await.ok();
        return None;
    }
    write.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
    let mut body = Body { read, buffer: Vec::new() };
    let mut number = 0;
    while let Some(line) = body.line().await? {
        number += 1;
        let (result, held) = {
            let mut state = state.lock().unwrap();
            let batch = &mut state.batch;
            let is_held = batch.holds_after.is_some_and(|after| batch.lines >= after);
            (batch.result(number, &line), is_held.then(|| batch.go_on.clone()))
        };
        if let Some(go_on) = held {
            go_on.notified().await;
        }
        let text = format!("{}\n", result?);
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        write.write_all(chunk.as_bytes()).await.ok()?;
    }
    write.write_all(b"0\r\n\r\n").await.ok()?;
    None
}

/// A chunked body as lines.
struct Body {
    read: BufReader<OwnedReadHalf>,
    buffer: Vec<u8>,
}

impl Body {
    /// The next line; inner none at the end, outer none where the connection broke.
    #[allow(clippy::option_option)]
    async fn line(&mut self) -> Option<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(Some(String::from_utf8(line).unwrap().trim_end().to_owned()));
            }
            let mut size = String::new();
            if self.read.read_line(&mut size).await.ok()? == 0 {
                return None;
            }
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.read.read_exact(&mut chunk).await.ok()?;
            if size == 0 {
                assert!(self.buffer.is_empty(), "the last line ends with a line break");
                return Some(None);
            }
            self.buffer.extend_from_slice(&chunk[..size]);
        }
    }
}
