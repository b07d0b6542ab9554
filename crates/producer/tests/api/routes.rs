//! What there is no route for, and who asked.

use reqwest::Method;

use crate::app::{Answer, FORM, TestApp, answer};

/// A problem document (RFC 9457) with this code, whose request id is the answer's.
#[track_caller]
fn is_problem(answer: &Answer, status: u16, title: &str, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["title"], title);
    assert_eq!(problem["status"], status);
    assert_eq!(problem["code"], code);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(problem["request_id"], answer.header("x-request-id").unwrap());
}

#[tokio::test]
async fn other_paths_are_404() {
    let app = TestApp::spawn().await;
    for path in [
        "/",
        "/nope",
        "/send/",
        "//send",
        "/send/1",
        "/Send",
        "/send%00",
        "/s%65nd/x",
        "/..%2f..%2fetc/passwd",
        "/%ff",
        "/notifications/1",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let problem = answer(app.request(method, path)).await;
            is_problem(&problem, 404, "Not Found", "not_found");
        }
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn other_methods_are_405_and_the_right_ones_named() {
    let app = TestApp::spawn().await;
    let other = Method::from_bytes(b"BREW").unwrap();
    for (path, allowed) in [
        ("/send", "POST"),
        ("/livez", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
    ] {
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
            other.clone(),
        ] {
            if allowed.split(", ").any(|it| it == method.as_str()) {
                continue;
            }
            let request = app.request(method.clone(), path).header("content-type", FORM);
            let problem = answer(request.body("fromID=2&toID=1&message=hi")).await;
            is_problem(&problem, 405, "Method Not Allowed", "method_not_allowed");
            assert_eq!(problem.header("allow"), Some(allowed), "{method} {path}");
        }
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::spawn().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let get = app.get(path).await;
        let head = answer(app.request(Method::HEAD, path)).await;
        head.is(get.status, "");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    let head = answer(app.request(Method::HEAD, "/send")).await;
    head.is(405, "");
    assert_eq!(head.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_request_keeps_its_id() {
    let app = TestApp::spawn().await;
    for id in ["a", "018f3b6e-0000-7000-8000-000000000000", "~!#$%&'*+-.^_`|\"<>", &"x".repeat(128)]
    {
        for path in ["/livez", "/nope", "/send"] {
            let request = app.request(Method::GET, path).header("X-Request-Id", id);
            let answered = answer(request).await;
            assert_eq!(answered.header("x-request-id"), Some(id), "{path}");
        }
    }
}

#[tokio::test]
async fn a_request_without_a_usable_id_gets_one_of_its_own() {
    let app = TestApp::spawn().await;
    let mut ids = Vec::new();
    for id in ["", "two words", "tab\there", "gr\u{fc}n", &"x".repeat(129)] {
        let request = app.request(Method::GET, "/livez").header("X-Request-Id", id);
        ids.push(answer(request).await.header("x-request-id").unwrap().to_owned());
    }
    ids.push(app.get("/livez").await.header("x-request-id").unwrap().to_owned());
    ids.push(app.send("2", "1", "hi").await.header("x-request-id").unwrap().to_owned());
    ids.push(app.send("x", "1", "hi").await.header("x-request-id").unwrap().to_owned());
    for id in &ids {
        // A UUID, as 8-4-4-4-12 hexadecimal digits.
        let groups: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}
