//! What there is no route for, and what operators look at.

use reqwest::Method;

use crate::app::{TestApp, answer};

#[tokio::test]
async fn other_paths_are_404() {
    let app = TestApp::spawn().await;
    for path in [
        "/nope",
        "/notifications",
        "/notifications/",
        "/notifications/1/",
        "/notifications/1/2",
        "//notifications/1",
        "/Notifications/1",
        "/notification/1",
        "/v1",
        "/v1/partitions/",
        "/v1/partitions/1",
        "/send",
        "/%ff",
    ] {
        for method in [Method::GET, Method::POST] {
            answer(app.request(method, path)).await.is_problem(404, "Not Found", "not_found");
        }
    }
}

#[tokio::test]
async fn other_methods_are_405_and_the_right_ones_named() {
    let app = TestApp::spawn().await;
    for path in ["/notifications/1", "/notifications/x", "/v1/partitions", "/livez", "/readyz"] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let problem = answer(app.request(method, path).body("body")).await;
            problem.is_problem(405, "Method Not Allowed", "method_not_allowed");
            assert_eq!(problem.header("allow"), Some("GET, HEAD"), "{path}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::spawn().await;
    app.tell("1", &["hi"]).await;
    app.inbox_of("1", 1).await;
    for path in ["/notifications/1", "/notifications/2", "/notifications/x", "/v1/partitions"] {
        let get = app.get(path).await;
        let head = answer(app.request(Method::HEAD, path)).await;
        head.is(get.status, "");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
    }
}

#[tokio::test]
async fn a_request_keeps_its_id_and_gets_one_where_it_has_none() {
    let app = TestApp::spawn().await;
    for path in ["/notifications/1", "/notifications/x", "/v1/partitions", "/nope", "/livez"] {
        let request = app.request(Method::GET, path).header("X-Request-Id", "mine-1");
        assert_eq!(answer(request).await.header("x-request-id"), Some("mine-1"), "{path}");
        let request = app.request(Method::GET, path).header("X-Request-Id", "not mine");
        let made = answer(request).await;
        assert_eq!(made.header("x-request-id").unwrap().len(), 36, "{path}");
    }
}

#[tokio::test]
async fn counts_are_by_route_and_not_by_user() {
    let app = TestApp::spawn().await;
    for id in 0..5 {
        assert_eq!(app.inbox(id).await.status, 200);
    }
    assert_eq!(app.inbox("x").await.status, 400);
    let count = async |status: u16| {
        let route = "/notifications/{userID}";
        app.metric(&format!(
            r#"notify_http_requests_total{{method="GET",route="{route}",status="{status}"}}"#
        ))
        .await
    };
    assert_eq!((count(200).await, count(400).await), (5, 1));
    let metrics = app.get("/metrics").await;
    assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
    for partition in 0..6 {
        assert_eq!(
            app.metric(&format!("notify_lag_records{{partition=\"{partition}\"}}")).await,
            0
        );
    }
}

#[tokio::test]
async fn a_service_that_has_read_all_is_alive_and_ready() {
    let app = TestApp::spawn().await;
    app.get("/livez").await.is(200, r#"{"status":"alive"}"#);
    app.get("/readyz").await.is(200, r#"{"status":"ready","details":{}}"#);
}
