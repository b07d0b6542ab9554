//! `GET /v1/users/{id}/export`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::app::{TestApp, answer, eventually, soon};
use crate::v1::{ids, record_with};

#[tokio::test]
async fn an_export_is_the_whole_inbox_newest_first_archived_too() {
    let app = TestApp::spawn().await;
    let records = (0..1_234).map(|number| record_with("1", &number.to_string(), &json!({})));
    app.with_records("1", records.collect()).await;
    let newest = app.page("1", "limit=3").await["notifications"].as_array().unwrap().clone();
    app.patch("1", &ids(&newest)[0], json!({"archived": true})).await;
    app.delete("1", &ids(&newest)[1]).await;
    let export = app.get("/v1/users/1/export").await;
    assert_eq!(export.status, 200);
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    assert!(export.body.ends_with('\n'));
    let lines: Vec<Value> =
        export.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let expected: Vec<_> =
        (0..1_234).rev().filter(|number| *number != 1_232).map(|it| it.to_string()).collect();
    assert_eq!(texts, expected);
    assert!(lines[0]["archived_at"].is_string());
    // A line is what a page shows.
    assert_eq!(lines[1], newest[2]);
    app.get("/v1/users/nobody/export").await.is(200, "");
    answer(app.request(Method::HEAD, "/v1/users/1/export")).await.is(200, "");
}

/// Asks for an export and does not read it.
async fn stalled(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(b"GET /v1/users/1/export HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    stream
}

#[tokio::test]
async fn exports_at_once_are_bounded_and_end_with_their_clients() {
    let app = TestApp::spawn_with(|config| config.max_exports = 2).await;
    let text = "x".repeat(800_000);
    // Of more than a socket holds; a writer's queue holds less at once.
    for _ in 0..4 {
        let records = (0..10).map(|_| record_with("1", &text, &json!({})));
        app.with_records("1", records.collect()).await;
    }
    let (first, _second) = (stalled(&app).await, stalled(&app).await);
    let busy = app.get("/v1/users/1/export").await;
    busy.is_problem(429, "Too Many Requests", "too_many_requests");
    assert_eq!(busy.header("retry-after"), Some("1"));
    assert_eq!(app.get("/v1/users/1/counts").await.status, 200, "all else goes on");
    drop(first);
    eventually(soon(), async || {
        let path = app.request(Method::GET, "/v1/users/2/export");
        path.timeout(Duration::from_secs(10)).send().await.unwrap().status() == 200
    })
    .await;
}
