//! Without a broker: what was read can be read on, and is said to be old.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::{NONE, TestApp, TestBroker, eventually, soon};

fn without_a_broker(broker: TestBroker) -> TestApp {
    TestApp::start(broker, tempfile::tempdir().unwrap(), |_| {}).unwrap()
}

#[tokio::test]
async fn before_the_broker_was_there_everything_is_503() {
    let app = without_a_broker(TestBroker::not_running());
    for path in ["/notifications/1", "/notifications/99?limit=1", "/v1/partitions"] {
        let problem = app.get(path).await;
        problem.is_problem(503, "Service Unavailable", "broker_unavailable");
        assert_eq!(problem.header("retry-after"), Some("1"));
    }
    // What would be refused anyway is refused with its own reason.
    assert_eq!(app.inbox("x").await.status, 400);
    assert_eq!(app.inbox("1?limit=0").await.status, 400);
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
    let mut app = without_a_broker(TestBroker::not_running());
    assert_eq!(app.inbox("1").await.status, 503);
    app.broker.start_again().await;
    app.is_ready().await;
    app.get("/readyz").await.is(200, r#"{"status":"ready","details":{}}"#);
    app.inbox("1").await.is(200, NONE);
    app.tell("1", &["hi"]).await;
    app.inbox_of("1", 1).await;
}

#[tokio::test]
async fn while_the_broker_is_away_inboxes_are_shown_and_said_to_be_old() {
    let mut app =
        TestApp::spawn_with(|config| config.stale_after = Duration::from_millis(1_500)).await;
    app.tell("1", &["before"]).await;
    let before = app.inbox_of("1", 1).await;
    app.broker.stop().await;
    let mut staleness = None;
    eventually(soon(), async || {
        let answer = app.inbox("1").await;
        answer.is(200, &before.body);
        staleness = answer.header("staleness").map(|ms| ms.parse::<u64>().unwrap());
        staleness.is_some()
    })
    .await;
    assert!((1_500..30_000).contains(&staleness.unwrap()), "{staleness:?}");
    app.inbox("2").await.is(200, NONE);
    assert_eq!(app.get("/v1/partitions").await.status, 200);
    assert_eq!(app.get("/readyz").await.status, 200, "it can read");
    app.broker.start_again().await;
    app.tell("1", &["after"]).await;
    assert_eq!(app.inbox_of("1", 2).await.messages(), ["before", "after"]);
    eventually(soon(), async || app.inbox("1").await.header("staleness").is_none()).await;
}

#[tokio::test]
async fn while_the_broker_is_away_readiness_has_it_as_a_detail() {
    let mut app = TestApp::spawn().await;
    app.get("/readyz").await.is(200, r#"{"status":"ready","details":{}}"#);
    app.broker.stop().await;
    let details = async || {
        let ready = app.get("/readyz").await;
        assert_eq!(ready.status, 200);
        ready.json()["details"].as_object().unwrap().len()
    };
    let within = Instant::now() + Duration::from_secs(10);
    eventually(within, async || details().await > 0).await;
}

#[tokio::test]
async fn a_quiet_log_is_not_a_stale_one() {
    let app = TestApp::spawn_with(|config| config.stale_after = Duration::from_millis(1_500)).await;
    // Longer than a fetch that finds nothing is held: a second.
    let quiet = tokio::time::timeout(Duration::from_secs(4), async {
        loop {
            assert_eq!(app.inbox("1").await.header("staleness"), None);
        }
    });
    assert!(quiet.await.is_err(), "it never was");
}

#[tokio::test]
async fn restarts_of_the_broker_lose_nothing() {
    let mut app = TestApp::spawn().await;
    let mut texts = Vec::new();
    for round in 0..3 {
        let text = round.to_string();
        app.tell("1", &[&text]).await;
        texts.push(text);
        app.broker.stop().await;
        app.broker.start_again().await;
        assert_eq!(app.inbox_of("1", texts.len()).await.messages(), texts);
    }
}
