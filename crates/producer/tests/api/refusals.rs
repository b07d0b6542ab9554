//! What is refused on the routes that send, and why.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, answer};
use crate::v1::{JSON, NDJSON, SEND, SEND_BATCH, USERS_BATCH};

/// A body with one member changed.
fn with(name: &str, value: Value) -> String {
    let mut body = json!({"to": 1, "message": "hi"});
    body[name] = value;
    body.to_string()
}

#[tokio::test]
async fn a_bad_body_is_400_and_the_detail_names_the_field() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let deep = |n: usize| (0..n).fold(json!(1), |inner, _| json!([inner]));
    let many: Vec<_> = (0..1_001).collect();
    let deeper = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, detail) in [
        (String::new(), "EOF while parsing"),
        ("{".into(), "EOF while parsing"),
        ("null".into(), "not a JSON object"),
        (r#"[null,1,"hi"]"#.into(), "not a JSON object"),
        (r#""{}""#.into(), "not a JSON object"),
        ("{}".into(), "missing field `to`"),
        (r#"{"to":1}"#.into(), "missing field `message`"),
        (r#"{"to":1,"message":"a","message":"b"}"#.into(), "duplicate field"),
        (r#"{"to":1,"message":"a"}x"#.into(), "trailing characters"),
        (r#"{"to":1,"message":"\ud800"}"#.into(), "message: "),
        (r#"{"to":1,"message":"a\nb"}"#.replace("\\n", "\n"), "message: control character"),
        (
            r#"{"to":1,"message":"m","data":{"a":"\ud800"}}"#.into(),
            "data: has an escape that is half",
        ),
        (with("color", json!("red")), "color: unknown field"),
        (with("to", json!([])), "to: no recipients"),
        (with("to", json!(many)), "to: more than 1000 recipients"),
        (with("to", json!([1, "a b"])), "to[1]: a user id has only characters"),
        (with("to", json!("a/b")), "to: a user id has only characters"),
        (with("to", json!("a\0")), "to: a user id has only characters"),
        (with("to", json!("ü")), "to: a user id has only characters"),
        (with("to", json!("")), "to: a user id is not empty"),
        (with("to", json!("x".repeat(129))), "to: a user id has at most 128 characters"),
        (with("to", json!(-1)), "to: "),
        (with("to", json!(1.5)), "to: "),
        (with("to", json!(9_007_199_254_740_992_u64)), "to: "),
        (with("to", json!(null)), "to: "),
        (with("to", json!({"id": 1})), "to: "),
        (with("message", json!(1)), "message: invalid type"),
        (with("message", json!(null)), "message: invalid type"),
        (with("from", json!({"name": ""})), "from.name: fewer than 1"),
        (with("from", json!({"name": "a\u{1}"})), "from.name: has the control character"),
        (with("from", json!({"name": "x".repeat(201)})), "from.name: more than 200"),
        (with("from", json!({"name": "a", "id": 2})), "from.id: unknown field"),
        (with("title", json!("\u{7f}")), "title: has the control character"),
        (with("title", json!("x".repeat(1_001))), "title: more than 1000"),
        (with("url", json!("javascript:alert(1)")), "url: neither http(s)"),
        (with("url", json!("//evil.example")), "url: neither http(s)"),
        (with("url", json!("x".repeat(2_049))), "url: more than 2048"),
        (with("tags", json!(vec!["a"; 21])), "tags: more than 20"),
        (with("tags", json!([""])), "tags: fewer than 1"),
        (with("tags", json!("a")), "tags: invalid type"),
        (with("priority", json!(0)), "priority: "),
        (with("priority", json!(6)), "priority: "),
        (with("priority", json!("high")), "priority: "),
        (with("data", deep(101)), "data: nested deeper than 100"),
        (with("expires_at", json!("tomorrow")), "expires_at: not a time"),
        (format!(r#"{{"to":1,"message":"m","data":{deeper}}}"#), ""),
        (format!(r#"{{"to":{deeper},"message":"m"}}"#), ""),
    ] {
        let refused = answer(v1.posting(JSON, SEND, body.clone())).await;
        refused.is_problem(400, "invalid_request", detail);
        let is_one_line = !body.contains('\n') && !body.is_empty();
        if is_one_line {
            let results = v1.batch(SEND_BATCH, body).await;
            assert_eq!(results.len(), 1);
            assert_eq!(results[0]["status"], 400);
            assert_eq!(results[0]["detail"], refused.json()["detail"]);
        }
    }
    for body in [&b"\xff"[..], b"{\"to\":1,\"message\":\"\xff\"}", b"\xef\xbb\xbf{}", b"\0"] {
        let refused = answer(v1.posting(JSON, SEND, body)).await;
        refused.is_problem(400, "invalid_request", "");
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn data_as_deep_as_it_may_be_is_sent() {
    let app = TestApp::spawn().await;
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let body = format!(r#"{{"to":1,"message":"m","data":{deep}}}"#);
    assert_eq!(answer(app.v1().posting(JSON, SEND, body)).await.status, 201);
    assert_eq!(app.log().await[0].notification.data.as_ref().unwrap().as_str(), deep);
}

#[tokio::test]
async fn other_media_types_are_415() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    for (path, right, wrong) in [
        (SEND, JSON, NDJSON),
        (SEND_BATCH, NDJSON, JSON),
        (USERS_BATCH, NDJSON, "application/x-www-form-urlencoded"),
    ] {
        for kind in [wrong, "", "text/plain", "application/jsonx", "json"] {
            let refused = answer(v1.posting(kind, path, "{}")).await;
            refused.is_problem(415, "unsupported_media_type", "send application/");
        }
        let none = v1.request(Method::POST, path).body("{}");
        answer(none).await.is_problem(415, "unsupported_media_type", right);
        let encoded = v1.posting(right, path, "{}").header("Content-Encoding", "gzip");
        answer(encoded).await.is_problem(415, "unsupported_media_type", "content encoding");
    }
}

#[tokio::test]
async fn what_is_over_a_limit_is_413() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let ten_mb = with("message", json!("x".repeat(10_000_000)));
    answer(v1.posting(JSON, SEND, ten_mb)).await.is_problem(
        413,
        "too_large",
        "more than the 900000",
    );
    let over_all = " ".repeat(16 * 1024 * 1024 + 1);
    let refused = answer(v1.posting(JSON, SEND, over_all)).await;
    refused.is_problem(413, "too_large", "the body is larger than 16777216 bytes");
    // Bytes times recipients, before anybody is looked up.
    let to: Vec<_> = (0..1_000).map(|n| format!("user-{n}")).collect();
    let body = json!({"to": to, "message": "x".repeat(10_000)}).to_string();
    let refused = answer(v1.posting(JSON, SEND, body)).await;
    refused.is_problem(413, "too_large", "for 1000 recipients are more than 16777216 bytes");
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_slow_body_is_408_and_one_too_many_429() {
    let app = TestApp::spawn_with(|config| {
        config.json.timeout = Duration::from_millis(300);
        config.body_budget_bytes = 10_000;
    })
    .await;
    let v1 = app.v1();
    for (method, path) in [("POST", SEND), ("PUT", "/v1/users/5")] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
             Content-Length: 100\r\n\r\n{{"
        );
        let slow = app.raw(head).await;
        assert_eq!(slow.status, 408, "{slow:?}");
        assert!(slow.body.contains("\"code\":\"request_timeout\""), "{slow:?}");
        assert!(slow.head.contains("connection: close"), "{slow:?}");
        let large = with("message", json!("x".repeat(20_000)));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = v1.request(method, path).header("Content-Type", JSON).body(large);
        answer(request).await.is_problem(429, "too_many_requests", "too many large requests");
    }
    // What many recipients make of a body counts, too.
    let to = json!({"to": [1, 2, 3, 4], "message": "x".repeat(4_000)});
    v1.publish(&to).await.is_problem(429, "too_many_requests", "too many large requests");
    assert_eq!(v1.publish(&json!({"to": [1, 2], "message": "fits"})).await.status, 201);
}
