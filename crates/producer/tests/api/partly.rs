//! Some partitions fail, or all of them.

use std::time::Duration;

use broker::{ApiKey, ResponseError};
use serde_json::{Value, json};

use crate::app::{TestApp, TestBroker, soon};
use crate::v1::{SEND_BATCH, V1};

/// Sent to two users of different partitions, of which one fails.
async fn partly(app: &TestApp, v1: &V1, error: ResponseError) -> Vec<Value> {
    app.broker.faults().fail_produce(error, 1);
    let body = json!({"to": [1, 2], "message": "hi"});
    let answer = v1.publish_with("k", &body).await;
    assert_eq!(answer.status, 207, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()["notifications"].as_array().unwrap().clone()
}

#[tokio::test]
async fn where_one_partition_fails_each_element_says_what_became_of_it() {
    for (error, status, code) in [
        (ResponseError::InvalidRecord, 503, "broker_unavailable"),
        (ResponseError::MessageTooLarge, 413, "too_large"),
    ] {
        let app = TestApp::spawn().await;
        let v1 = app.v1();
        let mut elements = partly(&app, &v1, error).await;
        assert_eq!([&elements[0]["to"], &elements[1]["to"]], ["1", "2"]);
        elements.sort_by_key(|it| it["status"].as_u64());
        let [sent, failed] = elements.as_slice() else { panic!("{elements:?}") };
        let members = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(sent["status"], 201);
        assert_eq!(members(sent), ["id", "position", "status", "to"]);
        assert_eq!((&failed["status"], &failed["code"]), (&json!(status), &json!(code)));
        assert_eq!(members(failed), ["code", "detail", "status", "to"]);
        assert!(failed["detail"].as_str().unwrap().contains("the broker refuses the record"));
        // It was no full success: a retry adds what is missing, and repeats the rest under its id.
        let retry = v1.publish_with("k", &json!({"to": [1, 2], "message": "hi"})).await;
        assert_eq!((retry.status, retry.header("idempotency-replayed")), (201, None));
        let retry = retry.json();
        let ids: Vec<_> = app.log().await.iter().map(|it| it.id.to_string()).collect();
        assert_eq!(ids.len(), 3);
        for sent in retry["notifications"].as_array().unwrap() {
            assert!(ids.contains(&sent["id"].as_str().unwrap().to_owned()));
        }
    }
}

#[tokio::test]
async fn in_a_batch_it_is_the_lines_status() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    app.broker.faults().fail_produce(ResponseError::InvalidRecord, 1);
    let results = v1.batch(SEND_BATCH, r#"{"to":[1,2],"message":"hi"}"#).await;
    let [result] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!((&result["line"], &result["status"]), (&json!(1), &json!(207)));
    let mut statuses: Vec<_> = result["notifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["status"].as_u64().unwrap())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 503]);
}

#[tokio::test]
async fn where_all_fail_it_is_a_problem() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    app.broker.faults().fail_produce(ResponseError::MessageTooLarge, 2);
    let body = json!({"to": [1, 2], "message": "hi"});
    v1.publish(&body).await.is_problem(413, "too_large", "MessageTooLarge");
    app.broker.faults().fail_produce(ResponseError::PolicyViolation, 1);
    let body = json!({"to": 1, "message": "hi"});
    let refused = v1.publish(&body).await;
    refused.is_problem(503, "broker_unavailable", "nothing was written");
    app.broker.faults().fail_produce(ResponseError::PolicyViolation, 1);
    let results = v1.batch(SEND_BATCH, r#"{"to":1,"message":"hi"}"#).await;
    assert_eq!(results[0]["code"], "broker_unavailable");
    app.log_is_empty().await;
}

#[tokio::test]
async fn where_the_acknowledgement_does_not_come_the_outcome_is_unknown() {
    let app =
        TestApp::spawn_with(|config| config.produce_timeout = Duration::from_millis(700)).await;
    let v1 = app.v1();
    app.broker.faults().stall(ApiKey::Produce);
    let lost = v1.publish(&json!({"to": 1, "message": "hi"})).await;
    lost.is_problem(503, "broker_unavailable", "whether it was written is unknown; a retry");
    for changed in [v1.put_user("5", &json!({"name": "Eve"})).await, v1.delete_user("1").await] {
        changed.is_problem(503, "broker_unavailable", "repeating it is harmless");
    }
    assert_eq!(app.messages().await, ["hi"]);
}

#[tokio::test]
async fn a_lost_acknowledgement_is_made_up_for() {
    let app = TestApp::spawn().await;
    app.broker.faults().lose_answer(ApiKey::Produce, 1);
    let answer = app.v1().publish(&json!({"to": 1, "message": "hi"})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let log = app.log().await;
    assert!(log.iter().all(|it| it.id == log[0].id), "copies share the id");
}

#[tokio::test]
async fn without_a_broker_everything_is_503_with_a_time_to_come_back() {
    let timeout = Duration::from_millis(500);
    let never = TestApp::spawn_on(TestBroker::not_running(), |_| {});
    let mut gone = TestApp::spawn_with(|config| config.produce_timeout = timeout).await;
    gone.broker.stop().await;
    for (app, known) in [(&never, false), (&gone, true)] {
        let v1 = app.v1();
        let hi = json!({"to": 1, "message": "hi"});
        let name = json!({"name": "Emma"});
        let code = "broker_unavailable";
        v1.publish(&hi).await.is_problem(503, code, "");
        v1.publish(&json!({"to": "x", "message": "hi"})).await.is_problem(503, code, "");
        v1.put_user("1", &name).await.is_problem(503, code, "");
        v1.delete_user("1").await.is_problem(503, code, "");
        v1.get("/v1/users/x").await.is_problem(503, code, "");
        let results = v1.batch(SEND_BATCH, format!("{hi}\n\n{{}}\n{hi}\n")).await;
        let statuses = crate::v1::statuses(&results);
        assert_eq!(statuses, [(1, 503), (3, 400), (4, 503)]);
        let results = v1.batch("/v1/users/batch", r#"{"id":1,"name":"Emma"}"#).await;
        assert_eq!((&results[0]["status"], &results[0]["code"]), (&json!(503), &json!(code)));
        // What was read before can be read, and says how old it is.
        if known {
            crate::app::eventually(soon(), async || {
                v1.get("/v1/users/1").await.header("staleness").is_some()
            })
            .await;
            let emma = v1.get("/v1/users/1").await;
            emma.is(200, r#"{"id":"1","name":"Emma"}"#);
            assert!(v1.get("/v1/users").await.header("staleness").is_some());
        } else {
            v1.get("/v1/users").await.is_problem(503, code, "has not been reached yet");
            v1.get("/v1/users/1").await.is_problem(503, code, "has not been reached yet");
        }
        // What would be refused anyway is refused with its own reason.
        v1.publish(&json!({})).await.is_problem(400, "invalid_request", "missing field");
    }
}
