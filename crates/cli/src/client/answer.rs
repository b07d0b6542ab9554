//! An answer of a service.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{origin, unreachable};
use crate::failure::Failure;

/// The most bytes of an answer that are read: a page of 200 notifications of 900 KB.
const MAX_BYTES: usize = 200 * 1024 * 1024;

/// An answer, read to its end.
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    url: Url,
}

impl Answer {
    pub(crate) async fn read(mut response: Response) -> Result<Self, Failure> {
        let url = response.url().clone();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(unreachable(&url, &error)),
            }
            if body.len() > MAX_BYTES {
                return Err(Failure::failed(format!(
                    "the answer of {} is over {MAX_BYTES} bytes long",
                    origin(&url)
                )));
            }
        }
        Ok(Self { status, headers, body: body.freeze(), url })
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the same request may be answered otherwise before long.
    pub(crate) fn may_pass(&self) -> bool {
        is_for_now(self.status) || (self.status == 207 && self.failed_for_now())
    }

    /// When to try again, as the server would have it. The form that is a date is not read: what
    /// answers here gives seconds.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// Whether all that failed of what is partly done may succeed later.
    fn failed_for_now(&self) -> bool {
        let Ok(parts) = serde_json::from_slice::<Parts>(&self.body) else { return false };
        parts.notifications.iter().all(|part| match part.status {
            Some(status) => status < 300 || is_for_now(status),
            None => true,
        })
    }

    pub(super) fn into_result(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(self.failure()) }
    }

    /// What is wrong, for an answer that is an error.
    pub(crate) fn failure(&self) -> Failure {
        let reason = problem(self.status, &self.body, self.header("x-request-id"));
        let failure = Failure::answered(self.status, reason);
        match self.status {
            // Not what was asked for is missing, but the route: something else answers there.
            404 if self.has_no_such_route() => Failure::failed(failure).advise(
                "is this the right service? --url names the consumer, --producer-url the producer",
            ),
            401 => failure.advise("give a credential with --token or NOTIFY_TOKEN"),
            _ => failure,
        }
    }

    fn has_no_such_route(&self) -> bool {
        let document: Document = serde_json::from_slice(&self.body).unwrap_or_default();
        document.code.as_deref() == Some("not_found")
    }

    /// The body as what it should be.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let from = origin(&self.url);
            Failure::failed(format!("the answer of {from} cannot be read: {error}"))
        })
    }
}

/// Whether what has this status may succeed later: a body that came too slowly, too much at once,
/// and what is away.
pub(crate) fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 429 | 502 | 503 | 504)
}

#[derive(Deserialize)]
struct Parts {
    notifications: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    status: Option<u16>,
}

/// An error document: RFC 9457, or the tutorial's. Whatever else answers there may leave out any of
/// it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    detail: Option<String>,
    message: Option<String>,
    code: Option<String>,
    request_id: Option<String>,
}

/// An error answer in a sentence.
pub(crate) fn problem(status: u16, body: &[u8], request_id: Option<&str>) -> String {
    let document: Document = serde_json::from_slice(body).unwrap_or_default();
    let detail = document.detail.or(document.message);
    let detail = detail.unwrap_or_else(|| "the server answered with an error".to_owned());
    let code = document.code.map(|code| format!(" {code}")).unwrap_or_default();
    let request_id = document.request_id.as_deref().or(request_id);
    let request_id = request_id.map(|id| format!(", request_id {id}")).unwrap_or_default();
    format!("{detail} (HTTP {status}{code}{request_id})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_their_detail_their_code_and_the_request() {
        let document = br#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no such user: 9","code":"user_not_found","request_id":"r1"}"#;
        for (body, request_id, sentence) in [
            (&document[..], None, "no such user: 9 (HTTP 404 user_not_found, request_id r1)"),
            (
                br#"{"message":"User not found"}"#,
                Some("r2"),
                "User not found (HTTP 404, request_id r2)",
            ),
            (b"<html>", None, "the server answered with an error (HTTP 404)"),
            (b"[]", None, "the server answered with an error (HTTP 404)"),
        ] {
            assert_eq!(problem(404, body, request_id), sentence);
        }
    }
}
