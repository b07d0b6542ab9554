//! Batches stream both ways, in bounded memory, and leave room for others.

use std::time::Duration;

use broker::ApiKey;
use bytes::Bytes;
use futures_util::stream;
use reqwest::Body;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::app::{LONG, TestApp, answer, eventually, soon};
use crate::raw::Raw;
use crate::v1::{NDJSON, SEND_BATCH, results, statuses};

/// A body that is sent piece by piece.
fn body() -> (mpsc::UnboundedSender<String>, Body) {
    let (sender, pieces) = mpsc::unbounded_channel::<String>();
    let next = async |mut pieces: mpsc::UnboundedReceiver<String>| {
        Some((Ok::<_, std::io::Error>(Bytes::from(pieces.recv().await?)), pieces))
    };
    (sender, Body::wrap_stream(Box::pin(stream::unfold(pieces, next))))
}

fn line(message: &str) -> String {
    json!({"to": 1, "message": message}).to_string() + "\n"
}

const HEAD: &str = "POST /v1/notifications/batch HTTP/1.1\r\nHost: test\r\n\
    Content-Type: application/x-ndjson\r\nContent-Length: 10000000000\r\n\r\n";

#[tokio::test]
async fn a_result_comes_while_the_next_line_is_not_sent_yet() {
    let app = TestApp::spawn().await;
    let (lines, body) = body();
    let mut response = app.v1().posting(NDJSON, SEND_BATCH, body).send().await.unwrap();
    assert_eq!(response.status(), 200, "before any line");
    for number in 1..=5 {
        lines.send(line("hi")).unwrap();
        let chunk = timeout(LONG, response.chunk()).await.unwrap().unwrap().unwrap();
        assert_eq!(statuses(&results(std::str::from_utf8(&chunk).unwrap())), [(number, 201)]);
    }
    // The last line without its line break.
    lines.send(line("end").trim().to_owned()).unwrap();
    drop(lines);
    let rest = timeout(LONG, response.text()).await.unwrap().unwrap();
    assert_eq!(statuses(&results(&rest)), [(6, 201)]);
}

/// Writes lines until the other side takes no more for a while: how many bytes it took.
async fn write_until_it_is_full(raw: &mut Raw, piece: &[u8], most: usize) -> usize {
    let mut written = 0;
    loop {
        let patience = Duration::from_millis(700);
        match timeout(patience, raw.stream.write(&piece[written % piece.len()..])).await {
            Ok(bytes) => written += bytes.unwrap(),
            Err(_) => return written,
        }
        assert!(written < most, "it takes without end");
    }
}

#[tokio::test]
async fn who_does_not_read_results_cannot_send_more_and_loses_nothing() {
    let app = TestApp::spawn().await;
    let mut raw = app.connect().await;
    raw.write(HEAD).await;
    // Short lines that are refused: each result is larger than its line.
    let piece = b"{}\n".repeat(1_000);
    let written = write_until_it_is_full(&mut raw, &piece, 100_000_000).await;
    let whole_lines = written / 3;
    let mut found = 0;
    let mut text = String::new();
    while found < whole_lines {
        let mut buffer = vec![0; 1 << 20];
        let bytes = timeout(LONG, raw.stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(bytes > 0, "{found} of {whole_lines}");
        text.push_str(std::str::from_utf8(&buffer[..bytes]).unwrap());
        // Each result has this once, and pieces are cut anywhere.
        const MEMBER: &str = "\"status\"";
        found += text.matches(MEMBER).count();
        let cut = text.rfind(MEMBER).map_or(0, |at| at + MEMBER.len());
        text.drain(..cut);
    }
    assert_eq!(found, whole_lines);
}

#[tokio::test]
async fn who_leaves_results_unread_for_too_long_is_cut_off_and_gives_its_place_back() {
    let app = TestApp::spawn_with(|config| {
        config.batch.at_once = 1;
        config.batch.unread_timeout = Duration::from_millis(200);
    })
    .await;
    let mut raw = app.connect().await;
    raw.write(HEAD).await;
    write_until_it_is_full(&mut raw, &b"{}\n".repeat(1_000), 100_000_000).await;
    let v1 = app.v1();
    eventually(soon(), async || answer(v1.posting(NDJSON, SEND_BATCH, "")).await.status == 200)
        .await;
    let mut text = Vec::new();
    // Reset or closed, but never with the chunk that says it was all.
    while let Ok(bytes) = timeout(LONG, raw.stream.read_buf(&mut text)).await.unwrap() {
        if bytes == 0 {
            break;
        }
    }
    assert!(!text.is_empty() && !text.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn while_the_log_takes_nothing_no_more_lines_are_read_and_then_all_are_written() {
    let app = TestApp::spawn_with(|config| {
        config.produce_timeout = LONG;
        config.writer.max_queued_bytes = 4_000_000;
    })
    .await;
    let mut raw = app.connect().await;
    raw.write(HEAD.replace("10000000000", "400000000")).await;
    app.broker.faults().stall(ApiKey::Produce);
    let piece = line(&"x".repeat(10_000)).into_bytes();
    let written = write_until_it_is_full(&mut raw, &piece, 200_000_000).await;
    assert!(written < 50_000_000, "{written} bytes are in hand");
    app.broker.faults().clear();
    let whole_lines = (written / piece.len()) as u64;
    let mut text = String::new();
    while !text.contains(&format!("\"line\":{whole_lines},")) {
        let mut buffer = vec![0; 1 << 16];
        let bytes = timeout(LONG, raw.stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(bytes > 0, "{text}");
        text.push_str(std::str::from_utf8(&buffer[..bytes]).unwrap());
    }
    let refused = text.lines().find(|line| line.contains("\"code\""));
    assert_eq!(refused, None, "all were sent");
    assert!(app.messages().await.len() as u64 >= whole_lines);
}

#[tokio::test]
async fn single_sends_go_on_beside_a_batch() {
    let app = TestApp::spawn_with(|config| config.writer.max_queued_bytes = 2_000_000).await;
    let v1 = app.v1();
    let (lines, body) = body();
    let sending = tokio::spawn(answer(v1.posting(NDJSON, SEND_BATCH, body)));
    let piece = line(&"x".repeat(2_000)).repeat(100);
    let mut count = 0;
    // As fast as it goes, until enough single sends were answered.
    for _ in 0..50 {
        for _ in 0..5 {
            lines.send(piece.clone()).unwrap();
            count += 100;
        }
        let single = v1.publish(&json!({"to": [1, 2, 3, 4], "message": "single"})).await;
        assert_eq!(single.status, 201, "{single:?}");
    }
    drop(lines);
    let answer = timeout(LONG, sending).await.unwrap().unwrap();
    let results = results(&answer.body);
    assert_eq!(results.len(), count);
    assert!(results.iter().all(|it| it["status"] == 201), "none finds it busy");
}

#[tokio::test]
async fn a_line_without_an_end_is_413_and_the_rest_goes_on() {
    let app = TestApp::spawn().await;
    let long = format!("{{\"to\":1,\"message\":\"{}\"}}", "x".repeat(10_000_000));
    let body = [line("a"), long + "\n", line("b")].concat();
    let results = app.v1().batch(SEND_BATCH, body).await;
    assert_eq!(statuses(&results), [(1, 201), (2, 413), (3, 201)]);
    assert_eq!(results[1]["code"], "too_large");
    // Never ended: told before the body is.
    let mut raw = app.connect().await;
    raw.write(HEAD).await;
    for _ in 0..200 {
        raw.write([b'x'; 10_000]).await;
    }
    let mut text = String::new();
    while !text.contains("\"status\":413") {
        let mut buffer = [0; 4_096];
        let bytes = timeout(LONG, raw.stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(bytes > 0, "{text}");
        text.push_str(std::str::from_utf8(&buffer[..bytes]).unwrap());
    }
}

#[tokio::test]
async fn what_is_too_large_is_413_for_its_line_alone() {
    let app = TestApp::spawn().await;
    let too_large = json!({"to": 1, "message": "x".repeat(900_000)}).to_string();
    let many: Vec<_> = (0..1_000).map(|n| format!("user-{n}")).collect();
    let expanded = json!({"to": many, "message": "x".repeat(16_000)}).to_string();
    let body = [too_large, expanded, line("fits")].join("\n");
    let results = app.v1().batch(SEND_BATCH, body).await;
    assert_eq!(statuses(&results), [(1, 413), (2, 413), (3, 201)]);
    assert!(results[1]["detail"].as_str().unwrap().contains("for 1000 recipients"));
}

#[tokio::test]
async fn a_client_that_falls_silent_is_told_and_closed() {
    let app =
        TestApp::spawn_with(|config| config.batch.idle_timeout = Duration::from_millis(300)).await;
    let (lines, body) = body();
    let mut response = app.v1().posting(NDJSON, SEND_BATCH, body).send().await.unwrap();
    lines.send(line("one") + r#"{"to":1,"#).unwrap();
    let mut text = String::new();
    while let Some(chunk) = timeout(LONG, response.chunk()).await.unwrap().unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let results = results(&text);
    assert_eq!(statuses(&results), [(1, 201), (2, 408)]);
    assert_eq!(results[1]["code"], "request_timeout");
    assert_eq!(app.messages().await, ["one"]);
}

#[tokio::test]
async fn one_batch_too_many_is_429_until_another_ends() {
    let app = TestApp::spawn_with(|config| config.batch.at_once = 2).await;
    let v1 = app.v1();
    let (first, first_body) = body();
    let (_second, second_body) = body();
    let first_response = v1.posting(NDJSON, SEND_BATCH, first_body).send().await.unwrap();
    let gone = v1.posting(NDJSON, "/v1/users/batch", second_body).send().await.unwrap();
    for path in [SEND_BATCH, "/v1/users/batch"] {
        let refused = answer(v1.posting(NDJSON, path, "{}\n")).await;
        refused.is_problem(429, "too_many_requests", "2 batches are in hand already");
    }
    drop(first);
    assert_eq!(first_response.text().await.unwrap(), "");
    let again = async || answer(v1.posting(NDJSON, SEND_BATCH, line("x"))).await.status == 200;
    eventually(soon(), again).await;
    // A client that goes away gives its place back, too.
    drop(gone);
    let (_third, third_body) = body();
    let _third_response = v1.posting(NDJSON, SEND_BATCH, third_body).send().await.unwrap();
    eventually(soon(), again).await;
}

#[tokio::test]
async fn a_batch_under_way_is_told_where_a_stopping_service_ends_it() {
    let mut app = TestApp::spawn().await;
    let (lines, body) = body();
    let mut response = app.v1().posting(NDJSON, SEND_BATCH, body).send().await.unwrap();
    lines.send(line("one")).unwrap();
    let first = timeout(LONG, response.chunk()).await.unwrap().unwrap().unwrap();
    assert_eq!(statuses(&results(std::str::from_utf8(&first).unwrap())), [(1, 201)]);
    let stopping = tokio::spawn(async move {
        app.stop().await.unwrap();
        app
    });
    let rest = timeout(LONG, response.text()).await.unwrap().unwrap();
    let last = results(&rest);
    assert_eq!(statuses(&last), [(2, 503)]);
    assert!(last[0]["detail"].as_str().unwrap().contains("stopping"));
    let app = timeout(LONG, stopping).await.unwrap().unwrap();
    assert_eq!(app.messages().await, ["one"]);
}
