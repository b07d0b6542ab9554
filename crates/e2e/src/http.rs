//! Asking over HTTP.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};

/// An HTTP client.
#[derive(Clone, Debug)]
pub struct Http(reqwest::Client);

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// Longer than any answer may take: a send has 5 s for the log.
const TIMEOUT: Duration = Duration::from_secs(15);

impl Http {
    /// A client.
    ///
    /// # Errors
    /// Its settings cannot be used.
    pub fn new() -> Result<Self> {
        // A server closes a connection that was idle for 5 s; a request that goes out just then is lost.
        let idle = Duration::from_secs(3);
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
        Ok(Self(client.pool_idle_timeout(idle).build()?))
    }

    /// GET.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        answer(self.0.get(url)).await.with_context(|| format!("GET {url}"))
    }

    /// POST of a form that is encoded already.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn post_form(&self, url: &str, form: String) -> Result<Answer> {
        let request = self.0.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        answer(request.body(form)).await.with_context(|| format!("POST {url}"))
    }
}

impl Http {
    /// Any method, with a JSON body, and an Idempotency-Key where there is one.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn json(
        &self,
        method: Method,
        url: &str,
        body: String,
        key: Option<&str>,
    ) -> Result<Answer> {
        let mut request = self.0.request(method.clone(), url).body(body);
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        answer(request).await.with_context(|| format!("{method} {url}"))
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: response.text().await? })
}

impl Answer {
    /// A header's value, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
