//! What is no request.

use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, answer};
use crate::v1::{ids, nothing, with_json};

#[tokio::test]
async fn parameters_are_known_once_and_in_range() {
    let app = TestApp::spawn().await;
    let list = "notifications";
    let one = format!("notifications/{}", nothing());
    let of_freshness = [
        "wait_ms=-1",
        "wait_ms=30001",
        "wait_ms=",
        "wait_ms=1e3",
        "wait_ms=1&wait_ms=1",
        "other=1",
    ];
    for (route, queries) in [
        (
            list,
            &[
                "limit=0",
                "limit=201",
                "limit=-1",
                "limit=",
                "limit=x",
                "limit=%2B1",
                "limit=1.0",
                "limit=99999999999999999999",
                "limit=%EF%BC%91",
                "limit=1&limit=1",
                "limit",
                "status=",
                "status=Inbox",
                "status=seen",
                "status=inbox&status=inbox",
                "since=yesterday",
                "since=2027-01-01",
                "since=2027-01-01T00:00:00",
                "since=2027-01-01T00:00:00%00Z",
                "until=0",
                "since=2027-01-02T00:00:00Z&until=2027-01-01T00:00:00Z",
                "tag=",
                "tag=a%00b",
                "tag=a%0Ab",
                "from=",
                "from=a%20b",
                "from=a/b",
                "from=%ff",
                "Limit=1",
                "unknown=1",
                "min_position[]=1",
                "=1",
            ][..],
        ),
        (list, &of_freshness),
        ("counts", &of_freshness),
        ("counts", &["limit=1", "cursor=x"]),
        ("export", &of_freshness),
        (one.as_str(), &of_freshness),
    ] {
        for query in queries {
            let answer = app.get(&format!("/v1/users/1/{route}?{query}")).await;
            answer.is_problem(400, "Bad Request", "invalid_request");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            let name = query.split(['=', '[']).next().unwrap();
            assert!(detail.contains(name), "{query}: {detail}");
        }
    }
    let long = "x".repeat(65);
    let answer = app.get(&format!("/v1/users/1/notifications?tag={long}")).await;
    answer.is_problem(400, "Bad Request", "invalid_request");
    // In characters, not in bytes.
    app.page("1", &format!("tag={}", "%C3%BC".repeat(64))).await;
}

#[tokio::test]
async fn user_ids_are_of_their_characters() {
    let app = TestApp::spawn().await;
    let id = nothing();
    for user in [
        "a%20b",
        "a%2Fb",
        "%2F",
        "..%2F..",
        "%00",
        "a%00",
        "%ff",
        "%c3",
        "a%25b",
        "%252F",
        "%7B",
        "%F0%9F%8E%88",
        "a+b",
        "a,b",
        "a;b",
        "a*b",
        "a~b",
        &"x".repeat(129),
        "%0A",
        "a%0D%0Ab",
    ] {
        for (method, route) in [
            ("GET", "notifications".to_owned()),
            ("GET", "counts".to_owned()),
            ("GET", "export".to_owned()),
            ("GET", format!("notifications/{id}")),
            ("PATCH", format!("notifications/{id}")),
            ("DELETE", format!("notifications/{id}")),
            ("POST", "notifications/actions".to_owned()),
        ] {
            let (status, answer) = app.raw(&format!("{method} /v1/users/{user}/{route}")).await;
            assert_eq!(status, 400, "{method} {user} {route}: {answer}");
            assert!(answer.contains(r#""code":"invalid_request""#), "{user}: {answer}");
        }
    }
    for path in
        ["/v1/users//notifications", "/v1/users", "/v1/users/1", "/v1/users/1/", "/v1/users/1/x"]
    {
        let (status, answer) = app.raw(&format!("GET {path}")).await;
        assert_eq!(status, 404, "{path}: {answer}");
    }
}

#[tokio::test]
async fn ids_of_notifications_are_uuids() {
    let app = TestApp::spawn().await;
    let id = nothing();
    let simple = id.replace('-', "");
    for bad in [
        "x",
        "0",
        "..",
        "%2F",
        "%00",
        "%ff",
        "null",
        "1234",
        &id[1..],
        &format!("{id}0"),
        &simple,
        &format!("%7B{id}%7D"),
        &format!("urn:uuid:{id}"),
        &id.replace('-', "_"),
    ] {
        for method in ["GET", "PATCH", "DELETE"] {
            let (status, answer) =
                app.raw(&format!("{method} /v1/users/1/notifications/{bad}")).await;
            assert_eq!(status, 400, "{method} {bad}: {answer}");
            assert!(answer.contains("nid"), "{bad}: {answer}");
        }
    }
    // Letters of either case are the same id.
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].to_uppercase();
    assert_eq!(app.get(&format!("/v1/users/1/notifications/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_change_is_an_object_with_read_or_archived() {
    let app = TestApp::spawn().await;
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].clone();
    let path = format!("/v1/users/1/notifications/{id}");
    for body in [
        "",
        "{",
        "{}",
        "null",
        "1",
        "\"read\"",
        "[true]",
        "[]",
        r#"{"read":null}"#,
        r#"{"read":"true"}"#,
        r#"{"read":1}"#,
        r#"{"read":true,"read":false}"#,
        r#"{"read":true}{}"#,
        r#"{"read":true,"x":1}"#,
        r#"{"read":true,"archived":null}"#,
        r#"{"Read":true}"#,
        "{\"read\":tr\0ue}",
        r#"{"\ud800":true}"#,
        r#"{"read":true,"archived":[]}"#,
        "\u{feff}{\"read\":true}",
    ] {
        let refused = answer(with_json(app.request(Method::PATCH, &path), body)).await;
        assert_eq!(refused.status, 400, "{body}");
        refused.is_problem(400, "Bad Request", "invalid_request");
    }
    let not_utf8 = app.request(Method::PATCH, &path).header("Content-Type", "application/json");
    let refused = answer(not_utf8.body(b"{\"read\":\xff}".to_vec())).await;
    refused.is_problem(400, "Bad Request", "invalid_request");
    let query = with_json(app.request(Method::PATCH, &format!("{path}?x=1")), r#"{"read":true}"#);
    answer(query).await.is_problem(400, "Bad Request", "invalid_request");
    assert_eq!(app.numbers("1").await, (1, 1, 1), "nothing was done");
}

#[tokio::test]
async fn an_action_is_an_object_with_ids_or_before() {
    let app = TestApp::spawn().await;
    let shown = app.with_texts("1", &["hi"]).await;
    let (id, position) = (shown[0]["id"].clone(), shown[0]["position"].clone());
    let simple = id.as_str().unwrap().replace('-', "");
    for body in [
        json!({}),
        json!(null),
        json!(["read"]),
        json!({"action": "READ"}),
        json!({"action": "erase"}),
        json!({"action": null}),
        json!({"action": ["read"]}),
        json!({"action": {"read": true}}),
        json!({"ids": [id]}),
        json!({"action": "read", "ids": []}),
        json!({"action": "read", "ids": null}),
        json!({"action": "read", "ids": id}),
        json!({"action": "read", "ids": [1]}),
        json!({"action": "read", "ids": ["x"]}),
        json!({"action": "read", "ids": [simple]}),
        json!({"action": "read", "ids": [[id]]}),
        json!({"action": "read", "before": null}),
        json!({"action": "read", "before": 5}),
        json!({"action": "read", "ids": [id], "before": position}),
        json!({"action": "seen", "ids": [id]}),
        json!({"action": "read", "all": true}),
    ] {
        let refused = app.act("1", body.clone()).await;
        assert_eq!(refused.status, 400, "{body}");
        refused.is_problem(400, "Bad Request", "invalid_request");
    }
    for bad in ["\u{0}", "x", "🎈"] {
        let refused = app.act("1", json!({"action": "read", "before": bad})).await;
        refused.is_problem(400, "Bad Request", "invalid_position");
    }
    assert_eq!(app.numbers("1").await, (1, 1, 1), "nothing was done");
}

#[tokio::test]
async fn bodies_are_json_of_a_bounded_size() {
    let app = TestApp::spawn().await;
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].clone();
    let one = format!("/v1/users/1/notifications/{id}");
    let actions = "/v1/users/1/notifications/actions";
    let routes = [
        (Method::PATCH, one.as_str(), r#"{"read":true}"#),
        (Method::POST, actions, r#"{"action":"read"}"#),
    ];
    for (method, path, body) in routes {
        for content_type in
            ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]
        {
            let request = app.request(method.clone(), path).header("Content-Type", content_type);
            let refused = answer(request.body(body)).await;
            refused.is_problem(415, "Unsupported Media Type", "unsupported_media_type");
        }
        let none = answer(app.request(method.clone(), path).body(body)).await;
        none.is_problem(415, "Unsupported Media Type", "unsupported_media_type");
        let encoded =
            with_json(app.request(method.clone(), path), body).header("Content-Encoding", "gzip");
        answer(encoded).await.is_problem(415, "Unsupported Media Type", "unsupported_media_type");
        for bytes in [128 * 1024 + 1, 10_000_000] {
            let padded = format!("{}{body}", " ".repeat(bytes));
            let refused = with_json(app.request(method.clone(), path), &padded).send().await;
            // One that is refused before it was sent may end as a broken connection.
            if let Ok(refused) = refused {
                assert_eq!(refused.status(), 413);
            }
        }
        let charset = app.request(method.clone(), path);
        let charset = charset.header("Content-Type", "application/json; charset=utf-8").body(body);
        assert_eq!(answer(charset).await.status, 200);
    }
}

#[tokio::test]
async fn other_methods_are_405() {
    let app = TestApp::spawn().await;
    let one = format!("/v1/users/1/notifications/{}", nothing());
    for (path, allowed) in [
        ("/v1/notifications", "POST"),
        ("/v1/users/1/notifications", "GET, HEAD"),
        (one.as_str(), "GET, HEAD, PATCH, DELETE"),
        ("/v1/users/1/notifications/actions", "POST"),
        ("/v1/users/1/counts", "GET, HEAD"),
        ("/v1/users/1/export", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            if allowed.contains(method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let refused = answer(app.request(method.clone(), path)).await;
            assert_eq!(
                (refused.status, refused.header("allow")),
                (405, Some(allowed)),
                "{method} {path}"
            );
        }
    }
}
