//! Stopping and starting again: the store grows back from the log, byte for byte.

use std::path::{Path, PathBuf};
use std::time::Duration;

use consumer::Application;
use kafka::Partitioner;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::app::{
    BrokerVerbs as _, NONE, TestApp, TestBroker, config, eventually, home, raw_record, sent_record,
    soon, to,
};

/// With something in the inboxes of 1 to 9.
async fn with_inboxes() -> TestApp {
    let app = TestApp::spawn().await;
    for id in 1..10 {
        let user = to(&id.to_string());
        let mut records: Vec<_> =
            (0..30).map(|number| sent_record(&user, &number.to_string())).collect();
        records.push(records[3].clone());
        records.push(raw_record(None, Some("nonsense")));
        app.append_for(user.id.as_str(), records).await;
        app.inbox_of(user.id.as_str(), 30).await;
    }
    app
}

async fn bodies(app: &TestApp) -> Vec<String> {
    let mut bodies = Vec::new();
    for id in 0..11 {
        bodies.push(app.inbox(id).await.body);
        bodies.push(app.inbox(format!("{id}?limit=7")).await.body);
    }
    bodies
}

#[tokio::test]
async fn with_the_same_store_the_answers_are_the_same() {
    let app = with_inboxes().await;
    let before = bodies(&app).await;
    let app = app.restart(None).await;
    assert_eq!(bodies(&app).await, before);
    // What it had applied it does not apply again.
    assert_eq!(app.metric("notify_applied_notifications_total{partition=\"3\"}").await, 0);
    app.tell("1", &["after"]).await;
    assert_eq!(app.inbox_of("1", 31).await.messages().last().unwrap(), "after");
}

#[tokio::test]
async fn without_its_store_the_answers_are_the_same() {
    let app = with_inboxes().await;
    let before = bodies(&app).await;
    let app = app.restart(Some(tempfile::tempdir().unwrap())).await;
    assert_eq!(bodies(&app).await, before);
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_grows_back() {
    for file in ["version", "0.jnl", "keyspaces/0/current"] {
        let mut app = with_inboxes().await;
        let before = bodies(&app).await;
        app.stop().await.unwrap();
        let path = app.store.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        for byte in bytes.iter_mut().take(2_000).skip(4) {
            *byte ^= 0x55;
        }
        bytes.truncate(bytes.len().max(8) - 1);
        std::fs::write(&path, bytes).unwrap();
        let app = app.restart_stopped().await;
        assert_eq!(bodies(&app).await, before, "{file}");
        for aside in set_aside(app.store.path()) {
            std::fs::remove_dir_all(aside).unwrap();
        }
    }
}

fn set_aside(store: &Path) -> Vec<PathBuf> {
    let name = format!("{}.damaged-", store.file_name().unwrap().display());
    let siblings = std::fs::read_dir(store.parent().unwrap()).unwrap();
    let siblings = siblings.map(|entry| entry.unwrap());
    siblings
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&name))
        .map(|entry| entry.path())
        .collect()
}

#[tokio::test]
async fn what_was_sent_meanwhile_is_shown_after_the_start() {
    let mut app = with_inboxes().await;
    app.stop().await.unwrap();
    app.tell("1", &["meanwhile"]).await;
    let app = app.restart_stopped().await;
    assert_eq!(app.inbox("1").await.messages().last().unwrap(), "meanwhile");
}

#[tokio::test]
async fn a_log_made_anew_is_another_one() {
    let mut app = with_inboxes().await;
    app.stop().await.unwrap();
    app.broker.replace(TestBroker::start().await).await;
    let app = app.restart_stopped().await;
    app.inbox("1").await.is(200, NONE);
    app.tell("1", &["new"]).await;
    assert_eq!(app.inbox_of("1", 1).await.messages(), ["new"]);
}

#[tokio::test]
async fn a_log_made_anew_under_a_running_service_is_folded_anew() {
    let mut app = with_inboxes().await;
    let other = TestBroker::start().await;
    other.topics().await;
    app.broker.replace(other).await;
    // 503 where a request comes while there is neither.
    eventually(soon(), async || app.get("/notifications/1").await.body == NONE).await;
    app.tell("1", &["new"]).await;
    assert_eq!(app.inbox_of("1", 1).await.messages(), ["new"]);
}

#[tokio::test]
async fn no_answer_is_made_of_two_logs() {
    let mut app = TestApp::spawn().await;
    let texts = |name: &str, count: usize| -> Vec<_> {
        (0..count).map(|number| format!("{name} {number}")).collect()
    };
    let (old, new) = (texts("old", 5), texts("new", 20));
    app.tell("1", &old.iter().map(String::as_str).collect::<Vec<_>>()).await;
    app.inbox_of("1", 5).await;
    let other = TestBroker::start().await;
    other.topics().await;
    let records = new.iter().map(|text| sent_record(&to("1"), text)).collect();
    other.append(home("1"), records).await;
    app.broker.replace(other).await;
    let mut last = String::new();
    while last != "new 19" {
        let answer = app.get("/notifications/1").await;
        if answer.status != 200 {
            continue;
        }
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let shown = body["notifications"].as_array().unwrap().iter();
        let shown: Vec<_> = shown.map(|it| it["message"].as_str().unwrap().to_owned()).collect();
        assert!(old.starts_with(&shown) || new.starts_with(&shown), "{shown:?}");
        last = shown.last().cloned().unwrap_or_default();
    }
}

#[tokio::test]
async fn requests_under_way_are_answered_before_the_end() {
    let mut app = with_inboxes().await;
    let expected = app.inbox("1").await.body;
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let request = app.request(reqwest::Method::GET, "/notifications/1");
        requests.spawn(async move { request.send().await });
    }
    let served =
        r#"notify_http_requests_total{method="GET",route="/notifications/{userID}",status="200"}"#;
    let before = app.metric(served).await;
    eventually(soon(), async || app.metric(served).await > before).await;
    let began = Instant::now();
    app.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let mut answered = 0;
    for result in requests.join_all().await {
        // What came too late for the listener finds it closed.
        let Ok(response) = result else { continue };
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), expected, "whole");
        answered += 1;
    }
    assert!(answered > 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_does_not_hold_up_the_end() {
    let mut app =
        TestApp::spawn_with(|it| it.server.shutdown_timeout = Duration::from_secs(1)).await;
    let text = "x".repeat(880_000);
    app.tell("1", &[text.as_str(); 10]).await;
    app.inbox_of("1", 10).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(b"GET /notifications/1 HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    let began = Instant::now();
    app.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stopped_service_ends_without_an_error_whether_its_broker_runs_or_not() {
    let mut running = TestApp::spawn().await;
    running.stop().await.unwrap();
    let mut broker_went_first = TestApp::spawn().await;
    broker_went_first.broker.stop().await;
    broker_went_first.stop().await.unwrap();
    let broker = TestBroker::not_running();
    let mut never = TestApp::start(broker, tempfile::tempdir().unwrap(), |_| {}).unwrap();
    never.stop().await.unwrap();
}

#[tokio::test]
async fn topics_that_cannot_be_used_end_the_service_with_the_reason() {
    let mut app = TestApp::spawn().await;
    app.stop().await.unwrap();
    let sarama = |config: &mut consumer::Config| {
        config.topics.partitioner = Some(Partitioner::Sarama);
    };
    let mut other = TestApp::start(app.broker, app.store, sarama).unwrap();
    let error = other.ended().await.unwrap_err();
    assert!(format!("{error:#}").contains("--partitioner"), "{error:#}");
}

#[tokio::test]
async fn what_is_taken_is_named_with_the_flag() {
    let app = TestApp::spawn().await;
    let refused = |config| match Application::build(config) {
        Ok(_) => panic!("two on one"),
        Err(error) => error.into_exit("--store-dir").to_string(),
    };
    let other_store = tempfile::tempdir().unwrap();
    let mut config_of_address = config(&app.broker, other_store.path());
    config_of_address.address = app.address.to_string();
    let error = refused(config_of_address);
    assert!(error.contains(&app.address.to_string()), "{error}");
    assert!(error.contains("--consumer-addr"), "{error}");

    let error = refused(config(&app.broker, app.store.path()));
    assert!(error.contains(&app.store.path().display().to_string()), "{error}");
    assert!(error.contains("--store-dir"), "{error}");
}
