//! The results of a batch, as they come.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use crate::client::{cause, is_for_now, origin, problem, unreachable};
use crate::failure::Failure;

/// The longest result: of 1,000 recipients, each with an id, a position and a code.
const MAX_RESULT_BYTES: usize = 4 * 1024 * 1024;

/// The most bytes of an error that are read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// What became of a line.
#[derive(Debug, Deserialize)]
pub(super) struct LineResult {
    pub(super) line: u64,
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) detail: Option<String>,
    #[serde(default)]
    notifications: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    to: Option<String>,
    status: Option<u16>,
    code: Option<String>,
}

/// What to do about a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Sent,
    /// It may succeed later, with the same key.
    Again,
    Failed,
}

impl LineResult {
    pub(super) fn verdict(&self) -> Verdict {
        if is_for_now(self.status) {
            return Verdict::Again;
        }
        if !(200..300).contains(&self.status) {
            return Verdict::Failed;
        }
        let mut failed = self.failed_parts().peekable();
        if failed.peek().is_none() {
            return Verdict::Sent;
        }
        match failed.all(|part| part.status.is_some_and(is_for_now)) {
            true => Verdict::Again,
            false => Verdict::Failed,
        }
    }

    fn failed_parts(&self) -> impl Iterator<Item = &Part> {
        self.notifications.iter().filter(|part| part.status.is_some_and(|status| status >= 300))
    }

    /// Why it failed, in words.
    pub(super) fn reason(&self) -> String {
        if let Some(detail) = &self.detail {
            return detail.clone();
        }
        let name = |part: &Part| {
            let to = part.to.as_deref().unwrap_or("?");
            format!("{to} ({})", part.code.as_deref().unwrap_or("unknown"))
        };
        let failed: Vec<_> = self.failed_parts().take(MAX_NAMED).map(name).collect();
        match failed.is_empty() {
            true => "no reason given".to_owned(),
            false => format!("not sent to {}", failed.join(", ")),
        }
    }
}

/// How many recipients a reason names.
const MAX_NAMED: usize = 10;

/// Why there are no more results.
#[derive(Debug)]
pub(super) enum Lost {
    /// A new request may go through.
    ForNow {
        reason: String,
        wait: Option<Duration>,
    },
    ForGood(Failure),
}

type Sending = Pin<Box<dyn Future<Output = reqwest::Result<Response>> + Send>>;

/// The results of one request.
pub(super) struct Results {
    url: Url,
    sending: Option<Sending>,
    response: Option<Response>,
    buffer: BytesMut,
}

impl Results {
    pub(super) fn new(
        url: Url,
        sending: impl Future<Output = reqwest::Result<Response>> + Send + 'static,
    ) -> Self {
        let sending: Sending = Box::pin(sending);
        Self { url, sending: Some(sending), response: None, buffer: BytesMut::new() }
    }

    /// The next result as it came; none at the end.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Option<(LineResult, Vec<u8>)>, Lost> {
        loop {
            if let Some(line) = self.buffered_line() {
                let result = serde_json::from_slice(&line).map_err(|error| {
                    let from = origin(&self.url);
                    Lost::ForGood(Failure::failed(format!("{from} answers no results: {error}")))
                })?;
                return Ok(Some((result, line)));
            }
            if self.buffer.len() > MAX_RESULT_BYTES {
                let from = origin(&self.url);
                let reason = format!("{from} answers a line of over {MAX_RESULT_BYTES} bytes");
                return Err(Lost::ForGood(Failure::failed(reason)));
            }
            let chunk = self.response().await?.chunk().await;
            match chunk.map_err(|error| self.broken(&error))? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                // A last line without an end was cut off.
                None => return Ok(None),
            }
        }
    }

    fn buffered_line(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            if !line.trim_ascii().is_empty() {
                return Some(line.to_vec());
            }
        }
    }

    async fn response(&mut self) -> Result<&mut Response, Lost> {
        if let Some(sending) = &mut self.sending {
            let response = sending.await;
            self.sending = None;
            let response = response.map_err(|error| self.broken(&error))?;
            if response.status() != StatusCode::OK {
                return Err(refused(response).await);
            }
            self.response = Some(response);
        }
        self.response
            .as_mut()
            .ok_or_else(|| Lost::ForNow { reason: "the request is over".to_owned(), wait: None })
    }

    fn broken(&self, error: &reqwest::Error) -> Lost {
        let reason = match self.response {
            Some(_) => format!("the connection to {} is lost: {}", origin(&self.url), cause(error)),
            None => unreachable(&self.url, error).to_string(),
        };
        Lost::ForNow { reason, wait: None }
    }
}

/// The whole request was answered with an error.
async fn refused(mut response: Response) -> Lost {
    let status = response.status().as_u16();
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let request_id = header("x-request-id");
    let wait = header(RETRY_AFTER.as_str()).and_then(|seconds| seconds.trim().parse().ok());
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ERROR_BYTES {
            break;
        }
    }
    let reason = problem(status, &body, request_id.as_deref());
    match is_for_now(status) {
        true => Lost::ForNow { reason, wait: wait.map(Duration::from_secs) },
        false => Lost::ForGood(Failure::answered(status, reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_says_whether_to_send_the_line_again() {
        for (result, verdict, reason) in [
            (
                r#"{"line":1,"status":201,"notifications":[{"id":"x","to":"1","position":"p"}]}"#,
                Verdict::Sent,
                "no reason given",
            ),
            (r#"{"line":1,"status":200}"#, Verdict::Sent, "no reason given"),
            (
                r#"{"line":1,"status":404,"code":"user_not_found","detail":"no such user: 9"}"#,
                Verdict::Failed,
                "no such user: 9",
            ),
            (
                r#"{"line":1,"status":503,"code":"broker_unavailable","detail":"away"}"#,
                Verdict::Again,
                "away",
            ),
            (
                r#"{"line":1,"status":429,"code":"too_many_requests"}"#,
                Verdict::Again,
                "no reason given",
            ),
            (
                r#"{"line":1,"status":500,"code":"internal","detail":"a fault"}"#,
                Verdict::Failed,
                "a fault",
            ),
            (
                r#"{"line":1,"status":207,"notifications":[{"to":"1","status":201},{"to":"2","status":503,"code":"broker_unavailable"}]}"#,
                Verdict::Again,
                "not sent to 2 (broker_unavailable)",
            ),
            (
                r#"{"line":1,"status":207,"notifications":[{"to":"1","status":413,"code":"too_large"},{"to":"2","status":503,"code":"broker_unavailable"}]}"#,
                Verdict::Failed,
                "not sent to 1 (too_large), 2 (broker_unavailable)",
            ),
        ] {
            let result: LineResult = serde_json::from_str(result).unwrap();
            assert_eq!((result.verdict(), result.reason().as_str()), (verdict, reason));
        }
    }
}
