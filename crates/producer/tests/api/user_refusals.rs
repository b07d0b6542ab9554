//! What is refused on the routes of users, and why.

use models::{Cursor, Filters, Offset, Partition, Position, TopicId};
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, answer, topic_id};
use crate::v1::{JSON, NDJSON, USERS};

#[tokio::test]
async fn an_id_that_is_none_is_400_whatever_is_asked() {
    let app = TestApp::spawn().await;
    let long = "x".repeat(129);
    for (id, detail) in [
        ("a%20b", "not ' '"),
        ("a+b", "not '+'"),
        ("%2F", "not '/'"),
        ("a%2Fb", "not '/'"),
        ("..%2F..%2Fetc", "not '/'"),
        ("%00", "not '\\0'"),
        ("a%0Ab", "not '\\n'"),
        ("%ff", "not UTF-8"),
        ("%C3%28", "not UTF-8"),
        ("%E2%82%AC", "not '€'"),
        ("a%", "not '%'"),
        ("%25", "not '%'"),
        ("$layout", "not '$'"),
        ("%24layout", "not '$'"),
        ("a;b", "not ';'"),
        (&long, "at most 128 characters"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let body = r#"{"name":"x"}"#;
            let request = format!(
                "{method} /v1/users/{id} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let refused = app.raw(request).await;
            assert_eq!(refused.status, 400, "{method} {id}: {refused:?}");
            let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
            assert_eq!(problem["code"], "invalid_request");
            let said = problem["detail"].as_str().unwrap();
            assert!(said.starts_with("path value id: ") && said.contains(detail), "{id}: {said}");
        }
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn dots_and_escapes_are_ids_as_any_other_and_lead_nowhere_else() {
    let app = TestApp::spawn().await;
    for (path, status) in [
        ("/v1/users/..", 404),
        ("/v1/users/.", 404),
        ("/v1/users/%2e%2e", 404),
        ("/v1/users/..:..", 404),
        ("/v1/users/%31", 200),
        ("/v1/users/1/", 404),
        ("/v1/users/", 404),
        ("/v1/users/1/..", 404),
        ("/v1/users/1/../../livez", 404),
        ("/v1/%75sers/1", 200),
    ] {
        let found = app.raw(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
        assert_eq!(found.status, status, "{path}: {found:?}");
    }
    let put = "PUT /v1/users/.. HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
               Content-Length: 15\r\n\r\n{\"name\":\"Dots\"}";
    let created = app.raw(put).await;
    assert_eq!((created.status, created.body.as_str()), (201, r#"{"id":"..","name":"Dots"}"#));
}

#[tokio::test]
async fn a_bad_name_is_400() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    for (body, detail) in [
        (json!({}), "missing field `name`"),
        (json!({"name": ""}), "name: fewer than 1"),
        (json!({"name": "x".repeat(201)}), "name: more than 200"),
        (json!({"name": "a\0b"}), "name: has the control character"),
        (json!({"name": 1}), "name: invalid type"),
        (json!({"name": null}), "name: invalid type"),
        (json!({"name": "x", "id": 1}), "id: unknown field"),
        (json!(["x"]), "not a JSON object"),
        (json!("x"), "not a JSON object"),
    ] {
        v1.put_user("5", &body).await.is_problem(400, "invalid_request", detail);
    }
    let put = || v1.request(Method::PUT, "/v1/users/5");
    for body in ["", "{", r#"{"name":"\ud800"}"#, r#"{"name":"a","name":"b"}"#] {
        let refused = answer(put().header("Content-Type", JSON).body(body)).await;
        refused.is_problem(400, "invalid_request", "");
    }
    for kind in ["", NDJSON, "text/plain"] {
        let refused = answer(put().header("Content-Type", kind).body(r#"{"name":"x"}"#)).await;
        refused.is_problem(415, "unsupported_media_type", "send application/json");
    }
    let large = answer(put().header("Content-Type", JSON).body(" ".repeat((16 << 20) + 1))).await;
    large.is_problem(413, "too_large", "the body is larger");
    v1.get("/v1/users/5").await.is_problem(404, "user_not_found", "5");
}

#[tokio::test]
async fn a_bad_limit_or_an_unknown_parameter_is_400() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    for (query, detail) in [
        ("limit=0", "limit is not an integer from 1 to 200"),
        ("limit=201", "limit is not an integer"),
        ("limit=-1", "limit is not an integer"),
        ("limit=%2B1", "limit is not an integer"),
        ("limit=1.0", "limit is not an integer"),
        ("limit=", "limit is not an integer"),
        ("limit=x", "limit is not an integer"),
        ("limit=99999999999999999999", "limit is not an integer"),
        ("limit=1&limit=1", "limit occurs twice"),
        ("color=red", "unknown query parameter \"color\""),
        ("Limit=1", "unknown query parameter"),
    ] {
        let refused = v1.get(&format!("{USERS}?{query}")).await;
        refused.is_problem(400, "invalid_request", detail);
    }
    v1.get("/v1/users/1?x=1").await.is_problem(400, "invalid_request", "unknown query parameter");
}

#[tokio::test]
async fn a_cursor_that_was_not_given_out_is_400() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let topic_id: TopicId = topic_id(&app.broker).await;
    let (partition, offset) = (Partition(0), Offset(1));
    let of_an_inbox =
        Cursor { topic_id, partition, before: offset, filters: Filters::of([None]) }.to_string();
    let position = Position { topic_id, partition, next_offset: offset }.to_string();
    let page = v1.get("/v1/users?limit=1").await.json();
    let good = page["next_cursor"].as_str().unwrap();
    assert_eq!(v1.get(&format!("/v1/users?cursor={good}")).await.status, 200);
    let flipped = good.replacen(|c: char| c.is_ascii_lowercase(), "Z", 1);
    let (cut, longer) = (&good[1..], format!("{good}A"));
    for cursor in [
        "",
        "1",
        "x",
        "%00",
        "%ff",
        "2",
        &of_an_inbox,
        &position,
        &flipped,
        cut,
        &longer,
        "%F0%9F%8E%88",
    ] {
        let refused = v1.get(&format!("{USERS}?cursor={cursor}")).await;
        assert_eq!(refused.status, 400, "{cursor}: {refused:?}");
        refused.is_problem(400, "invalid_cursor", "query parameter cursor: not a cursor");
    }
}
