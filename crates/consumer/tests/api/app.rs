//! The query service and its broker under test, with verbs.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use consumer::{Application, BuildError, Config, ConsumerArgs, StoreLimitsArgs, StreamsArgs};
use models::{
    Headers, Notification, NotificationId, Offset, Partition, Record, Sent, Timestamp, User, UserId,
};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use crate::broker_verbs::BrokerVerbs;
use crate::broker_verbs::topics;
pub(crate) use test_broker::TestBroker;

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const NONE: &str = r#"{"message":"No notifications found for user","notifications":[]}"#;

pub(crate) const PARTITIONS: i32 = 6;

pub(crate) fn soon() -> Instant {
    Instant::now() + LONG
}

/// The wall clock: brokers delete what is older than a week.
pub(crate) fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_ms_clamped(i64::try_from(since_1970.as_millis()).unwrap())
}

/// A query service on any free address.
pub(crate) fn config(broker: &TestBroker, store: &Path) -> Config {
    let args = ConsumerArgs {
        consumer_addr: "127.0.0.1:0".into(),
        cors_origins: Vec::new(),
        streams: StreamsArgs::default(),
        limits: StoreLimitsArgs::default(),
    };
    // Nothing listens there.
    let producer_url = "http://127.0.0.1:1".to_owned();
    let mut config = args.config(producer_url, store.to_owned(), broker.cluster(), topics());
    config.server.workers = 2;
    config
}

pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) broker: TestBroker,
    pub(crate) store: TempDir,
    client: reqwest::Client,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status and body are these.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }

    /// 400 in the tutorial's form, for this reason.
    #[track_caller]
    pub(crate) fn is_refused(&self, reason: &str) {
        self.is(400, &json!({ "message": reason }).to_string());
        assert_eq!(self.header("content-type"), Some("application/json"));
    }

    /// A problem document (RFC 9457) with this code, whose request id is the answer's.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, title: &str, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["title"], title);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code);
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
    }

    /// The texts of the notifications, as they are ordered.
    pub(crate) fn messages(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{self:?}");
        let json = self.json();
        let texts = json["notifications"].as_array().unwrap().iter();
        texts.map(|it| it["message"].as_str().unwrap().to_owned()).collect()
    }
}

/// A second service, with a store of its own, on the same broker.
pub(crate) struct Instance {
    address: SocketAddr,
    client: reqwest::Client,
    _stop: DropGuard,
    _store: TempDir,
}

impl Instance {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }
}

impl TestApp {
    /// Another service beside this one, ready to answer.
    pub(crate) async fn beside(&self) -> Instance {
        let store = tempfile::tempdir().unwrap();
        let application = Application::build(config(&self.broker, store.path())).unwrap();
        let address = application.address();
        let stop = CancellationToken::new();
        tokio::spawn(application.run_until_stopped(stop.clone()));
        let client = self.client.clone();
        let other = Instance { address, client, _stop: stop.drop_guard(), _store: store };
        eventually(soon(), async || other.get("/readyz").await.status == 200).await;
        other
    }

    /// Ready to answer.
    pub(crate) async fn spawn() -> Self {
        Self::spawn_with(|_| {}).await
    }

    pub(crate) async fn spawn_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::spawn_on(TestBroker::start().await, change).await
    }

    pub(crate) async fn spawn_on(broker: TestBroker, change: impl FnOnce(&mut Config)) -> Self {
        let app = Self::start(broker, tempfile::tempdir().unwrap(), change).unwrap();
        app.is_ready().await;
        app
    }

    /// Running, whether its broker does or not.
    pub(crate) fn start(
        broker: TestBroker,
        store: TempDir,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, BuildError> {
        let mut config = config(&broker, store.path());
        change(&mut config);
        let application = Application::build(config)?;
        let address = application.address();
        let stop = CancellationToken::new();
        let running = tokio::spawn(application.run_until_stopped(stop.clone()));
        let client = reqwest::Client::builder().no_proxy().timeout(LONG).build().unwrap();
        Ok(Self { address, broker, store, client, stop, running })
    }

    pub(crate) async fn is_ready(&self) {
        eventually(soon(), async || self.get("/readyz").await.status == 200).await;
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// The notifications of a user.
    pub(crate) async fn inbox(&self, user: impl std::fmt::Display) -> Answer {
        self.get(&format!("/notifications/{user}")).await
    }

    /// The answer, once it shows so many notifications.
    pub(crate) async fn inbox_of(&self, user: &str, count: usize) -> Answer {
        let deadline = soon();
        loop {
            let answer = self.inbox(user).await;
            let found = answer.messages().len();
            if found == count {
                return answer;
            }
            assert!(found < count, "{found} of {count}");
            assert!(Instant::now() < deadline, "{found} of {count}");
            tokio::task::yield_now().await;
        }
    }

    /// Appends records to the home partition of a user.
    pub(crate) async fn append_for(&self, user: &str, records: Vec<Record>) -> Vec<Offset> {
        self.broker.append(home(user), records).await
    }

    /// Sends texts from Bruno to a user.
    pub(crate) async fn tell(&self, user: &str, texts: &[&str]) {
        let records = texts.iter().map(|text| sent_record(&to(user), text)).collect();
        self.append_for(user, records).await;
    }

    /// A count in `/metrics`; 0 where there is none yet.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics").await.body;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |count| count.parse().unwrap())
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ended().await
    }

    /// Waits until it ends.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        tokio::time::timeout(LONG, &mut self.running).await.expect("it ends").unwrap()
    }

    /// Stops it, for its broker and its store.
    pub(crate) async fn ended_for_its_parts(mut self) -> Self {
        self.stop().await.unwrap();
        self
    }

    /// Stops, and starts again with this store or, for `None`, the same.
    pub(crate) async fn restart(mut self, store: Option<TempDir>) -> Self {
        self.stop().await.unwrap();
        if let Some(store) = store {
            self.store = store;
        }
        self.restart_stopped().await
    }

    /// Starts again after [`TestApp::stop`].
    pub(crate) async fn restart_stopped(self) -> Self {
        let app = Self::start(self.broker, self.store, |_| {}).unwrap();
        app.is_ready().await;
        app
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.expect("a whole body");
    assert_ne!(status, 500, "{body}");
    Answer { status, headers, body }
}

/// Where Java's partitioner puts a user, of 6 partitions.
pub(crate) fn home(user: &str) -> Partition {
    kafka::Partitioner::Java.partition(&user.parse().unwrap(), PARTITIONS)
}

pub(crate) fn bruno() -> User {
    User { id: UserId::from_integer(2), name: "Bruno".into() }
}

/// A user by an id, with a name of no interest.
pub(crate) fn to(id: &str) -> User {
    let name = if id == "1" { "Emma".to_owned() } else { format!("User {id}") };
    User { id: id.parse().unwrap(), name }
}

/// The record of a text from Bruno, as the publisher writes it.
pub(crate) fn sent_record(to: &User, text: &str) -> Record {
    let notification = Notification::plain(bruno(), to.clone(), text.to_owned());
    let sent =
        Sent { id: NotificationId::new(), created_at: now(), notification, fingerprint: None };
    Record::of_sent(&sent).unwrap()
}

/// A record as any program may write it.
pub(crate) fn raw_record(key: Option<&[u8]>, value: Option<&str>) -> Record {
    Record {
        key: key.map(|key| key.to_vec().into()),
        value: value.map(|value| value.to_owned().into()),
        headers: Headers::default(),
        timestamp: now(),
    }
}

/// The same with headers.
pub(crate) fn with_headers(record: Record, headers: &[(&str, &str)]) -> Record {
    Record { headers: headers.iter().copied().collect(), ..record }
}

/// Asks until it is so.
pub(crate) async fn eventually(deadline: Instant, mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time");
        tokio::task::yield_now().await;
    }
}
