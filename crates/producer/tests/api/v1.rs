//! The v1 routes, with verbs.

use producer::{Application, Config};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Method, RequestBuilder};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::app::{Answer, LONG, TestApp, answer, config, eventually, soon};

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const SEND: &str = "/v1/notifications";
pub(crate) const SEND_BATCH: &str = "/v1/notifications/batch";
pub(crate) const USERS: &str = "/v1/users";
pub(crate) const USERS_BATCH: &str = "/v1/users/batch";

/// A client of one instance.
pub(crate) struct V1 {
    base: String,
    client: reqwest::Client,
}

impl TestApp {
    pub(crate) fn v1(&self) -> V1 {
        let client = reqwest::Client::builder().no_proxy().timeout(LONG).build().unwrap();
        V1 { base: format!("http://{}", self.address), client }
    }

    /// Another instance on the same broker, which runs until the test ends.
    pub(crate) async fn second(&self, change: impl FnOnce(&mut Config)) -> V1 {
        let mut config = config(&self.broker);
        change(&mut config);
        let application = Application::build(config).unwrap();
        let base = format!("http://{}", application.address());
        tokio::spawn(application.run_until_stopped(CancellationToken::new()));
        let second = V1 { base, ..self.v1() };
        eventually(soon(), async || second.get("/readyz").await.status == 200).await;
        second
    }
}

impl V1 {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) fn posting(&self, kind: &str, path: &str, body: impl Into<Body>) -> RequestBuilder {
        self.request(Method::POST, path).header(CONTENT_TYPE, kind).body(body)
    }

    pub(crate) async fn publish(&self, body: &Value) -> Answer {
        answer(self.posting(JSON, SEND, body.to_string())).await
    }

    pub(crate) async fn publish_with(&self, key: &str, body: &Value) -> Answer {
        let request = self.posting(JSON, SEND, body.to_string());
        answer(request.header("Idempotency-Key", key)).await
    }

    /// The results of a batch that is sent whole.
    pub(crate) async fn batch(&self, path: &str, lines: impl Into<Body>) -> Vec<Value> {
        let answer = answer(self.posting(NDJSON, path, lines)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some(NDJSON));
        results(&answer.body)
    }

    pub(crate) async fn put_user(&self, id: &str, body: &Value) -> Answer {
        let request = self.request(Method::PUT, &format!("{USERS}/{id}"));
        answer(request.header(CONTENT_TYPE, JSON).body(body.to_string())).await
    }

    pub(crate) async fn delete_user(&self, id: &str) -> Answer {
        answer(self.request(Method::DELETE, &format!("{USERS}/{id}"))).await
    }
}

pub(crate) fn results(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "whole lines");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Line numbers and statuses.
pub(crate) fn statuses(results: &[Value]) -> Vec<(u64, u64)> {
    let of = |it: &Value| (it["line"].as_u64().unwrap(), it["status"].as_u64().unwrap());
    results.iter().map(of).collect()
}

impl Answer {
    /// A problem document with this code, whose detail says this.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str, detail: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
        let said = problem["detail"].as_str().unwrap();
        assert!(said.contains(detail), "{said:?} does not say {detail:?}");
        let retry_after = matches!(status, 429 | 503).then_some("1");
        assert_eq!(self.header("retry-after"), retry_after, "{self:?}");
    }
}
