//! Handing a request on to the producer, so that a web page needs one origin.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Response, redirect};
use tokio::sync::Semaphore;

/// How long connecting may take. Longer, and a producer that is away is noticed late; shorter, and a
/// busy one is taken for one that is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection is kept for another request. Longer than the producer keeps it (5 s), and a
/// request goes out over one that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections that are kept though nothing is asked over them.
const IDLE_CONNECTIONS: usize = 32;

/// Requests that are handed on at once; at the bound the newcomer is told to come again. Larger, and
/// a producer that hangs costs more connections; smaller, and a slow one is busy sooner.
const MAX_IN_FLIGHT: usize = 256;

/// The longest answer: of 1,000 recipients it has 150 bytes for each.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What of a request is handed on.
pub(crate) const PASSED_ON: [&str; 4] =
    ["content-type", "authorization", "idempotency-key", "x-request-id"];

/// What of an answer is handed back.
const PASSED_BACK: [&str; 3] = ["content-type", "retry-after", "idempotency-replayed"];

/// The way to the producer.
pub(crate) struct Forwarder {
    client: Client,
    url: String,
    in_flight: Semaphore,
}

/// An answer of the producer.
pub(crate) struct Forwarded {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ForwardError {
    /// Too many requests are handed on already.
    #[error("too many requests are handed on to the producer at once")]
    Busy,
    /// It is not there.
    #[error("the producer cannot be reached; nothing was sent")]
    Unreachable(#[source] reqwest::Error),
    /// It got the request.
    #[error(
        "the producer cannot be reached: whether the notification was sent is unknown; a retry with the same Idempotency-Key is safe"
    )]
    NoAnswer(#[source] reqwest::Error),
    /// It answered more than it should.
    #[error("the producer's answer is too long: what became of the notification is unknown")]
    TooLong,
}

impl Forwarder {
    /// To the producer at this URL, `http://host:port`.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()?;
        let url = format!("{url}/v1/notifications");
        Ok(Self { client, url, in_flight: Semaphore::new(MAX_IN_FLIGHT) })
    }

    /// Hands on the body of `POST /v1/notifications`, and these headers of it.
    ///
    /// # Errors
    /// See [`ForwardError`].
    pub(crate) async fn send(
        &self,
        headers: Vec<(&'static str, Vec<u8>)>,
        body: Bytes,
    ) -> Result<Forwarded, ForwardError> {
        let _in_flight = self.in_flight.try_acquire().map_err(|_| ForwardError::Busy)?;
        let mut request = self.client.post(&self.url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let sent = request.body(body).send().await;
        let response = sent.map_err(|error| match error.is_connect() {
            true => ForwardError::Unreachable(error),
            false => ForwardError::NoAnswer(error),
        })?;
        read(response).await
    }
}

async fn read(mut response: Response) -> Result<Forwarded, ForwardError> {
    let status = response.status().as_u16();
    let value =
        |name: &&'static str| Some((*name, response.headers().get(*name)?.as_bytes().to_vec()));
    let headers = PASSED_BACK.iter().filter_map(value).collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ForwardError::NoAnswer)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ForwardError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Forwarded { status, headers, body })
}
