//! Without a broker: 503 and a time to come back, and all is well again when the broker is.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::{LONG, NOT_FOUND, SENT, TestApp, TestBroker, eventually, soon, topic_id};

const TIMEOUT: Duration = Duration::from_millis(700);

fn without_a_broker() -> TestApp {
    TestApp::spawn_on(TestBroker::not_running(), |config| config.produce_timeout = TIMEOUT)
}

async fn with_a_broker() -> TestApp {
    TestApp::spawn_with(|config| config.produce_timeout = TIMEOUT).await
}

#[tokio::test]
async fn before_the_broker_was_there_sends_are_503_and_the_service_is_not_ready() {
    let app = without_a_broker();
    app.send("2", "1", "hi").await.is_unavailable("Kafka has not been reached yet");
    // What would be refused anyway is refused with its own reason.
    assert_eq!(app.send("x", "1", "hi").await.status, 400);
    assert_eq!(app.get("/livez").await.status, 200);
    assert_eq!(app.get("/readyz").await.status, 503);
    assert_eq!(app.get("/metrics").await.status, 200);
    let address = app.broker.cluster().brokers[0].clone();
    eventually(soon(), async || {
        let detail = app.get("/readyz").await.json()["details"]["broker"].clone();
        detail.as_str().is_some_and(|it| it.contains(&address))
    })
    .await;
}

#[tokio::test]
async fn when_the_broker_comes_the_service_needs_no_help() {
    let mut app = without_a_broker();
    assert_eq!(app.send("2", "1", "too early").await.status, 503);
    app.broker.start_again().await;
    app.is_ready().await;
    app.send("2", "1", "hi").await.is(200, SENT);
    let ready = app.get("/readyz").await;
    ready.is(200, r#"{"status":"ready","details":{}}"#);
    assert_eq!(app.messages().await, ["hi"]);
}

#[tokio::test]
async fn while_the_broker_is_away_sends_are_503_in_time() {
    let mut app = with_a_broker().await;
    app.send("2", "1", "before").await.is(200, SENT);
    app.broker.stop().await;
    for _ in 0..3 {
        let began = Instant::now();
        app.send("2", "1", "meanwhile").await.is_unavailable("");
        assert!(began.elapsed() < TIMEOUT + Duration::from_secs(2), "{:?}", began.elapsed());
    }
    // It could read and write again at any moment: ready, with a detail.
    assert_eq!(app.get("/readyz").await.status, 200);
    assert_eq!(app.get("/livez").await.status, 200);
}

#[tokio::test]
async fn while_the_broker_is_away_readiness_has_it_as_a_detail() {
    let mut app = with_a_broker().await;
    app.broker.stop().await;
    eventually(soon(), async || details(&app).await > 0).await;
    app.broker.start_again().await;
    eventually(soon(), async || details(&app).await == 0).await;
}

/// How many details `/readyz` has, which is 200.
async fn details(app: &TestApp) -> usize {
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status, 200);
    ready.json()["details"].as_object().unwrap().len()
}

#[tokio::test]
async fn while_the_broker_is_away_nobody_is_said_not_to_exist() {
    let mut app = with_a_broker().await;
    app.send("5", "1", "hi").await.is(404, NOT_FOUND);
    app.broker.stop().await;
    // User 5 may have been added where this service cannot see it.
    eventually(soon(), async || app.send("5", "1", "hi").await.status == 503).await;
    app.send("5", "1", "hi").await.is_unavailable("users directory");
    app.broker.start_again().await;
    eventually(soon(), async || app.send("5", "1", "hi").await.status == 404).await;
}

#[tokio::test]
async fn what_is_acknowledged_around_a_restart_is_in_the_log() {
    let mut app = with_a_broker().await;
    let mut acknowledged = Vec::new();
    let mut number = 0;
    for _ in 0..3 {
        app.broker.stop().await;
        number += 1;
        assert_eq!(app.send("2", "1", &number.to_string()).await.status, 503);
        app.broker.start_again().await;
        let deadline = soon();
        loop {
            number += 1;
            let answer = app.send("2", "1", &number.to_string()).await;
            if answer.status == 200 {
                acknowledged.push(number.to_string());
                break;
            }
            assert!(Instant::now() < deadline, "{answer:?}");
        }
    }
    let mut messages = app.messages().await;
    messages.dedup();
    assert!(messages.is_sorted_by_key(|it| it.parse::<u32>().unwrap()), "{messages:?}");
    for message in acknowledged {
        assert!(messages.contains(&message), "{message} of {messages:?}");
    }
}

#[tokio::test]
async fn many_sends_while_the_broker_restarts_are_all_answered() {
    let mut app = TestApp::spawn().await;
    let mut sends = tokio::task::JoinSet::new();
    app.broker.stop().await;
    for number in 0..100 {
        let body = format!("fromID=2&toID=1&message={number}");
        let request = app.request(reqwest::Method::POST, "/send").body(body);
        let request = request.header("content-type", crate::app::FORM);
        sends.spawn(async move { crate::app::answer(request).await });
    }
    app.broker.start_again().await;
    for answer in tokio::time::timeout(LONG, sends.join_all()).await.unwrap() {
        answer.is(200, SENT);
    }
    let mut messages: Vec<u32> =
        app.messages().await.iter().map(|it| it.parse().unwrap()).collect();
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_queue_is_503_and_says_so() {
    let mut app = TestApp::spawn_with(|config| {
        config.writer.max_queued_bytes = 100_000;
        config.produce_timeout = TIMEOUT;
    })
    .await;
    app.broker.stop().await;
    let message = "x".repeat(60_000);
    // At most one is in flight and one waits.
    let sends = [(); 3].map(|()| app.send("2", "1", &message));
    let [first, second, third] = sends;
    let (first, second, third) = tokio::join!(first, second, third);
    let answers = [first, second, third];
    for answer in &answers {
        answer.is_unavailable("");
    }
    let busy = answers.iter().any(|it| it.body.contains("too much is waiting to be written"));
    assert!(busy, "{answers:?}");
}

#[tokio::test]
async fn an_acknowledgement_never_names_a_log_that_the_record_is_not_in() {
    let mut app = TestApp::spawn().await;
    app.send("2", "1", "old").await.is(200, SENT);
    let other = TestBroker::start().await;
    let new = topic_id(&other).await;
    app.broker.replace(other).await;
    let answer = app.send("2", "1", "new").await;
    // The topics were made anew: not sending is right, and so is sending with the new log's name.
    if answer.status == 200 {
        let position: models::Position = answer.header("position").unwrap().parse().unwrap();
        assert_eq!(position.topic_id, new);
    }
}

#[tokio::test]
async fn topics_made_anew_are_published_to() {
    let mut app = with_a_broker().await;
    let other = TestBroker::start().await;
    let new = topic_id(&other).await;
    app.broker.replace(other).await;
    // Until the service notices, the answer is 503.
    eventually(soon(), async || {
        let answer = app.send("2", "1", "new").await;
        let position = answer.header("position").map(|it| it.parse::<models::Position>().unwrap());
        position.is_some_and(|position| position.topic_id == new)
    })
    .await;
}
