//! The path value `userID`.

use crate::app::{NONE, TestApp};

#[tokio::test]
async fn an_id_that_is_no_integer_is_400_in_the_tutorials_words() {
    let app = TestApp::spawn().await;
    for (path, reason) in [
        ("one", r#"parsing "one": invalid syntax"#),
        ("1.5", r#"parsing "1.5": invalid syntax"#),
        ("%201", r#"parsing " 1": invalid syntax"#),
        ("1%20", r#"parsing "1 ": invalid syntax"#),
        ("0x1", r#"parsing "0x1": invalid syntax"#),
        ("1_000", r#"parsing "1_000": invalid syntax"#),
        ("--1", r#"parsing "--1": invalid syntax"#),
        ("+", r#"parsing "+": invalid syntax"#),
        ("1,2", r#"parsing "1,2": invalid syntax"#),
        ("%EF%BC%91", r#"parsing "１": invalid syntax"#),
        ("%22", r#"parsing "\"": invalid syntax"#),
        ("1%22", r#"parsing "1\"": invalid syntax"#),
        ("%F0%9F%8E%88", r#"parsing "🎈": invalid syntax"#),
        ("alice@example.org", r#"parsing "alice@example.org": invalid syntax"#),
        ("9223372036854775808", r#"parsing "9223372036854775808": value out of range"#),
        ("-9223372036854775809", r#"parsing "-9223372036854775809": value out of range"#),
    ] {
        let reason = format!("failed to parse ID from path value userID: strconv.Atoi: {reason}");
        app.inbox(path).await.is_refused(&reason);
        app.inbox(format!("{path}?limit=x")).await.is_refused(&reason);
    }
    let long = "x".repeat(5_000);
    app.inbox(&long).await.is_refused(&format!(
        "failed to parse ID from path value userID: strconv.Atoi: parsing \"{}\"...: invalid syntax",
        "x".repeat(64)
    ));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_400_too() {
    let app = TestApp::spawn().await;
    for path in ["%ff", "1%ff", "%c3", "%00", "1%00", "%2F", "1%2F2", "%252F", "%25", "%", "%x1"] {
        let answer = app.inbox(path).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("failed to parse ID from path value userID: "), "{message}");
    }
}

#[tokio::test]
async fn users_nobody_wrote_to_have_no_notifications() {
    let app = TestApp::spawn().await;
    app.tell("1", &["for Emma"]).await;
    app.inbox_of("1", 1).await;
    for id in ["0", "-0", "-1", "5", "9223372036854775807", "-9223372036854775808"] {
        app.inbox(id).await.is(200, NONE);
    }
}

#[tokio::test]
async fn other_spellings_of_an_integer_are_the_same_user() {
    let app = TestApp::spawn().await;
    app.tell("1", &["for Emma"]).await;
    app.inbox_of("1", 1).await;
    for id in ["+1", "%2B1", "%31", "01", "0000000000000000000000001"] {
        assert_eq!(app.inbox(id).await.messages(), ["for Emma"], "{id}");
    }
}
