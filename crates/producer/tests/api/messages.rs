//! What is sent: every text arrives as it was given, and one that is too large is refused.

use models::{MAX_RECORD_BYTES, Offset, Partition, Position};

use crate::app::{FORM, MULTIPART, SENT, TestApp, form, multipart, notification};

#[tokio::test]
async fn a_sent_notification_is_in_the_log_and_the_answer_says_where() {
    let app = TestApp::spawn().await;
    let answer = app.send("2", "1", "Bruno started following you.").await;
    answer.is(200, SENT);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let records = app.records().await;
    let [(place, record)] = records.as_slice() else { panic!("{records:?}") };
    let log = app.log().await;
    assert_eq!(
        log[0].notification,
        notification((2, "Bruno"), (1, "Emma"), "Bruno started following you.")
    );
    assert_eq!(answer.header("notification-id").unwrap(), log[0].id.to_string());
    // Java's partitioner puts user 1 of 6 partitions there.
    assert_eq!((place.partition, place.offset), (Partition(3), Offset(0)));
    assert_eq!(answer.header("position").unwrap().parse(), Ok(Position::after(*place)));
    assert_eq!(record.key.as_deref(), Some(&b"1"[..]));
    assert_eq!(
        String::from_utf8(record.value.clone().unwrap().into()).unwrap(),
        r#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"Bruno started following you."}"#
    );
}

#[tokio::test]
async fn each_user_has_a_home_partition() {
    let app = TestApp::spawn().await;
    for (to, home) in [("1", 3), ("2", 2), ("3", 5), ("4", 1)] {
        let answer = app.send("1", to, "hi").await;
        let position: Position = answer.header("position").unwrap().parse().unwrap();
        assert_eq!(position.partition, Partition(home), "user {to}");
    }
}

#[tokio::test]
async fn every_text_arrives_as_it_was_given() {
    let app = TestApp::spawn().await;
    let long = "grün 🎈 ".repeat(20_000);
    let texts = [
        "",
        " ",
        "plain",
        "\0",
        "a\0b",
        "\u{1}\u{7f}\u{1b}[31m\u{85}",
        "line\nline\r\nline\ttab",
        r#""quotes", \backslashes\ and /slashes/"#,
        r#"{"message":"json"}"#,
        "<script>alert(1)</script>",
        "&=+%#;,%20%",
        "grün, naïve, ñ",
        "漢字かな 한국어 العربية עברית",
        "🎈👩‍👩‍👧‍👦🇩🇪",
        "\u{10ffff}\u{fffd}\u{feff}\u{2028}\u{2029}\u{202e}",
        "' OR 1=1 --",
        long.as_str(),
    ];
    for text in texts {
        app.send("2", "1", text).await.is(200, SENT);
        let fields = [("fromID", "2"), ("toID", "1"), ("message", text)];
        app.post(MULTIPART, multipart(&fields)).await.is(200, SENT);
    }
    let messages = app.messages().await;
    assert_eq!(messages.len(), 2 * texts.len());
    for (sent, text) in messages.chunks(2).zip(texts) {
        assert_eq!(sent, [text, text]);
    }
}

#[tokio::test]
async fn a_missing_message_is_an_empty_one() {
    let app = TestApp::spawn().await;
    app.post(FORM, form(&[("fromID", "2"), ("toID", "1")])).await.is(200, SENT);
    app.post(FORM, "fromID=2&toID=1&message").await.is(200, SENT);
    app.post(MULTIPART, multipart(&[("fromID", "2"), ("toID", "1")])).await.is(200, SENT);
    assert_eq!(app.messages().await, ["", "", ""]);
}

/// Bytes of a record beyond the message: key, the rest of the value, headers.
async fn bytes_beyond_the_message(app: &TestApp) -> usize {
    app.send("2", "1", "").await.is(200, SENT);
    app.records().await[0].1.size_bytes()
}

#[tokio::test]
async fn a_message_may_fill_a_record_and_not_a_byte_more() {
    let app = TestApp::spawn().await;
    let room = MAX_RECORD_BYTES - bytes_beyond_the_message(&app).await;
    let refused = |bytes: usize| {
        let reason = format!("the record has {bytes} bytes, more than the 900000 that are allowed");
        serde_json::json!({ "message": reason }).to_string()
    };
    // As a record it is JSON: a quote takes two bytes, a NUL six, a balloon four.
    for (text, bytes) in [("x", 1), ("\"", 2), ("\0", 6), ("🎈", 4)] {
        let fits = text.repeat(room / bytes) + &"x".repeat(room % bytes);
        for body in [fits.clone(), fits.clone() + "x"] {
            let answer = app.send("2", "1", &body).await;
            if body == fits {
                answer.is(200, SENT);
            } else {
                answer.is(413, &refused(MAX_RECORD_BYTES + 1));
            }
        }
    }
    assert_eq!(app.records().await.len(), 5);
}

#[tokio::test]
async fn a_message_of_two_megabytes_is_413() {
    let app = TestApp::spawn().await;
    let message = "x".repeat(2_000_000);
    let fields = [("fromID", "2"), ("toID", "1"), ("message", message.as_str())];
    for answer in
        [app.post(FORM, form(&fields)).await, app.post(MULTIPART, multipart(&fields)).await]
    {
        assert_eq!(answer.status, 413, "{answer:?}");
        let reason = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(reason.ends_with("bytes, more than the 900000 that are allowed"), "{reason}");
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn many_sends_at_once_are_each_in_the_log_once_and_at_a_place_of_their_own() {
    const COUNT: usize = 300;
    let app = std::sync::Arc::new(TestApp::spawn().await);
    let mut sends = tokio::task::JoinSet::new();
    for number in 0..COUNT {
        let app = app.clone();
        sends.spawn(async move {
            let to = (number % 4 + 1).to_string();
            let answer = app.send("2", &to, &number.to_string()).await;
            answer.is(200, SENT);
            answer.header("position").unwrap().to_owned()
        });
    }
    let mut positions = sends.join_all().await;
    positions.sort();
    positions.dedup();
    assert_eq!(positions.len(), COUNT);
    let mut messages: Vec<usize> =
        app.messages().await.iter().map(|it| it.parse().unwrap()).collect();
    messages.sort_unstable();
    assert_eq!(messages, (0..COUNT).collect::<Vec<_>>());
}

#[tokio::test]
async fn sends_one_after_the_other_are_in_the_log_in_that_order() {
    let app = TestApp::spawn().await;
    let numbers: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    for number in &numbers {
        app.send("2", "1", number).await.is(200, SENT);
    }
    assert_eq!(app.messages().await, numbers);
}
