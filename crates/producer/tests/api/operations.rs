//! What operators look at.

use crate::app::{SENT, TestApp};

#[tokio::test]
async fn a_service_that_can_send_is_alive_and_ready() {
    let app = TestApp::spawn().await;
    app.get("/livez").await.is(200, r#"{"status":"alive"}"#);
    app.get("/readyz").await.is(200, r#"{"status":"ready","details":{}}"#);
}

#[tokio::test]
async fn counts_rise_with_what_they_count() {
    let app = TestApp::spawn().await;
    const SENDS: &str = r#"notify_http_requests_total{method="POST",route="/send",status="200"}"#;
    const REFUSED: &str = r#"notify_http_requests_total{method="POST",route="/send",status="400"}"#;
    const UNMATCHED: &str =
        r#"notify_http_requests_total{method="GET",route="unmatched",status="404"}"#;
    const DURATIONS: &str = r#"notify_http_request_duration_seconds_count{route="/send"}"#;
    const PRODUCED: &str = "notify_produced_records_total";
    const REQUESTS: &str = "notify_produce_requests_total";
    for name in [SENDS, REFUSED, UNMATCHED, DURATIONS, PRODUCED, REQUESTS] {
        assert_eq!(app.metric(name).await, 0, "{name}");
    }
    for _ in 0..3 {
        app.send("2", "1", "hi").await.is(200, SENT);
    }
    for _ in 0..2 {
        assert_eq!(app.send("x", "1", "hi").await.status, 400);
    }
    // Paths that others choose are no labels.
    for path in ["/a", "/b", "/c", "/d"] {
        assert_eq!(app.get(path).await.status, 404);
    }
    for (name, count) in
        [(SENDS, 3), (REFUSED, 2), (UNMATCHED, 4), (DURATIONS, 5), (PRODUCED, 3), (REQUESTS, 3)]
    {
        assert_eq!(app.metric(name).await, count, "{name}");
    }
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let app = TestApp::spawn().await;
    let metrics = app.get("/metrics").await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(metrics.header("content-type"), Some(content_type));
    assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
    let is_ours = |line: &str| line.starts_with("notify_") || line.starts_with("# ");
    assert!(metrics.body.lines().all(is_ours), "{}", metrics.body);
}
