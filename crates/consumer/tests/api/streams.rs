//! `GET /v1/users/{id}/stream`.

use std::time::Duration;

use models::{Offset, Partition, Position, TopicId};
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::app::{
    BrokerVerbs as _, TestApp, TestBroker, answer, eventually, home, raw_record, sent_record, soon,
    to,
};
use crate::events::Event;
use crate::v1::{ids, nothing};

#[tokio::test]
async fn what_happens_is_told_as_it_happens() {
    let app = TestApp::spawn().await;
    let old = ids(&app.with_texts("1", &["old"]).await);
    let mut stream = app.stream("1", None).await;
    app.tell("1", &["<new>\nline"]).await;
    let told = stream.expect("notification").await;
    let page = app.page("1", "limit=1").await;
    assert_eq!(told.data, page["notifications"][0]);
    assert_eq!(told.id, told.data["position"].as_str().unwrap());
    let counts = stream.expect("counts").await;
    assert_eq!(counts.data, json!({"unread_count": 2, "unseen_count": 2}));
    assert_eq!(counts.id, told.id);
    let new = told.data["id"].as_str().unwrap();

    let read = app.patch("1", new, json!({"read": true})).await.json();
    let changed = stream.expect("changed").await;
    assert_eq!(changed.data, json!({"ids": [new], "read_at": read["read_at"]}));
    assert_eq!(stream.expect("counts").await.data["unread_count"], 1);
    app.patch("1", new, json!({"read": false})).await;
    assert_eq!(stream.next_change().await.data, json!({"ids": [new], "read_at": null}));
    let before = app.page("1", "").await["position"].clone();
    let archive = json!({"action": "archive", "before": before});
    app.act("1", archive).await;
    let archived = stream.next_change().await.data;
    assert_eq!(archived["before"], before);
    assert!(archived["archived_at"].is_string());
    app.act("1", json!({"action": "seen"})).await;
    app.delete("1", &old[0]).await;
    let deleted = stream.next_change().await;
    assert_eq!(deleted.data, json!({"ids": old, "deleted": true, "reason": "user"}));
    assert_eq!(stream.expect("counts").await.data, json!({"unread_count": 0, "unseen_count": 0}));
    assert_eq!(deleted.id, app.page("1", "").await["position"], "one currency");
}

#[tokio::test]
async fn what_others_get_is_not_told() {
    let app = TestApp::spawn().await;
    // The same partition.
    let other = (10..).map(|id| id.to_string()).find(|id| home(id) == home("1")).unwrap();
    let mut stream = app.stream("1", None).await;
    app.with_texts(&other, &["for another"]).await;
    app.tell("1", &["for Emma"]).await;
    assert_eq!(stream.expect("notification").await.data["message"], "for Emma");
}

/// All that a stream tells that begins behind this position, but counts.
async fn told_since(app: &TestApp, position: &str, count: usize) -> Vec<Event> {
    let mut stream = app.stream("1", Some(position)).await;
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(stream.next_change().await);
    }
    events
}

#[tokio::test]
async fn a_stream_goes_on_exactly_behind_each_of_its_ids() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["before"]).await;
    let begin = app.page("1", "").await["position"].as_str().unwrap().to_owned();
    let mut stream = app.stream("1", None).await;
    assert_eq!(stream.id(), begin);
    let shown = app.with_texts("1", &["a", "b"]).await;
    let all = ids(&shown);
    app.patch("1", &all[0], json!({"read": true})).await;
    app.with_texts("1", &["c"]).await;
    app.act("1", json!({"action": "unread"})).await;
    let mut live = Vec::new();
    for _ in 0..5 {
        live.push(stream.next_change().await);
    }
    for told in 0..=5 {
        let position = if told == 0 { &begin } else { &live[told - 1].id };
        let again = told_since(&app, position, 5 - told).await;
        let names = |events: &[Event]| -> Vec<_> {
            events.iter().map(|event| (event.name.clone(), event.id.clone())).collect()
        };
        assert_eq!(names(&again), names(&live[told..]));
    }
    // What is gone again is not told.
    app.delete("1", &all[0]).await;
    let again = told_since(&app, &begin, 5).await;
    let messages: Vec<_> =
        again.iter().filter_map(|event| event.data["message"].as_str()).collect();
    assert_eq!(messages, ["a", "c"]);
    assert_eq!(again[4].data["deleted"], true);
    // The header says more than the address, which a browser keeps.
    let path = format!("/v1/users/1/stream?last_event_id={begin}");
    let request = app.request(Method::GET, &path).header("Last-Event-ID", &again[4].id);
    let mut response = request.send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    assert!(!std::str::from_utf8(&first).unwrap().contains("event: notification"));
}

#[tokio::test]
async fn whoever_was_away_for_long_is_told_everything_in_parts() {
    let app = TestApp::spawn().await;
    let begin = app.page("1", "").await["position"].as_str().unwrap().to_owned();
    let texts: Vec<_> = (0..550).map(|n| n.to_string()).collect();
    app.with_texts("1", &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    app.act("1", json!({"action": "read"})).await;
    let events = told_since(&app, &begin, 551).await;
    let told: Vec<_> = events.iter().filter_map(|event| event.data["message"].as_str()).collect();
    assert_eq!(told, texts);
    assert!(events.iter().take(550).all(|event| event.data["read_at"].is_string()), "as it is");
    assert_eq!(events[550].name, "changed");
}

#[tokio::test]
async fn a_position_that_is_none_of_this_log_is_a_gap_and_then_it_goes_on() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["before"]).await;
    let ours = app.position("1", Offset(1)).await;
    let elsewhere = Partition((home("1").0 + 1) % 6);
    let topic_id = TopicId("b9bd4d1e-7d0a-4f6e-a2a6-0f5f4a5b1a11".parse().unwrap());
    let mut forged = ours.to_string();
    forged.replace_range(20..21, if &forged[20..21] == "A" { "B" } else { "A" });
    for id in [
        Position { partition: elsewhere, ..ours }.to_string(),
        Position { topic_id, ..ours }.to_string(),
        Position { next_offset: Offset(1_000_000), ..ours }.to_string(),
        forged,
        "0".to_owned(),
        "x".repeat(5_000),
        "\u{fc}".to_owned(),
    ] {
        let now = app.page("1", "").await["position"].clone();
        let mut stream = app.stream("1", Some(&id)).await;
        let gap = stream.expect("gap").await;
        assert_eq!(gap.data, json!({"reason": "reset"}));
        assert_eq!(gap.id, now);
        app.tell("1", &["next"]).await;
        assert_eq!(stream.expect("notification").await.data["message"], "next");
    }
}

#[tokio::test]
async fn a_position_that_another_instance_was_first_to_reach_is_waited_for() {
    let mut app = TestApp::spawn().await;
    app.with_texts("1", &["before"]).await;
    let far = app.position("1", Offset(2)).await.to_string();
    app.broker.stop().await;
    let answer = app.ask_for_stream("1", Some(&far)).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    app.broker.start_again().await;
    app.tell("1", &["the one that is known", "the next"]).await;
    let mut stream = app.stream("1", Some(&far)).await;
    assert_eq!(stream.expect("notification").await.data["message"], "the next");
}

#[tokio::test]
async fn what_retention_cut_is_a_gap_and_streams_are_told_of_it() {
    let often = |config: &mut consumer::Config| config.retention_period = Duration::from_millis(50);
    let mut broker = TestBroker::start().await;
    broker.topics().await;
    broker.cuts_early().await;
    let app = TestApp::spawn_on(broker, often).await;
    app.with_texts("1", &["oldest"]).await;
    let begin = app.page("1", "").await["position"].as_str().unwrap().to_owned();
    let mut stream = app.stream("1", None).await;
    for round in 0..30 {
        app.append_for("1", vec![sent_record(&to("1"), &format!("new {round}"))]).await;
    }
    let cut = loop {
        let event = stream.next_change().await;
        if event.name == "changed" {
            break event;
        }
    };
    assert_eq!((&cut.data["deleted"], &cut.data["reason"]), (&json!(true), &json!("retention")));
    let first = format!("notify_first_offset{{partition=\"{}\"}}", home("1"));
    eventually(soon(), async || app.metric(&first).await > 1).await;
    let mut late = app.stream("1", Some(&begin)).await;
    assert_eq!(late.expect("gap").await.data, json!({"reason": "retention"}));
    // Whoever comes back later is told what it may still show.
    let page = app.page("1", "").await;
    let mut back = app.stream("1", page["position"].as_str()).await;
    let told = back.expect("changed").await.data;
    assert_eq!((&told["deleted"], &told["reason"]), (&json!(true), &json!("retention")));
    let start: Position = told["before"].as_str().unwrap().parse().unwrap();
    assert!(start.next_offset.0 > 1);
}

#[tokio::test]
async fn commands_that_are_not_kept_any_more_are_a_gap() {
    let app = TestApp::spawn().await;
    let begin = app.page("1", "").await["position"].as_str().unwrap().to_owned();
    // What is not there may be by the time that the command is applied.
    let many: Vec<_> = (0..1_000).map(|_| nothing()).collect();
    for _ in 0..5 {
        assert_eq!(app.act("1", json!({"action": "read", "ids": many})).await.status, 200);
    }
    let mut stream = app.stream("1", Some(&begin)).await;
    let gap = stream.expect("gap").await;
    assert_eq!(gap.data, json!({"reason": "too_old"}));
    assert_eq!(gap.id, app.page("1", "").await["position"]);
}

#[tokio::test]
async fn streams_are_bounded_and_their_places_are_free_once_the_client_has_gone() {
    let app = TestApp::spawn_with(|config| {
        (config.max_streams, config.max_streams_per_user) = (3, 2);
    })
    .await;
    let first = app.stream("1", None).await;
    let _second = app.stream("1", None).await;
    let path = |user| format!("/v1/users/{user}/stream");
    let refused = app.get(&path("1")).await;
    refused.is_problem(429, "Too Many Requests", "too_many_requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let _other = app.stream("2", None).await;
    let refused = app.get(&path("3")).await;
    refused.is_problem(503, "Service Unavailable", "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(app.metric("notify_streams").await, 3);
    drop(first);
    eventually(soon(), async || app.metric("notify_streams").await == 2).await;
    app.stream("1", None).await;
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_refused() {
    let app = TestApp::spawn().await;
    for path in ["/v1/users/a%20b/stream", "/v1/users/1/stream?since=x"] {
        app.get(path).await.is_problem(400, "Bad Request", "invalid_request");
    }
    let post = answer(app.request(Method::POST, "/v1/users/1/stream")).await;
    post.is_problem(405, "Method Not Allowed", "method_not_allowed");
    let head = answer(app.request(Method::HEAD, "/v1/users/1/stream")).await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(app.metric("notify_streams").await, 0);
}

#[tokio::test]
async fn a_stop_ends_streams_and_asks_them_to_come_back_one_after_the_other() {
    let mut app = TestApp::spawn().await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(app.stream("1", None).await);
    }
    assert!(streams.iter().all(|stream| stream.retry().is_some()), "also without a word");
    let began = Instant::now();
    app.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut retries = Vec::new();
    for stream in &mut streams {
        let closing = stream.expect("closing").await;
        assert_eq!(closing.data["reason"], "shutdown");
        let retry = stream.retry().unwrap();
        assert_eq!(closing.data["retry_ms"], retry.as_millis() as u64);
        assert_eq!(stream.next_or_end().await, None);
        retries.push(retry);
    }
    retries.sort();
    retries.dedup();
    assert_eq!(retries.len(), 4, "{retries:?}");
}

#[tokio::test]
async fn a_log_made_anew_ends_streams_and_is_a_gap_for_who_comes_back() {
    let mut app = TestApp::spawn().await;
    app.with_texts("1", &["old"]).await;
    let mut stream = app.stream("1", None).await;
    let other = TestBroker::start().await;
    other.topics().await;
    app.broker.replace(other).await;
    while stream.next_or_end().await.is_some() {}
    let id = stream.id();
    eventually(soon(), async || app.ask_for_stream("1", Some(&id)).await.status() == 200).await;
    let mut back = app.stream("1", Some(&id)).await;
    assert_eq!(back.expect("gap").await.data, json!({"reason": "reset"}));
}

#[tokio::test]
async fn whoever_reads_late_misses_nothing_and_holds_up_nobody() {
    let app = TestApp::spawn().await;
    let mut late = app.stream("1", None).await;
    let mut other = app.stream("1", None).await;
    // More than a queue, the server's buffers and both sockets take.
    let text = "x".repeat(100_000);
    let texts: Vec<_> = (0..200).map(|n| format!("{n} {text}")).collect();
    for some in texts.chunks(20) {
        app.tell("1", &some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    for stream in [&mut other, &mut late] {
        for text in &texts {
            assert_eq!(stream.next_change().await.data["message"], *text);
        }
    }
}

#[tokio::test]
async fn what_a_sender_attached_is_told_in_one_line_however_it_was_written() {
    let app = TestApp::spawn().await;
    let mut stream = app.stream("1", None).await;
    let value = "{\"from\":{\"id\":2,\"name\":\"Bruno\"},\"to\":{\"id\":1,\"name\":\"Emma\"},\
        \"message\":\"a\\nb\",\"data\":{\r\n  \"text\": \"c\\r\\nd\",\r  \"n\": [\n1]}}";
    app.append_for("1", vec![raw_record(Some(b"1"), Some(value))]).await;
    let told = stream.expect("notification").await.data;
    assert_eq!(told["message"], "a\nb");
    assert_eq!(told["data"], json!({"text": "c\r\nd", "n": [1]}));
    let export = app.get("/v1/users/1/export").await.body;
    assert_eq!(export.lines().count(), 1);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&export).unwrap(), told);
}

#[tokio::test]
async fn requests_behind_the_one_for_a_stream_end_it() {
    let app = TestApp::spawn().await;
    let mut socket = TcpStream::connect(app.address).await.unwrap();
    let request = "GET /v1/users/1/stream HTTP/1.1\r\nHost: test\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let flood = "GET /livez HTTP/1.1\r\nHost: test\r\n\r\n".repeat(20_000);
    // It is cut meanwhile.
    let _ = socket.write_all(flood.as_bytes()).await;
    eventually(soon(), async || app.metric("notify_streams").await == 0).await;
}

#[tokio::test]
async fn what_was_cut_before_it_was_read_is_a_gap() {
    let mut broker = TestBroker::start().await;
    broker.topics().await;
    broker.cuts_early().await;
    let app = TestApp::spawn_on(broker, |_| {}).await;
    app.with_texts("1", &["read"]).await;
    let mut stream = app.stream("1", None).await;
    let mut reader = app.broker.reader(home("1")).await;
    app.broker.faults().stall(broker::ApiKey::Fetch);
    let text = |n: usize| vec![sent_record(&to("1"), &format!("new {n}"))];
    for n in 0.. {
        if reader.bounds().await.unwrap().0 > Offset(5) {
            break;
        }
        app.append_for("1", text(n)).await;
    }
    app.broker.faults().clear();
    let gap = stream.next_change().await;
    // What was fetched before, and is not cut.
    let gap = if gap.name == "notification" { stream.next_change().await } else { gap };
    assert_eq!((gap.name.as_str(), &gap.data), ("gap", &json!({"reason": "retention"})));
    app.append_for("1", text(1_000)).await;
    while stream.next_change().await.data["message"] != "new 1000" {}
}

#[tokio::test]
async fn a_subscriber_that_never_reads_is_cut_and_resumes_whole() {
    let app = TestApp::spawn().await;
    let position = app.page("1", "").await["position"].as_str().unwrap().to_owned();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stuck = socket.connect(app.address).await.unwrap();
    let request = "GET /v1/users/1/stream HTTP/1.1\r\nHost: test\r\n\r\n";
    stuck.write_all(request.as_bytes()).await.unwrap();
    eventually(soon(), async || app.metric("notify_streams").await == 1).await;
    let text = "x".repeat(100_000);
    let texts: Vec<_> = (0..100).map(|n| format!("{n} {text}")).collect();
    for some in texts.chunks(20) {
        app.tell("1", &some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let cut = Instant::now() + Duration::from_secs(60);
    eventually(cut, async || app.metric("notify_streams").await == 0).await;
    let mut stream = app.stream("1", Some(&position)).await;
    for text in &texts {
        assert_eq!(stream.next_change().await.data["message"], *text);
    }
}

#[tokio::test]
async fn a_stream_where_nothing_happens_shows_that_it_is_there_and_moves_on() {
    let app = TestApp::spawn().await;
    let other = (10..).map(|id| id.to_string()).find(|id| home(id) == home("1")).unwrap();
    let mut stream = app.stream("1", None).await;
    let begin = stream.id();
    app.with_texts(&other, &["for another"]).await;
    // Contract: at least every 25 s.
    let alive = tokio::time::timeout(Duration::from_secs(25), stream.until_alive());
    alive.await.expect("a word");
    assert_ne!(stream.id(), begin);
    assert_eq!(stream.id(), app.page("1", "").await["position"]);
}
