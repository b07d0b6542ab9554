//! An import as it runs.

use std::borrow::Cow;
use std::time::Duration;

use kafka::Backoff;
use serde_json::value::RawValue;
use tokio::signal::ctrl_c;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::ImportCommand;
use super::failures::{Failed, sentence};
use super::plan::Plan;
use super::progress::{Progress, Reached};
use super::results::{LineResult, Lost, Verdict};
use super::session;
use super::source::{CHUNK_BYTES, Chunk, Found, read};
use super::tracker::Tracker;
use crate::client::Client;
use crate::failure::{Ending, Failure};
use crate::output::Output;

/// How many lines one request has. Larger, and a connection that is closed for its age cuts off
/// more; smaller, and it waits more often for the last results.
const REQUEST_LINES: u64 = 50_000;

/// How often it is kept how far it came. Larger, and a run that is killed repeats more; smaller, and
/// the disk works more.
const KEEPING: Duration = Duration::from_secs(1);

/// An import.
pub(super) struct Import<'a> {
    client: Client,
    command: &'a ImportCommand,
    plan: Plan,
    chunks: mpsc::Receiver<std::io::Result<Chunk>>,
    is_read: bool,
    tracker: Tracker,
    progress: Progress,
    output: Output,
    /// When it is given up, unless a line gets a result before.
    patience: Instant,
    /// Nothing is sent before.
    pause_until: Instant,
    backoff: Duration,
    last_reason: String,
}

/// How a request ended.
enum Over {
    /// With results for all of it.
    Done,
    Lost(Lost),
}

impl<'a> Import<'a> {
    pub(super) fn new(
        client: Client,
        command: &'a ImportCommand,
        plan: Plan,
    ) -> Result<Self, Failure> {
        let from = plan.state.place();
        let chunks = read(plan.path.as_deref(), from, plan.state.key_prefix.clone())
            .map_err(|error| Failure::bad_input(format!("{}: {error}", command.file.display())))?;
        let now = Instant::now();
        Ok(Self {
            patience: now + client.timeout(),
            client,
            command,
            progress: Progress::new(plan.bytes, from.offset),
            plan,
            chunks,
            is_read: false,
            tracker: Tracker::new(from),
            output: Output::new(),
            pause_until: now,
            backoff: SHORTEST_PAUSE,
            last_reason: String::new(),
        })
    }

    pub(super) async fn run(mut self) -> Result<Ending, Failure> {
        let result = tokio::select! {
            result = self.send_all() => result,
            _ = ctrl_c() => Err(Failure::failed("stopped")),
        };
        self.progress.end();
        match result {
            Ok(()) => self.finish(),
            Err(failure) => {
                self.keep()?;
                let line = self.plan.state.lines;
                Err(match &self.plan.kept {
                    Some(_) => failure.advise(format!(
                        "{line} lines are done; to go on, run the same command again"
                    )),
                    None => failure.advise(format!("{line} lines are done")),
                })
            }
        }
    }

    /// Sends until every line has a result.
    async fn send_all(&mut self) -> Result<(), Failure> {
        let mut backoff = Backoff::new();
        loop {
            if !self.tracker.has_waiting() && !self.fill().await? {
                return Ok(());
            }
            let before = self.tracker.acknowledged();
            let over = self.one_request().await?;
            self.tracker.begin_request();
            if self.tracker.acknowledged() > before {
                backoff.reset();
            }
            let Over::Lost(lost) = over else { continue };
            let (reason, wait) = match lost {
                Lost::ForGood(failure) => return Err(failure),
                Lost::ForNow { reason, wait } => (reason, wait),
            };
            if reason != self.last_reason {
                self.progress.say(&format!("{reason}; trying again"));
            }
            self.last_reason = reason;
            let until = wait.map(|wait| Instant::now() + wait);
            let wait = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => backoff.wait().await,
                }
            };
            if timeout_at(self.patience, wait).await.is_err() {
                return Err(self.given_up());
            }
        }
    }

    fn given_up(&self) -> Failure {
        Failure::failed(format!(
            "given up, for {} s no line got a result: {}",
            self.client.timeout().as_secs_f64(),
            self.last_reason
        ))
    }

    /// Waits for lines; false at the end of the input.
    async fn fill(&mut self) -> Result<bool, Failure> {
        while !self.is_read && !self.tracker.has_waiting() {
            let chunk = self.chunks.recv().await;
            self.take(chunk)?;
            // Patience counts from when there is something to send.
            self.patience = Instant::now() + self.client.timeout();
        }
        Ok(self.tracker.has_waiting())
    }

    fn take(&mut self, chunk: Option<std::io::Result<Chunk>>) -> Result<(), Failure> {
        let Some(chunk) = chunk else {
            self.is_read = true;
            return Ok(());
        };
        let chunk = chunk.map_err(|error| {
            Failure::failed(format!("{}: {error}", self.command.file.display()))
        })?;
        for found in chunk.lines {
            match found {
                Found::Line(line) => self.tracker.add(line),
                Found::Bad { number, reason, text } => self.fail(&Failed {
                    line: number,
                    status: 400,
                    code: Cow::Borrowed("invalid_request"),
                    detail: Cow::Owned(reason),
                    request: None,
                    text: Some(&text),
                })?,
            }
        }
        self.tracker.read_to(chunk.end);
        Ok(())
    }

    /// Sends lines and takes results until the request is over.
    async fn one_request(&mut self) -> Result<Over, Failure> {
        let (mut lines, mut results) = session::begin(&self.client, &self.command.at.producer);
        let mut keeping = tokio::time::interval(KEEPING);
        loop {
            if self.is_complete() {
                lines.end();
            }
            let may_send = lines.is_open() && self.tracker.has_waiting();
            let may_read = !self.is_read && self.tracker.has_room() && !self.tracker.has_waiting();
            let pause_until = self.pause_until;
            let more = async {
                sleep_until(pause_until).await;
                lines.permit().await
            };
            tokio::select! {
                biased;
                result = results.next() => match result {
                    Err(lost) => return Ok(Over::Lost(lost)),
                    Ok(Some((result, json))) => self.apply(&result, &json)?,
                    Ok(None) => return Ok(self.ended()),
                },
                _ = keeping.tick() => self.keep()?,
                () = sleep_until(self.patience), if !self.tracker.is_idle() => {
                    return Err(self.given_up());
                }
                permit = more, if may_send => match permit {
                    Some(permit) => _ = permit.send(self.tracker.send(CHUNK_BYTES).into()),
                    None => lines.end(),
                },
                chunk = self.chunks.recv(), if may_read => self.take(chunk)?,
            }
        }
    }

    /// Whether the request needs no more lines: there are none, or it has enough of them.
    fn is_complete(&self) -> bool {
        let has_enough = self.tracker.requested() >= REQUEST_LINES;
        let is_at_end = self.is_read && !self.tracker.has_waiting();
        // Nothing is there and nothing on its way: a pipe that is slow.
        has_enough || is_at_end || (self.tracker.requested() > 0 && self.tracker.is_idle())
    }

    /// The results came to their end.
    fn ended(&self) -> Over {
        if !self.tracker.has_sent() && self.tracker.requested() > 0 {
            return Over::Done;
        }
        let reason = "the answer ended before all lines had a result".to_owned();
        Over::Lost(Lost::ForNow { reason, wait: None })
    }

    fn apply(&mut self, result: &LineResult, json: &[u8]) -> Result<(), Failure> {
        let Some(line) = self.tracker.answered(result.line) else { return Ok(()) };
        let verdict = result.verdict();
        if verdict == Verdict::Again {
            self.last_reason = result.reason();
            self.pause_until = Instant::now() + self.backoff;
            self.backoff = (self.backoff * 2).min(LONGEST_PAUSE);
            self.tracker.add(line);
            return Ok(());
        }
        self.backoff = SHORTEST_PAUSE;
        self.patience = Instant::now() + self.client.timeout();
        if self.command.client.json {
            self.output.json(&numbered(json, line.number))?;
        }
        if verdict == Verdict::Sent {
            self.plan.state.sent += 1;
            return Ok(());
        }
        let request = serde_json::from_slice::<&RawValue>(&line.json).ok();
        let code = result.code.as_deref().unwrap_or("partly_done");
        self.fail(&Failed {
            line: line.number,
            status: result.status,
            code: Cow::Borrowed(code),
            detail: Cow::Owned(result.reason()),
            request,
            text: None,
        })
    }

    fn fail(&mut self, failed: &Failed<'_>) -> Result<(), Failure> {
        self.plan.state.failed += 1;
        if self.plan.failures.path().is_some() {
            self.progress.failed(&sentence(failed));
        }
        self.plan.failures.add(failed).map_err(|error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &std::io::Error) -> Failure {
        let path = self.plan.failures.path();
        let path = path.map(|path| path.display().to_string()).unwrap_or_default();
        Failure::failed(format!("failures cannot be written to {path}: {error}"))
    }

    /// Keeps how far it came, and shows it.
    fn keep(&mut self) -> Result<(), Failure> {
        self.plan.failures.flush().map_err(|error| self.unwritable(&error))?;
        let place = self.tracker.acknowledged();
        let state = &mut self.plan.state;
        (state.lines, state.offset) = (place.lines, place.offset);
        self.progress.show(Reached {
            lines: place.lines,
            offset: place.offset,
            failed: state.failed,
        });
        let Some(kept) = &self.plan.kept else { return Ok(()) };
        kept.save(state).map_err(|error| {
            Failure::failed(format!("it cannot be kept how far the import came: {error}"))
        })
    }

    fn finish(mut self) -> Result<Ending, Failure> {
        self.plan.state.is_finished = true;
        self.keep()?;
        let state = &self.plan.state;
        if state.failed == 0
            && let Some(kept) = &self.plan.kept
        {
            kept.remove();
        }
        if !self.command.client.json {
            self.output.whole_line(&format!("{} sent, {} failed", state.sent, state.failed))?;
        }
        if state.failed == 0 {
            return Ok(Ending::Done);
        }
        if let Some(path) = self.plan.failures.path() {
            self.progress.say(&format!(
                "the lines that failed are in {0}; mended there, they can be imported: import {0}",
                path.display()
            ));
        }
        Ok(Ending::Partly)
    }
}

/// How long sending pauses after a line that may succeed later.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A result with the line's number in the file instead of that in the request.
fn numbered(json: &[u8], number: u64) -> Vec<u8> {
    let Ok(mut result) = serde_json::from_slice::<serde_json::Value>(json) else {
        return json.to_vec();
    };
    if let Some(fields) = result.as_object_mut() {
        fields.insert("line".to_owned(), number.into());
    }
    serde_json::to_vec(&result).unwrap_or_else(|_| json.to_vec())
}
