//! HTTP, as a client that tries again.

mod answer;

use std::error::Error;
use std::time::Duration;

use kafka::Backoff;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use tokio::time::{Instant, sleep, timeout_at};

use crate::client_args::{BaseUrl, ClientArgs};
use crate::failure::Failure;

pub(crate) use answer::{Answer, is_for_now, problem};

/// How long opening a connection may take. Larger, and a host that is off takes the whole timeout;
/// smaller, and a slow line is never connected.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long the head of an answer may take before the request is sent again. Larger, and an answer
/// that was lost takes the whole timeout; smaller, and a slow server is asked twice.
const ANSWERING: Duration = Duration::from_secs(10);

/// Asks the services.
pub(crate) struct Client {
    http: reqwest::Client,
    timeout: Duration,
}

/// A request that may be sent any number of times.
pub(crate) struct Ask<'a> {
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    key: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(crate) fn get(base: &BaseUrl, path: &[&str], query: &[(&str, String)]) -> Self {
        Self { method: Method::GET, url: base.join(path, query), body: None, key: None }
    }

    pub(crate) fn delete(base: &BaseUrl, path: &[&str]) -> Self {
        Self { method: Method::DELETE, ..Self::get(base, path, &[]) }
    }

    pub(crate) fn put(base: &BaseUrl, path: &[&str], body: Vec<u8>) -> Self {
        Self { method: Method::PUT, body: Some(body), ..Self::get(base, path, &[]) }
    }

    /// A POST that changes nothing when it is sent again.
    pub(crate) fn post(base: &BaseUrl, path: &[&str], body: Vec<u8>) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(base, path, &[]) }
    }

    /// Where it goes.
    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    /// With an Idempotency-Key, which is what makes it one that can be sent again.
    pub(crate) fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }
}

impl Client {
    /// A client with these flags.
    pub(crate) fn new(args: &ClientArgs) -> Result<Self, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &args.token {
            if !token.is_usable() {
                return Err(Failure::bad_input(
                    "the credential of --token (NOTIFY_TOKEN) has characters that no header can have",
                ));
            }
            headers.extend(token.header().map(|value| (AUTHORIZATION, value)));
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("kafka-notify/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECTING)
            // Before the server closes it, after 5 s.
            .pool_idle_timeout(Duration::from_secs(3))
            // The routes have none; one would come from something else that answers there.
            .redirect(Policy::none())
            .build()
            .map_err(|error| Failure::failed(format!("no HTTP client: {}", cause(&error))))?;
        Ok(Self { http, timeout: args.timeout })
    }

    /// How long to try.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The client below, for requests that are streamed.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks until there is an answer that says what became of it, or the time is over.
    ///
    /// # Errors
    /// An error status, or no answer.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut backoff = Backoff::new();
        loop {
            let tried = self.try_once(ask, deadline).await;
            let wait = match &tried {
                Ok(answer) if !answer.may_pass() => return tried?.into_result(),
                Ok(answer) => answer.retry_after(),
                Err(_) => None,
            };
            let is_over = match wait {
                Some(wait) if Instant::now() + wait >= deadline => true,
                Some(wait) => {
                    sleep(wait).await;
                    false
                }
                None => timeout_at(deadline, backoff.wait()).await.is_err(),
            };
            if is_over {
                return tried?.into_result();
            }
        }
    }

    /// Asks once, whatever the answer is.
    ///
    /// # Errors
    /// No answer.
    pub(crate) async fn ask_once(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        self.try_once(ask, Instant::now() + self.timeout).await
    }

    async fn try_once(&self, ask: &Ask<'_>, deadline: Instant) -> Result<Answer, Failure> {
        let url = ask.url.clone();
        let mut request = self.http.request(ask.method.clone(), url);
        if let Some(body) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        if let Some(key) = ask.key {
            request = request.header("Idempotency-Key", key);
        }
        let head_deadline = deadline.min(Instant::now() + ANSWERING);
        let response = match timeout_at(head_deadline, request.send()).await {
            Ok(response) => response.map_err(|error| unreachable(&ask.url, &error))?,
            Err(_) => return Err(silent(&ask.url)),
        };
        match timeout_at(deadline, Answer::read(response)).await {
            Ok(answer) => answer,
            Err(_) => Err(silent(&ask.url)),
        }
    }
}

/// Names a service, without what else is in the address.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// A failure to get an answer.
pub(crate) fn unreachable(url: &Url, error: &reqwest::Error) -> Failure {
    let what = if error.is_connect() { "cannot connect to" } else { "no answer from" };
    Failure::failed(format!("{what} {}: {}", origin(url), cause(error)))
}

/// An answer that did not come.
pub(crate) fn silent(url: &Url) -> Failure {
    Failure::failed(format!("no answer from {} in time", origin(url)))
}

/// What is at the bottom of an error: those above it repeat the whole address.
pub(crate) fn cause(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
