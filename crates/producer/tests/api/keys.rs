//! Idempotency-Key: the same request again is the same notification.

use std::time::Duration;

use broker::ApiKey;
use models::Fingerprint;
use serde_json::json;

use crate::app::{TestApp, answer, eventually, soon};
use crate::v1::{JSON, SEND};

#[tokio::test]
async fn a_replay_gets_the_same_answer_and_nothing_is_written() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let body = json!({"from": 2, "to": [1, 3], "message": "hi", "data": {"a": [1]}});
    let first = v1.publish_with("k-1", &body).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    let ends = app.ends().await;
    // The same, written otherwise.
    let text =
        r#" {"to":["1","3"] , "from":"2","message":"\u0068i","priority":3,"data":{"a": [1]}}"#;
    let same = text.replace(r#"{"a": [1]}"#, r#"{"a":[1]}"#);
    for body in [body.to_string(), same] {
        let replay = answer(v1.posting(JSON, SEND, body).header("Idempotency-Key", "k-1")).await;
        assert_eq!(replay.header("idempotency-replayed"), Some("true"));
        replay.is(201, &first.body);
    }
    assert_eq!(app.ends().await, ends);
}

#[tokio::test]
async fn the_key_with_another_body_is_422() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    assert_eq!(v1.publish_with("k", &json!({"to": [1, 2], "message": "hi"})).await.status, 201);
    let ends = app.ends().await;
    for other in [
        json!({"to": [1, 2], "message": "ho"}),
        json!({"to": [2, 1], "message": "hi"}),
        json!({"to": [1], "message": "hi"}),
        json!({"to": [1, 2], "message": "hi", "priority": 4}),
        json!({"to": [1, 2], "message": "hi", "data": null, "tags": ["x"]}),
    ] {
        let refused = v1.publish_with("k", &other).await;
        refused.is_problem(422, "idempotency_key_reused", "another key");
    }
    assert_eq!(app.ends().await, ends);
    // Another sender's keys are others.
    let of_another = json!({"from": 3, "to": [1, 2], "message": "ho"});
    assert_eq!(v1.publish_with("k", &of_another).await.status, 201);
}

#[tokio::test]
async fn two_instances_give_the_same_ids_and_fingerprints() {
    let app = TestApp::spawn().await;
    let second = app.second(|_| {}).await;
    let body = json!({"from": {"name": "Billing"}, "to": [1, 3], "message": "Paid"});
    let key = "!~k".repeat(85);
    let first = app.v1().publish_with(&key, &body).await.json();
    // Not remembered there: it is written again, under the same ids.
    let again = second.publish_with(&key, &body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, None));
    let again = again.json();
    for index in [0, 1] {
        assert_eq!(first["notifications"][index]["id"], again["notifications"][index]["id"]);
    }
    let log = app.log().await;
    let fingerprints: Vec<Option<Fingerprint>> = log.iter().map(|it| it.fingerprint).collect();
    assert_eq!(log.len(), 4);
    assert!(fingerprints[0].is_some() && fingerprints.iter().all(|it| *it == fingerprints[0]));
}

#[tokio::test]
async fn of_many_at_once_one_is_written_and_all_get_its_answer() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let body = json!({"to": [1, 2, 3], "message": "once"}).to_string();
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let request = v1.posting(JSON, SEND, body.clone()).header("Idempotency-Key", "k");
        sends.spawn(answer(request));
    }
    let answers = sends.join_all().await;
    for answer in &answers {
        answer.is(201, &answers[0].body);
    }
    let replays = answers.iter().filter(|it| it.header("idempotency-replayed").is_some()).count();
    assert_eq!(replays, 19);
    assert_eq!(app.messages().await, ["once"; 3]);
}

#[tokio::test]
async fn one_that_waits_for_another_gives_up_at_its_deadline() {
    let app =
        TestApp::spawn_with(|config| config.produce_timeout = Duration::from_millis(700)).await;
    let v1 = app.v1();
    assert_eq!(v1.publish(&json!({"to": 1, "message": "first"})).await.status, 201);
    app.broker.faults().stall(ApiKey::Produce);
    let body = json!({"to": 1, "message": "hi"});
    let (first, second) = tokio::join!(v1.publish_with("k", &body), v1.publish_with("k", &body));
    for answer in [&first, &second] {
        answer.is_problem(503, "broker_unavailable", "");
    }
    // The other one may have had the key at the very end, and had no time to write.
    let unknown = [&first, &second].into_iter().filter(|it| it.body.contains("is unknown"));
    assert!(unknown.count() > 0, "{first:?} {second:?}");
    app.broker.faults().clear();
    // Now or never: its outcome was unknown, so it is written again.
    eventually(soon(), async || v1.publish_with("k", &body).await.status == 201).await;
    let log = app.log().await;
    let ids: Vec<_> =
        log.iter().filter(|it| it.notification.message == "hi").map(|it| it.id).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn what_failed_is_not_remembered() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let body = json!({"to": "late", "message": "hi"});
    for _ in 0..2 {
        v1.publish_with("k", &body).await.is_problem(404, "user_not_found", "late");
    }
    assert_eq!(v1.put_user("late", &json!({"name": "Late"})).await.status, 201);
    let answer = v1.publish_with("k", &body).await;
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (201, None));
}

#[tokio::test]
async fn no_more_keys_are_remembered_than_there_may_be() {
    let app = TestApp::spawn_with(|config| config.remembered.keys = 2).await;
    let v1 = app.v1();
    let body = json!({"to": 1, "message": "hi"});
    for key in ["a", "b", "c"] {
        assert_eq!(v1.publish_with(key, &body).await.status, 201);
    }
    for (key, is_known) in [("b", true), ("c", true), ("a", false)] {
        let answer = v1.publish_with(key, &body).await;
        assert_eq!(answer.header("idempotency-replayed").is_some(), is_known, "{key}");
    }
}

#[tokio::test]
async fn what_is_no_key_is_400() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let body = json!({"to": 1, "message": "hi"}).to_string();
    let long = "x".repeat(256);
    for key in ["", " ", "two words", "tab\tbed", "gr\u{fc}n", long.as_str()] {
        let request = v1.posting(JSON, SEND, body.clone()).header("Idempotency-Key", key);
        let detail = "header Idempotency-Key: not 1 to 255 visible ASCII characters";
        answer(request).await.is_problem(400, "invalid_request", detail);
    }
    let twice = v1.posting(JSON, SEND, body);
    let twice = twice.header("Idempotency-Key", "a").header("Idempotency-Key", "a");
    answer(twice).await.is_problem(400, "invalid_request", "Idempotency-Key: it occurs twice");
    let in_the_body = json!({"to": 1, "message": "hi", "idempotency_key": "k"});
    let refused = v1.publish(&in_the_body).await;
    refused.is_problem(
        400,
        "invalid_request",
        "idempotency_key: here the key is sent in the header",
    );
    app.log_is_empty().await;
}
