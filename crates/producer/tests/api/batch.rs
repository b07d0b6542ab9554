//! `POST /v1/notifications/batch`: a result for each line, in their order.

use models::Position;
use serde_json::json;

use crate::app::TestApp;
use crate::v1::{SEND_BATCH, statuses};

#[tokio::test]
async fn each_line_has_its_result_and_a_bad_one_does_not_stop_the_rest() {
    let app = TestApp::spawn().await;
    let lines = [
        &br#"{"to":1,"message":"one"}"#[..],
        br#"{"to":"nobody","message":"two"}"#,
        b"",
        b"  \t\r",
        br#"{"to":[1,2,"1"],"from":{"name":"Billing"},"message":"five"}"#,
        b"{",
        b"\xff\xfe",
        b"{\"to\":1,\"message\":\"\xc3\x28\"}",
        b"[1,\"x\"]",
        br#"{"to":1,"message":"x","color":"red"}"#,
        br#"{"to":[],"message":"x"}"#,
        br#"{"from":9,"to":1,"message":"x"}"#,
        b"null",
        br#"{"to":1,"message":"a"}{"to":1,"message":"b"}"#,
        b"{\"to\":1,\"message\":\"last\"}\r",
    ];
    let body = lines.join(&b'\n');
    let results = app.v1().batch(SEND_BATCH, body).await;
    assert_eq!(
        statuses(&results),
        [
            (1, 201),
            (2, 404),
            (5, 201),
            (6, 400),
            (7, 400),
            (8, 400),
            (9, 400),
            (10, 400),
            (11, 400),
            (12, 404),
            (13, 400),
            (14, 400),
            (15, 201),
        ]
    );
    assert_eq!(results[1]["code"], "user_not_found");
    assert!(results[1]["detail"].as_str().unwrap().contains("nobody"));
    assert_eq!(results[7]["detail"].as_str().unwrap().find("color: unknown field"), Some(0));
    let to: Vec<_> = results[2]["notifications"].as_array().unwrap().iter().collect();
    assert_eq!((&to[0]["to"], &to[1]["to"], to.len()), (&json!("1"), &json!("2"), 2));
    let mut messages = app.messages().await;
    messages.sort();
    assert_eq!(messages, ["five", "five", "last", "one"]);
}

#[tokio::test]
async fn nothing_has_no_results() {
    let app = TestApp::spawn().await;
    for body in ["", "\n", "\n\n \r\n"] {
        assert!(app.v1().batch(SEND_BATCH, body).await.is_empty());
    }
}

#[tokio::test]
async fn many_lines_are_written_in_their_order_with_the_places_they_are_told() {
    const COUNT: usize = 20_000;
    let app = TestApp::spawn().await;
    let line = |n| format!("{{\"from\":2,\"to\":{},\"message\":\"{n}\"}}\n", n % 4 + 1);
    let results = app.v1().batch(SEND_BATCH, (0..COUNT).map(line).collect::<String>()).await;
    assert_eq!(results.len(), COUNT);
    let records = app.records().await;
    let log = app.log().await;
    assert_eq!(log.len(), COUNT);
    let places: std::collections::HashMap<_, _> = records
        .iter()
        .zip(&log)
        .map(|((place, _), sent)| (sent.id.to_string(), (*place, &sent.notification)))
        .collect();
    for (n, result) in results.iter().enumerate() {
        assert_eq!((&result["line"], &result["status"]), (&json!(n + 1), &json!(201)));
        let sent = &result["notifications"][0];
        let (place, notification) = &places[sent["id"].as_str().unwrap()];
        assert_eq!(notification.message, n.to_string());
        let position: Position = sent["position"].as_str().unwrap().parse().unwrap();
        assert_eq!(position, Position::after(*place));
    }
    for user in ["1", "2", "3", "4"] {
        let of_user = log.iter().filter(|it| it.notification.to.id.as_str() == user);
        let numbers: Vec<u32> =
            of_user.map(|it| it.notification.message.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "the order of lines is the order in the inbox");
    }
    assert!(app.metric("notify_produce_requests_total").await < 4_000, "many records a request");
}

#[tokio::test]
async fn a_key_counts_as_the_header_does() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let line = |key: &str, message: &str| {
        json!({"to": [1, 2], "message": message, "idempotency_key": key}).to_string()
    };
    // The second and the fourth wait for lines of their own batch.
    let lines = [line("a", "x"), line("a", "x"), line("b", "y"), line("a", "z"), line("b", "y")];
    let results = v1.batch(SEND_BATCH, lines.join("\n")).await;
    assert_eq!(statuses(&results), [(1, 201), (2, 201), (3, 201), (4, 422), (5, 201)]);
    assert_eq!(results[0]["notifications"], results[1]["notifications"]);
    assert_eq!(results[2]["notifications"], results[4]["notifications"]);
    assert_eq!(results[3]["code"], "idempotency_key_reused");
    assert_eq!(app.records().await.len(), 4);
    // Lines and single requests share their keys.
    let replay = v1.publish_with("a", &json!({"to": [1, 2], "message": "x"})).await;
    assert_eq!(replay.header("idempotency-replayed"), Some("true"));
    assert_eq!(replay.json()["notifications"], results[0]["notifications"]);
    // On another instance they are written again, under the same ids.
    let again = app.second(|_| {}).await.batch(SEND_BATCH, line("a", "x")).await;
    assert_eq!(again[0]["notifications"][0]["id"], results[0]["notifications"][0]["id"]);
    let log = app.log().await;
    assert_eq!(log.len(), 6);
    assert!(log.iter().all(|it| it.fingerprint.is_some()));
}

#[tokio::test]
async fn whoever_was_added_elsewhere_is_found() {
    let app = TestApp::spawn().await;
    let second = app.second(|_| {}).await;
    for number in 0..20 {
        let id = format!("new-{number}");
        assert_eq!(app.v1().put_user(&id, &json!({"name": "New"})).await.status, 201);
        let line = json!({"to": id, "message": "hi"}).to_string();
        let results = second.batch(SEND_BATCH, line).await;
        assert_eq!(results[0]["status"], 201, "{results:?}");
    }
}
