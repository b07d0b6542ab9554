//! `POST /v1/notifications`: what is sent is in the log, and the answer says where.

use models::{NotificationId, Partition, Position, Sender};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, soon};
use crate::v1::SEND;

#[tokio::test]
async fn each_recipient_has_an_element_in_the_order_asked() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let answer = v1.publish(&json!({"from": 2, "to": ["4", 1, 3], "message": "Lunch?"})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("idempotency-replayed"), None);
    let body = answer.json();
    let sent = body["notifications"].as_array().unwrap();
    let to: Vec<_> = sent.iter().map(|it| it["to"].as_str().unwrap()).collect();
    assert_eq!(to, ["4", "1", "3"]);
    let records = app.records().await;
    let log = app.log().await;
    assert_eq!(log.len(), 3);
    for sent in sent {
        let id: NotificationId = sent["id"].as_str().unwrap().parse().unwrap();
        let index = log.iter().position(|it| it.id == id).unwrap();
        assert_eq!(log[index].notification.to.id.as_str(), sent["to"].as_str().unwrap());
        assert_eq!(log[index].notification.from.name, "Bruno");
        let position: Position = sent["position"].as_str().unwrap().parse().unwrap();
        assert_eq!(position, Position::after(records[index].0));
        let members: Vec<_> = sent.as_object().unwrap().keys().collect();
        assert_eq!(members, ["id", "position", "to"]);
    }
}

#[tokio::test]
async fn the_record_has_all_that_was_given_and_nothing_else() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let full = r#"{"from":{"name":"Billing"},"to":1,"message":"Paid","title":"Invoice",
        "url":"https://example.org/x","tags":["a","b"],"priority":5,"data":{"n": 1.50},
        "expires_at":"2099-01-01T01:00:00+01:00"}"#;
    let answer = crate::app::answer(v1.posting("application/json; charset=utf-8", SEND, full));
    assert_eq!(answer.await.status, 201);
    let records = app.records().await;
    let value = String::from_utf8(records[0].1.value.clone().unwrap().into()).unwrap();
    assert_eq!(
        value,
        r#"{"from":{"name":"Billing"},"to":{"id":1,"name":"Emma"},"message":"Paid","title":"Invoice","url":"https://example.org/x","tags":["a","b"],"priority":5,"data":{"n": 1.50},"expires_at":"2099-01-01T00:00:00.000Z"}"#
    );
    let headers = records[0].1.headers.sorted();
    let headers: Vec<_> = headers.iter().map(|(name, _)| str::from_utf8(name).unwrap()).collect();
    assert_eq!(
        headers,
        ["ce_id", "ce_source", "ce_specversion", "ce_time", "ce_type", "content-type"],
        "no fingerprint without a key"
    );
}

#[tokio::test]
async fn who_sends_is_a_user_a_service_or_nobody() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let sender = |id: Option<&str>, name: &str| Sender {
        id: id.map(|id| id.parse().unwrap()),
        name: name.to_owned(),
    };
    for (from, expected) in [
        (json!({"from": "2"}), sender(Some("2"), "Bruno")),
        (json!({"from": 2}), sender(Some("2"), "Bruno")),
        (json!({"from": {"name": "2"}}), sender(None, "2")),
        (json!({"from": null}), sender(None, "")),
        (json!({}), sender(None, "")),
    ] {
        let mut body = json!({"to": 1, "message": "hi"});
        body.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
        assert_eq!(v1.publish(&body).await.status, 201, "{body}");
        let log = app.log().await;
        assert_eq!(log.last().unwrap().notification.from, expected, "{body}");
    }
}

#[tokio::test]
async fn a_recipient_that_occurs_twice_counts_once() {
    let app = TestApp::spawn().await;
    let to = json!([3, "3", 1, "1", 3]);
    let answer = app.v1().publish(&json!({"to": to, "message": "once"})).await;
    let sent = answer.json()["notifications"].clone();
    let to: Vec<_> = sent.as_array().unwrap().iter().map(|it| it["to"].clone()).collect();
    assert_eq!(to, ["3", "1"]);
    assert_eq!(app.messages().await, ["once", "once"]);
}

#[tokio::test]
async fn every_text_arrives_as_it_was_given() {
    let app = TestApp::spawn().await;
    let texts = ["", "\0", "\u{1}\u{7f}\u{1b}[31m", "\"\\/", "🎈 grün\u{2028}", "</script>"];
    for text in texts {
        let body = json!({"to": 1, "message": text, "data": {"same": text}});
        assert_eq!(app.v1().publish(&body).await.status, 201, "{text:?}");
    }
    let log = app.log().await;
    let found: Vec<_> = log.iter().map(|it| it.notification.message.as_str()).collect();
    assert_eq!(found, texts);
    for (sent, text) in log.iter().zip(texts) {
        let data = sent.notification.data.as_ref().unwrap().as_str();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["same"], text);
    }
}

#[tokio::test]
async fn a_thousand_recipients_get_it_at_once() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let users: String =
        (0..1_000).map(|n| format!("{{\"id\":\"user-{n}\",\"name\":\"User {n}\"}}\n")).collect();
    assert_eq!(v1.batch("/v1/users/batch", users).await.len(), 1_000);
    let to: Vec<_> = (0..1_000).rev().map(|n| format!("user-{n}")).collect();
    let answer = v1.publish(&json!({"to": to, "message": "all"})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let sent = answer.json()["notifications"].clone();
    let sent = sent.as_array().unwrap();
    assert!(sent.iter().zip(&to).all(|(it, to)| it["to"] == to.as_str()));
    let log = app.log().await;
    assert_eq!(log.len(), 1_000);
    for sent in sent {
        assert!(log.iter().any(|it| it.id.to_string() == sent["id"].as_str().unwrap()));
    }
    // A single request for each partition, or few more.
    assert!(app.metric("notify_produce_requests_total").await < 40);
}

#[tokio::test]
async fn one_that_is_unknown_and_nothing_is_sent() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    for (body, id) in [
        (json!({"to": "nobody", "message": "hi"}), "nobody"),
        (json!({"to": [1, 2, "a@b"], "message": "hi"}), "a@b"),
        (json!({"from": 9, "to": [1, 2], "message": "hi"}), "9"),
        (json!({"to": [0], "message": "hi"}), "0"),
    ] {
        let detail = format!("there is no user with the id {id}");
        v1.publish(&body).await.is_problem(404, "user_not_found", &detail);
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_record_of_the_largest_size_is_sent_and_one_byte_more_is_413() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let body = |bytes: usize| json!({"to": 1, "message": "x".repeat(bytes)});
    assert_eq!(v1.publish(&body(1_000)).await.status, 201);
    let overhead = app.records().await[0].1.size_bytes() - 1_000;
    let answer = v1.publish(&body(900_000 - overhead)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = v1.publish(&body(900_001 - overhead)).await;
    answer.is_problem(413, "too_large", "900001 bytes");
    // One whose name makes it too large keeps the others from getting it.
    let name = "x".repeat(200);
    assert_eq!(v1.put_user("long", &json!({"name": name})).await.status, 201);
    let to = json!({"to": [1, "long"], "message": "x".repeat(900_000 - overhead)});
    v1.publish(&to).await.is_problem(413, "too_large", "bytes, more than the 900000");
    assert_eq!(app.records().await.len(), 2);
}

#[tokio::test]
async fn many_sends_at_once_are_all_in_the_log() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let mut sends = tokio::task::JoinSet::new();
    for number in 0..200 {
        let body = json!({"to": [1, 2, 3, 4], "message": number.to_string()}).to_string();
        sends.spawn(crate::app::answer(v1.posting("application/json", SEND, body)));
    }
    for answer in sends.join_all().await {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let mut numbers: Vec<u32> = app.messages().await.iter().map(|it| it.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((numbers.len(), app.records().await.len()), (200, 800));
}

#[tokio::test]
async fn whoever_is_renamed_is_shown_with_the_new_name_from_then_on() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let second = app.second(|_| {}).await;
    assert_eq!(v1.put_user("1", &json!({"name": "Emma II"})).await.status, 200);
    assert_eq!(v1.publish(&json!({"to": 1, "message": "hi"})).await.status, 201);
    let log = app.log().await;
    assert_eq!(log.last().unwrap().notification.to.name, "Emma II");
    eventually(soon(), async || {
        assert_eq!(second.publish(&json!({"to": 1, "message": "hi"})).await.status, 201);
        app.log().await.last().unwrap().notification.to.name == "Emma II"
    })
    .await;
    // Java's partitioner puts user 1 of 6 partitions there.
    assert!(app.records().await.iter().all(|(place, _)| place.partition == Partition(3)));
}
