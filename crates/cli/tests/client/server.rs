//! A small HTTP server that answers what a test tells it to, and can lose answers and die.

mod batch;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

pub(crate) use batch::Batch;

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Asks until it is so.
pub(crate) async fn eventually(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    let mut ticks = interval(Duration::from_millis(10));
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time");
        ticks.tick().await;
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(it, _)| it == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The connection is closed instead.
    Drop,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(crate) fn problem(status: u16, code: &str, detail: &str) -> Self {
        let body = serde_json::json!({
            "type": "about:blank", "title": "x", "status": status, "detail": detail,
            "code": code, "request_id": "req-1",
        });
        Self::json(status, &body.to_string())
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Answer { status, mut headers, body } => {
                headers.push((name, value.to_owned()));
                Self::Answer { status, headers, body }
            }
            Self::Drop => Self::Drop,
        }
    }
}

#[derive(Default)]
pub(crate) struct State {
    /// Answers to the next requests; the last one is kept.
    replies: VecDeque<Reply>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) batch: Batch,
}

/// A running server. Dropped, it dies.
pub(crate) struct Server {
    address: String,
    state: Arc<Mutex<State>>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let mut server = Self { address: "127.0.0.1:0".into(), state: Arc::default(), task: None };
        server.start_again().await;
        server
    }

    pub(crate) async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let server = Self::start().await;
        server.state().replies = replies.into_iter().collect();
        server
    }

    /// On the same address, knowing what it knew.
    pub(crate) async fn start_again(&mut self) {
        let listener = TcpListener::bind(&self.address).await.unwrap();
        self.address = listener.local_addr().unwrap().to_string();
        let state = self.state.clone();
        self.task = Some(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (read, write) = stream.into_split();
                connections.spawn(serve(BufReader::new(read), write, state.clone()));
            }
        }));
    }

    /// All connections break, and the port is closed.
    pub(crate) async fn die(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The requests so far, as `GET /path`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn serve(
    mut read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    state: Arc<Mutex<State>>,
) -> Option<()> {
    loop {
        let mut asked = head(&mut read).await?;
        if asked.path == "/v1/notifications/batch" {
            state.lock().unwrap().asked.push(asked);
            return batch::serve(read, write, state).await;
        }
        let length = asked.header("content-length").map_or(0, |it| it.parse().unwrap());
        let mut body = vec![0; length];
        read.read_exact(&mut body).await.ok()?;
        asked.body = String::from_utf8(body).unwrap();
        let reply = {
            let mut state = state.lock().unwrap();
            state.asked.push(asked);
            match state.replies.len() {
                0 => Reply::problem(404, "not_found", "no such route"),
                1 => state.replies[0].clone(),
                _ => state.replies.pop_front().unwrap(),
            }
        };
        let Reply::Answer { status, headers, body } = reply else { return None };
        let mut answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        write.write_all((answer + &body).as_bytes()).await.ok()?;
    }
}

async fn head(read: &mut BufReader<OwnedReadHalf>) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if read.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut first = lines[0].split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers = lines[1..].iter().map(header).collect();
    Some(Asked { method, path, headers, body: String::new() })
}
