//! `doctor`, against the embedded broker.

use std::fs;
use std::path::Path;
use std::time::Duration;

use broker::{Broker, Config};
use kafka::{ClusterConfig, Lane, TopicsConfig, Writer, WriterConfig, WriterMetrics};
use models::{Partition, Record, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::program::{Ended, Program};
use crate::server::{LONG, Reply, Server};

struct TestBroker {
    broker: Broker,
    dir: TempDir,
}

impl TestBroker {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(Config::new(dir.path(), "127.0.0.1:0")).await.unwrap();
        Self { broker, dir }
    }

    /// With the topics of an installation.
    async fn installed() -> Self {
        let broker = Self::start().await;
        let config =
            TopicsConfig { topic: "n".into(), partitions_at_creation: 6, partitioner: None };
        let now = Timestamp::from_ms_clamped(1_700_000_000_000);
        kafka::ensure(&broker.cluster(), &config, &[], now).await.unwrap();
        broker
    }

    fn address(&self) -> String {
        self.broker.addr().to_string()
    }

    fn cluster(&self) -> ClusterConfig {
        ClusterConfig::new(vec![self.address()], "test")
    }

    /// Sets what the broker itself would not let a client set any more.
    async fn set(self, topic: &str, name: &str, value: &str) -> Self {
        let Self { broker, dir } = self;
        broker.stop(LONG).await.unwrap();
        change(dir.path(), topic, name, value);
        let broker = Broker::start(Config::new(dir.path(), "127.0.0.1:0")).await.unwrap();
        Self { broker, dir }
    }

    async fn append(&self, topic: &str) {
        let (writer, task) = Writer::new(
            self.cluster(),
            topic,
            Partition(0),
            &WriterConfig::default(),
            WriterMetrics::default(),
        );
        tokio::spawn(task);
        let record = Record {
            key: None,
            value: Some("x".into()),
            headers: Default::default(),
            timestamp: Timestamp::from_ms_clamped(1_700_000_000_000),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        writer.produce(record, Lane::Single, deadline).await.unwrap();
    }

    async fn doctor(&self, program: &Program, flags: &[&str]) -> Ended {
        let brokers = self.address();
        let args = ["doctor", "--topic", "n", "--brokers", &brokers, "--timeout", "5"];
        program.run(&[&args, flags].concat()).await
    }
}

/// Changes a setting in the files that the broker keeps about topics.
fn change(folder: &Path, topic: &str, name: &str, value: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            change(&path, topic, name, value);
        } else if path.ends_with(Path::new(topic).join("topic.json")) {
            let mut about: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            about["configs"][name] = value.into();
            fs::write(&path, about.to_string()).unwrap();
        }
    }
}

/// Healthy services: readyz of the producer and of the consumer, partitions, metrics.
fn healthy() -> Vec<Reply> {
    vec![
        Reply::json(200, r#"{"status":"ready","details":{}}"#),
        Reply::json(200, r#"{"status":"ready","details":{}}"#),
        Reply::json(
            200,
            r#"{"partitions":[{"partition":0,"state":"live","owner":"x","next_offset":4,"high_watermark":4,"lag":0}]}"#,
        ),
        Reply::json(200, "notify_misplaced_records_total{partition=\"0\"} 0\n"),
    ]
}

/// The lines that are not ok.
fn found(ended: &Ended) -> Vec<&str> {
    ended.stdout.lines().filter(|line| !line.starts_with("ok ")).collect()
}

#[tokio::test]
async fn all_is_well_where_all_is_well() {
    let broker = TestBroker::installed().await;
    let server = Server::with(healthy()).await;
    let program = Program::at(&server);
    let ended = broker.doctor(&program, &[]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(found(&ended), ["0 errors, 0 warnings"], "{}", ended.stdout);
    assert!(ended.stdout.contains("not checked: the broker does not tell"), "{}", ended.stdout);
    assert_eq!(
        server.lines(),
        ["GET /readyz", "GET /readyz", "GET /v1/partitions", "GET /metrics"]
    );

    let server = Server::with(healthy()).await;
    let ended = broker.doctor(&Program::at(&server), &["--json"]).await;
    assert_eq!(ended.code, 0);
    for line in ended.stdout.lines() {
        let check: Value = serde_json::from_str(line).unwrap();
        assert_eq!(check["status"], "ok", "{line}");
        assert!(check["check"].is_string() && check["detail"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_and_not_made() {
    let broker = TestBroker::start().await;
    let server = Server::with(healthy()).await;
    for _ in 0..2 {
        let ended = broker.doctor(&Program::at(&server), &[]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        for topic in ["n", "n.users", "n.dlq"] {
            let line = format!("error    topic {topic}: it does not exist. To do: start the ");
            assert!(ended.stdout.contains(&line), "{}", ended.stdout);
        }
    }
}

#[tokio::test]
async fn settings_that_lose_something_are_errors_with_what_to_do() {
    for (topic, name, value, line) in [
        ("n", "cleanup.policy", "compact", "error    cleanup.policy of n: it is compacted"),
        (
            "n.users",
            "cleanup.policy",
            "delete",
            "error    cleanup.policy of n.users: delete: users are lost",
        ),
        (
            "n.dlq",
            "retention.ms",
            "-1",
            "error    retention.ms of n.dlq: for ever, longer than the 90 days of n",
        ),
        ("n", "segment.ms", "8640000000", "warning  segment.ms of n: 100 days, longer than"),
        ("n", "retention.ms", "3600000", "warning  retention.ms of n: 1 hours"),
        ("n", "max.message.bytes", "1000", "warning  max.message.bytes of n"),
    ] {
        let broker = TestBroker::installed().await.set(topic, name, value).await;
        let server = Server::with(healthy()).await;
        let ended = broker.doctor(&Program::at(&server), &[]).await;
        let found = found(&ended);
        let line = found.iter().find(|found| found.starts_with(line));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", ended.stdout));
        assert!(line.contains(&format!("--topic {topic} --add-config {name}=")), "{line}");
        assert_eq!(
            ended.code,
            i32::from(found.iter().any(|line| line.starts_with("error"))),
            "{}",
            ended.stdout
        );
    }
}

#[tokio::test]
async fn dead_letters_and_lag_are_counted() {
    let broker = TestBroker::installed().await;
    broker.append("n.dlq").await;
    broker.append("n").await;
    let server = Server::with(healthy()).await;
    let ended = broker.doctor(&Program::at(&server), &[]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.contains("warning  dead letters: about 1 on n.dlq. To do: "),
        "{}",
        ended.stdout
    );
    let lag = "ok       consumer group kafka-notify.n: lag 1; nothing committed in 1 partitions";
    assert!(ended.stdout.contains(lag), "{}", ended.stdout);
}

#[tokio::test]
async fn brokers_and_services_that_are_away_are_named() {
    let broker = TestBroker::installed().await;
    let program = Program::at_url("http://127.0.0.1:1");
    let both = format!("127.0.0.1:1,{}", broker.address());
    let ended = program.run(&["doctor", "--topic", "n", "--brokers", &both]).await;
    assert_eq!(ended.code, 0, "one broker is enough: {ended:?}");
    for line in [
        "warning  broker 127.0.0.1:1: ",
        "warning  producer http://127.0.0.1:1: ",
        "warning  consumer http://127.0.0.1:1: ",
    ] {
        assert!(ended.stdout.contains(line), "{}", ended.stdout);
    }
    let ended = program.run(&["doctor", "--brokers", "127.0.0.1:1"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("error    broker 127.0.0.1:1: "), "{}", ended.stdout);
}

#[tokio::test]
async fn what_services_say_is_passed_on() {
    let broker = TestBroker::installed().await;
    let server = Server::with([
        Reply::json(503, r#"{"status":"starting","details":{}}"#),
        Reply::json(200, r#"{"status":"ready","details":{"topics":"the topic has 8 partitions"}}"#),
        Reply::json(200, r#"{"partitions":[{"partition":0,"state":"restoring","owner":"x","next_offset":0,"high_watermark":4,"lag":4}]}"#),
        Reply::json(200, "notify_misplaced_records_total{partition=\"0\"} 3\n"),
    ])
    .await;
    let ended = broker.doctor(&Program::at(&server), &[]).await;
    assert_eq!(ended.code, 1);
    for line in [
        "error    producer ",
        "starting (HTTP 503)",
        "ready; topics: the topic has 8 partitions",
        "warning  inboxes: 0 of 1 partitions live, lag 4; partitions 0 restoring",
        "warning  misplaced records: 3 since",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
}
