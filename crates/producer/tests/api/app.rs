//! The publisher and its broker under test, with verbs.

use std::net::SocketAddr;
use std::time::Duration;

use kafka::{Lane, Reader, TopicsConfig, Wait, Writer, WriterConfig, WriterMetrics};
use models::{
    DirectoryChange, Event, Headers, Notification, Offset, Partition, Place, Record, Sent,
    Timestamp, TopicId, User,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use producer::{Application, Config, ProducerArgs, Users};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Method, RequestBuilder};
pub(crate) use test_broker::TestBroker;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const SENT: &str = r#"{"message":"Notification sent successfully!"}"#;
pub(crate) const NOT_FOUND: &str = r#"{"message":"User not found"}"#;

const PARTITIONS: i32 = 6;

pub(crate) fn soon() -> Instant {
    Instant::now() + LONG
}

fn topics() -> TopicsConfig {
    TopicsConfig {
        topic: "notifications".into(),
        partitions_at_creation: PARTITIONS,
        partitioner: None,
    }
}

/// A publisher on any free address.
pub(crate) fn config(broker: &TestBroker) -> Config {
    let args = ProducerArgs {
        producer_addr: "127.0.0.1:0".into(),
        produce_timeout_ms: 5_000,
        users: Users::Directory,
    };
    let mut config = args.config(broker.cluster(), topics());
    config.server.workers = 2;
    config
}

/// The id of the notifications topic, which is made where it is not there.
pub(crate) async fn topic_id(broker: &TestBroker) -> TopicId {
    let (cluster, topics, seed) = (broker.cluster(), topics(), models::seed_users());
    let now = Timestamp::from_ms_clamped(0);
    kafka::ensure(&cluster, &topics, &seed, now).await.unwrap().topic_id
}

pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) broker: TestBroker,
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

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status and body are these.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }

    /// 503 in the tutorial's form, with a time to come back.
    #[track_caller]
    pub(crate) fn is_unavailable(&self, reason: &str) {
        assert_eq!(self.status, 503, "{self:?}");
        assert_eq!(self.header("retry-after"), Some("1"));
        assert_eq!(self.header("content-type"), Some("application/json"));
        let message = self.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(reason), "{message:?} does not say {reason:?}");
    }
}

impl TestApp {
    /// Ready to send.
    pub(crate) async fn spawn() -> Self {
        Self::spawn_with(|_| {}).await
    }

    pub(crate) async fn spawn_with(change: impl FnOnce(&mut Config)) -> Self {
        let app = Self::spawn_on(TestBroker::start().await, change);
        app.is_ready().await;
        app
    }

    /// Running, whether its broker does or not.
    pub(crate) fn spawn_on(broker: TestBroker, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&broker);
        change(&mut config);
        let application = Application::build(config).unwrap();
        let address = application.address();
        let stop = CancellationToken::new();
        let running = tokio::spawn(application.run_until_stopped(stop.clone()));
        let client = reqwest::Client::builder().no_proxy().timeout(LONG).build().unwrap();
        Self { address, broker, client, stop, running }
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

    /// Posts a body of this content type to `/send`.
    pub(crate) async fn post(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = self.request(Method::POST, "/send").header(CONTENT_TYPE, content_type);
        answer(request.body(body)).await
    }

    /// Sends what a browser's form would.
    pub(crate) async fn send(&self, from: &str, to: &str, message: &str) -> Answer {
        self.post(FORM, form(&[("fromID", from), ("toID", to), ("message", message)])).await
    }

    /// Everything in the log, in no order across partitions.
    pub(crate) async fn log(&self) -> Vec<Sent> {
        let records = self.records().await;
        records.into_iter().map(|(place, record)| sent(place, &record)).collect()
    }

    pub(crate) async fn messages(&self) -> Vec<String> {
        self.log().await.into_iter().map(|sent| sent.notification.message).collect()
    }

    pub(crate) async fn records(&self) -> Vec<(Place, Record)> {
        let mut all = Vec::new();
        let topic_id = topic_id(&self.broker).await;
        for partition in (0..PARTITIONS).map(Partition) {
            let mut reader = Reader::new(self.broker.cluster(), "notifications", partition);
            let (mut offset, end) = reader.bounds().await.unwrap();
            while offset < end {
                let fetched = reader.fetch(offset, 1 << 20, Wait::No).await.unwrap();
                let placed = |(offset, record)| (Place { topic_id, partition, offset }, record);
                all.extend(fetched.records.into_iter().map(placed));
                offset = fetched.next_offset;
            }
        }
        all
    }

    /// The end of each partition: what is written moves one.
    pub(crate) async fn ends(&self) -> Vec<Offset> {
        let mut ends = Vec::new();
        for partition in (0..PARTITIONS).map(Partition) {
            let mut reader = Reader::new(self.broker.cluster(), "notifications", partition);
            ends.push(reader.bounds().await.unwrap().1);
        }
        ends
    }

    /// Nothing was ever written.
    pub(crate) async fn log_is_empty(&self) {
        assert_eq!(self.ends().await, vec![Offset(0); 6]);
    }

    /// Appends to the users topic what another program would.
    pub(crate) async fn change_users(&self, records: Vec<Record>) {
        let topic = "notifications.users";
        let (config, metrics) = (WriterConfig::default(), WriterMetrics::default());
        let (writer, task) =
            Writer::new(self.broker.cluster(), topic, Partition(0), &config, metrics);
        let task = tokio::spawn(task);
        for record in records {
            writer.produce(record, Lane::Single, soon()).await.unwrap();
        }
        writer.close();
        task.await.unwrap();
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
        tokio::time::timeout(LONG, &mut self.running).await.expect("it stops").unwrap()
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.expect("a whole body");
    assert_ne!(status, 500, "{body}");
    Answer { status, headers, body }
}

/// A form as browsers write it.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

pub(crate) const MULTIPART: &str = "multipart/form-data; boundary=edge";

/// A form with files' parts as browsers and curl write it.
pub(crate) fn multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--edge--\r\n"
}

fn sent(place: Place, record: &Record) -> Sent {
    let Ok(Event::Sent(sent)) = Event::decode(record, place) else { panic!("{record:?}") };
    sent
}

pub(crate) fn notification(
    (from, from_name): (i64, &str),
    (to, to_name): (i64, &str),
    message: &str,
) -> Notification {
    Notification::plain(user(from, from_name), user(to, to_name), message.to_owned())
}

pub(crate) fn user(id: i64, name: &str) -> User {
    User { id: models::UserId::from_integer(id), name: name.to_owned() }
}

pub(crate) fn user_record(change: &DirectoryChange) -> Record {
    change.to_record(Timestamp::from_ms_clamped(0)).unwrap()
}

pub(crate) fn raw_record(key: Option<&str>, value: Option<&str>) -> Record {
    Record {
        key: key.map(|key| key.to_owned().into()),
        value: value.map(|value| value.to_owned().into()),
        headers: Headers::default(),
        timestamp: Timestamp::from_ms_clamped(0),
    }
}

/// Asks until it is so.
pub(crate) async fn eventually(deadline: Instant, mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time");
        tokio::task::yield_now().await;
    }
}
