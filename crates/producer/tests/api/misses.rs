//! Nobody is said not to exist who does.

use std::time::Duration;

use broker::ApiKey;
use serde_json::json;

use crate::app::{NOT_FOUND, SENT, TestApp, eventually, soon};

#[tokio::test]
async fn whoever_was_created_elsewhere_a_moment_ago_is_found() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let second = app.second(|_| {}).await;
    for number in 0..50 {
        let id = 1_000 + number;
        assert_eq!(second.put_user(&id.to_string(), &json!({"name": "New"})).await.status, 201);
        match number % 3 {
            0 => app.send(&id.to_string(), "1", "hi").await.is(200, SENT),
            1 => assert_eq!(v1.publish(&json!({"to": id, "message": "hi"})).await.status, 201),
            _ => assert_eq!(v1.get(&format!("/v1/users/{id}")).await.status, 200),
        }
    }
}

#[tokio::test]
async fn misses_at_once_share_their_questions() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let faults = app.broker.faults();
    faults.stall(ApiKey::ListOffsets);
    let mut asks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let path = format!("/v1/users/nobody-{number}");
        asks.spawn(crate::app::answer(v1.request(reqwest::Method::GET, &path)));
    }
    eventually(soon(), async || faults.held() > 0).await;
    // Enough time for a second question, if there were one.
    assert_eq!(v1.publish(&json!({"to": 1, "message": "hi"})).await.status, 201);
    assert_eq!(faults.held(), 1);
    faults.clear();
    for answer in asks.join_all().await {
        answer.is_problem(404, "user_not_found", "nobody-");
    }
}

#[tokio::test]
async fn while_the_end_cannot_be_asked_for_a_miss_is_503_in_time() {
    let timeout = Duration::from_millis(600);
    let app = TestApp::spawn_with(|config| config.produce_timeout = timeout).await;
    let v1 = app.v1();
    app.broker.faults().stall(ApiKey::ListOffsets);
    let began = tokio::time::Instant::now();
    let missing = v1.publish(&json!({"to": "nobody", "message": "hi"})).await;
    missing.is_problem(503, "broker_unavailable", "users directory is not up to date");
    app.send("77", "1", "hi").await.is_unavailable("users directory is not up to date");
    v1.get("/v1/users/nobody").await.is_problem(503, "broker_unavailable", "users directory");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    // Whom it knows can send meanwhile.
    assert_eq!(v1.publish(&json!({"from": 2, "to": 1, "message": "hi"})).await.status, 201);
    app.broker.faults().clear();
    eventually(soon(), async || v1.get("/v1/users/nobody").await.status == 404).await;
    app.send("77", "1", "hi").await.is(404, NOT_FOUND);
}

#[tokio::test]
async fn zero_and_negative_ids_are_nobodys_on_the_tutorials_route() {
    let app = TestApp::spawn().await;
    assert_eq!(app.v1().put_user("0", &json!({"name": "Zero"})).await.status, 201);
    assert_eq!(app.v1().put_user("-1", &json!({"name": "Minus"})).await.status, 201);
    for (from, to) in [("0", "1"), ("1", "0"), ("-1", "1"), ("1", "-1"), ("-0", "1")] {
        app.send(from, to, "hi").await.is(404, NOT_FOUND);
    }
    assert_eq!(app.v1().publish(&json!({"to": 0, "message": "hi"})).await.status, 201);
}
