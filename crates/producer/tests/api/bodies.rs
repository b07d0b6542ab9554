//! Bodies that are too large, too slow, cut, or not what their heads say.

use std::time::Duration;

use reqwest::Method;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::app::{FORM, NOT_FOUND, SENT, TestApp, answer, eventually, form, soon};
use crate::raw::{head, request};

const GOOD: &str = "fromID=2&toID=1&message=hi";

#[tokio::test]
async fn a_body_over_the_limit_is_413_before_all_of_it_is_sent() {
    const LENGTH: usize = 100_000_000;
    let app = TestApp::spawn_with(|config| config.form.max_bytes = 100_000).await;
    let piece = [b'x'; 1_000];
    let chunk = [b"3e8\r\n", &piece[..], b"\r\n"].concat();
    for (framing, piece) in [
        (format!("Content-Length: {LENGTH}\r\n"), &piece[..]),
        ("Transfer-Encoding: chunked\r\n".to_owned(), &chunk),
    ] {
        let mut raw = app.connect().await;
        raw.write(head(&framing)).await;
        let (answer, written) = raw.answer_while_writing(piece, LENGTH).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        assert_eq!(answer.body, r#"{"message":"the body is larger than 100000 bytes"}"#);
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
        assert!(written < LENGTH, "{written}");
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn clients_that_write_all_before_they_read_get_their_413_too() {
    let app = TestApp::spawn().await;
    // Three bytes a character, as percent-encoding has it: twice the limit.
    let message = "\u{1}".repeat(1_800_000);
    for _ in 0..5 {
        let answer = app.send("2", "1", &message).await;
        answer.is(413, r#"{"message":"the body is larger than 2700000 bytes"}"#);
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn clients_that_write_all_before_they_read_get_every_other_answer_too() {
    let app = TestApp::spawn_with(|config| config.body_budget_bytes = 1_000).await;
    let body = || "x".repeat(2_500_000);
    for _ in 0..5 {
        app.post(FORM, body()).await.is_unavailable("too many large requests at once");
        for (method, path, status) in [
            (Method::POST, "/nope", 404),
            (Method::PUT, "/send", 405),
            (Method::POST, "/livez", 405),
        ] {
            let refused = answer(app.request(method, path).body(body())).await;
            assert_eq!(refused.status, status, "{path}");
        }
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read() {
    let app = TestApp::spawn_with(|config| config.form.max_bytes = 1_000).await;
    let body = |bytes: usize| {
        let empty = "fromID=2&toID=1&message=";
        empty.to_owned() + &"x".repeat(bytes - empty.len())
    };
    app.post(FORM, body(1_000)).await.is(200, SENT);
    assert_eq!(app.post(FORM, body(1_001)).await.status, 413);
    // The largest message is read even where each of its bytes is percent-encoded.
    let app = TestApp::spawn().await;
    app.send("2", "1", &"é".repeat(449_000)).await.is(200, SENT);
}

#[tokio::test]
async fn what_follows_a_body_that_was_not_read_is_not_taken_for_a_request() {
    let app = TestApp::spawn_with(|config| config.form.max_bytes = 1_000).await;
    let hidden = request(GOOD);
    let body = "x".repeat(2_000) + &hidden.repeat(50);
    let mut raw = app.connect().await;
    raw.write(request(&body)).await;
    assert_eq!(raw.answer().await.status, 413);
    assert!(raw.is_closed().await);
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_body_that_stalls_is_408_in_time() {
    let app = TestApp::spawn_with(|config| config.form.timeout = Duration::from_millis(300)).await;
    for (framing, begun) in [
        ("Content-Length: 26\r\n", ""),
        ("Content-Length: 26\r\n", &GOOD[..25]),
        ("Transfer-Encoding: chunked\r\n", "1a\r\nfromID=2&"),
        ("Transfer-Encoding: chunked\r\n", "1a\r\nfromID=2&toID=1&message=hi\r\n"),
    ] {
        let began = Instant::now();
        let mut raw = app.connect().await;
        raw.write(head(framing) + begun).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, 408, "{framing}{begun}: {answer:?}");
        assert_eq!(answer.body, r#"{"message":"the body did not arrive within 300ms"}"#);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
        assert!(raw.is_closed().await, "{framing}{begun}");
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_hold_its_connection_for_ever() {
    let app = TestApp::spawn().await;
    for path in ["POST /nope", "GET /livez", "PUT /send"] {
        for begun in
            ["Content-Length: 26\r\n\r\nfromID", "Transfer-Encoding: chunked\r\n\r\n1a\r\nfrom"]
        {
            let mut raw = app.connect().await;
            raw.write(format!("{path} HTTP/1.1\r\nHost: test\r\n{begun}")).await;
            raw.answer().await;
            assert!(raw.is_closed().await, "{path} {begun}");
        }
    }
}

#[tokio::test]
async fn a_body_that_drips_is_408_all_the_same() {
    let app = TestApp::spawn_with(|config| config.form.timeout = Duration::from_millis(300)).await;
    let mut raw = app.connect().await;
    raw.write(head("Content-Length: 1000000\r\n")).await;
    let (mut read, mut write) = raw.stream.split();
    let mut drips = tokio::time::interval(Duration::from_millis(20));
    let dripping = async {
        while write.write_all(b"x").await.is_ok() {
            drips.tick().await;
        }
        std::future::pending::<()>().await;
    };
    let mut line = [0; 12];
    tokio::select! {
        answer = tokio::io::AsyncReadExt::read_exact(&mut read, &mut line) => answer.unwrap(),
        () = dripping => unreachable!(),
    };
    assert_eq!(&line, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_head_that_stalls_does_not_hold_its_connection_for_ever() {
    let app = TestApp::spawn().await;
    let mut raw = app.connect().await;
    raw.write("POST /send HTTP/1.1\r\nHost: te").await;
    if let Some(answer) = raw.try_answer().await {
        assert_eq!(answer.status, 408, "{answer:?}");
        assert!(raw.is_closed().await);
    }
}

#[tokio::test]
async fn chunks_of_every_size_make_a_body() {
    let app = TestApp::spawn().await;
    let mut raw = app.connect().await;
    for size in [1, 7, 26] {
        raw.write(head("Transfer-Encoding: chunked\r\n")).await;
        for chunk in GOOD.as_bytes().chunks(size) {
            let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
            raw.write(chunk).await;
        }
        raw.write("0\r\n\r\n").await;
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, SENT));
    }
    assert_eq!(app.messages().await, ["hi"; 3]);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let app = TestApp::spawn().await;
    let mut raw = app.connect().await;
    raw.write(head("Content-Length: 26\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(raw.answer().await.status, 100);
    raw.write(GOOD).await;
    assert_eq!(raw.answer().await.body, SENT);
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_one_by_one() {
    let app = TestApp::spawn().await;
    let mut raw = app.connect().await;
    raw.write(request(GOOD) + &request("fromID=9&toID=1") + &request(GOOD)).await;
    for body in [SENT, NOT_FOUND, SENT] {
        assert_eq!(raw.answer().await.body, body);
    }
}

#[tokio::test]
async fn a_length_that_is_too_small_cuts_the_body_there() {
    let app = TestApp::spawn().await;
    let mut raw = app.connect().await;
    raw.write(head("Content-Length: 10\r\n") + GOOD).await;
    assert_eq!(raw.answer().await.status, 400, "fromID=2&t has no toID");
    // The rest is no request.
    if let Some(answer) = raw.try_answer().await {
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_not_sent() {
    let app = TestApp::spawn().await;
    for framing in ["Content-Length: 30\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1e\r\n"] {
        let mut raw = app.connect().await;
        raw.write(head("").trim_end().to_owned() + "\r\n" + framing + GOOD).await;
        raw.stream.shutdown().await.unwrap();
        if let Some(answer) = raw.try_answer().await {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn framing_that_makes_no_sense_is_400() {
    let app = TestApp::spawn().await;
    for framing in [
        "Content-Length: -1\r\n",
        "Content-Length: x\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 26\r\nContent-Length: 27\r\n",
        "Content-Length: 26\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, nonsense\r\n",
    ] {
        let answer = app.raw(head(framing) + GOOD).await;
        assert_eq!(answer.status, 400, "{framing}: {answer:?}");
    }
    for chunks in ["x\r\n", "1a fromID\r\n", "ffffffffffffffffff\r\nfrom", "-1\r\n", "1\r\nfr\r\n"]
    {
        let answer = app.raw(head("Transfer-Encoding: chunked\r\n") + chunks).await;
        assert_eq!(answer.status, 400, "{chunks}: {answer:?}");
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_service_goes_on() {
    let app = TestApp::spawn().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\x2c\0\x12\0\0\0\0\0\x01\0\x04test\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\nHost: test\r\n\r\n",
    ] {
        let mut raw = app.connect().await;
        raw.write(bytes).await;
        raw.stream.shutdown().await.unwrap();
        if let Some(answer) = raw.try_answer().await {
            assert!((400..500).contains(&answer.status), "{bytes:?}: {answer:?}");
        }
    }
    app.send("2", "1", "hi").await.is(200, SENT);
}

#[tokio::test]
async fn a_head_of_megabytes_is_refused() {
    let app = TestApp::spawn().await;
    let mut raw = app.connect().await;
    raw.write("GET /livez HTTP/1.1\r\nHost: test\r\n").await;
    let (answer, _) = raw.answer_while_writing(b"X-Filler: xxxxxxxxxx\r\n", 50_000_000).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn clients_that_go_away_in_the_middle_leave_nothing_behind() {
    let app = TestApp::spawn().await;
    let whole = request(GOOD);
    for bytes in (0..whole.len()).step_by(3) {
        app.connect().await.write(&whole[..bytes]).await;
    }
    app.send("2", "1", "the only one").await.is(200, SENT);
    assert_eq!(app.messages().await, ["the only one"]);
}

#[tokio::test]
async fn bodies_that_take_all_the_room_make_others_wait_outside() {
    let app = TestApp::spawn_with(|config| {
        config.body_budget_bytes = 10_000;
        config.form.max_bytes = 10_000;
    })
    .await;
    let body = form(&[("fromID", "2"), ("toID", "1"), ("message", &"x".repeat(8_000))]);
    let whole = request(&body);
    let (first, last) = whole.split_at(whole.len() - 1);
    let mut slow = app.connect().await;
    slow.write(first).await;
    // As soon as the slow one's bytes are read, there is no room for as many others.
    let message = "y".repeat(5_000);
    let other = || app.send("3", "1", &message);
    eventually(soon(), async || other().await.status == 503).await;
    other().await.is_unavailable("too many large requests at once");
    app.send("2", "1", "small ones find room").await.is(200, SENT);
    slow.write(last).await;
    assert_eq!(slow.answer().await.body, SENT);
    other().await.is(200, SENT);
}

#[tokio::test]
async fn the_room_of_bodies_that_never_arrive_is_given_back() {
    let app = TestApp::spawn_with(|config| {
        config.body_budget_bytes = 10_000;
        config.form.timeout = Duration::from_millis(500);
    })
    .await;
    let body = form(&[("fromID", "2"), ("toID", "1"), ("message", &"x".repeat(8_000))]);
    for _ in 0..5 {
        app.connect().await.write(&request(&body)[..8_000]).await;
        let mut stalling = app.connect().await;
        stalling.write(&request(&body)[..4_000]).await;
        let status = stalling.answer().await.status;
        assert!(status == 408 || status == 503, "{status}");
    }
    eventually(soon(), async || app.post(FORM, body.clone()).await.status == 200).await;
}
