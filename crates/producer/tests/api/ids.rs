//! Who sends to whom: the form values `fromID` and `toID`.

use crate::app::{FORM, NOT_FOUND, SENT, TestApp, form};

fn refused(field: &str, reason: &str) -> String {
    let message = format!("failed to parse ID from form value {field}: strconv.Atoi: {reason}");
    serde_json::json!({ "message": message }).to_string()
}

/// What is no integer, and the tutorial's words for it.
const NO_INTEGERS: [(&str, &str); 15] = [
    ("", r#"parsing "": invalid syntax"#),
    ("one", r#"parsing "one": invalid syntax"#),
    ("1.5", r#"parsing "1.5": invalid syntax"#),
    (" 1", r#"parsing " 1": invalid syntax"#),
    ("1 ", r#"parsing "1 ": invalid syntax"#),
    ("0x1", r#"parsing "0x1": invalid syntax"#),
    ("1e3", r#"parsing "1e3": invalid syntax"#),
    ("1_000", r#"parsing "1_000": invalid syntax"#),
    ("--1", r#"parsing "--1": invalid syntax"#),
    ("+", r#"parsing "+": invalid syntax"#),
    ("-", r#"parsing "-": invalid syntax"#),
    ("１", r#"parsing "１": invalid syntax"#),
    ("1\"", r#"parsing "1\"": invalid syntax"#),
    ("9223372036854775808", r#"parsing "9223372036854775808": value out of range"#),
    ("-9223372036854775809", r#"parsing "-9223372036854775809": value out of range"#),
];

#[tokio::test]
async fn an_id_that_is_no_integer_is_400_in_the_tutorials_words() {
    let app = TestApp::spawn().await;
    for (id, reason) in NO_INTEGERS {
        app.send(id, "1", "hi").await.is(400, &refused("fromID", reason));
        app.send("2", id, "hi").await.is(400, &refused("toID", reason));
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn of_two_bad_ids_the_senders_is_told() {
    let app = TestApp::spawn().await;
    let reason = refused("fromID", r#"parsing "a": invalid syntax"#);
    app.send("a", "b", "hi").await.is(400, &reason);
    let body = form(&[("toID", "b"), ("message", "hi"), ("fromID", "a")]);
    app.post(FORM, body).await.is(400, &reason);
}

#[tokio::test]
async fn a_missing_id_is_an_empty_one() {
    let app = TestApp::spawn().await;
    let empty = r#"parsing "": invalid syntax"#;
    for (fields, field) in [
        (&[("toID", "1"), ("message", "hi")][..], "fromID"),
        (&[("fromID", "2"), ("message", "hi")], "toID"),
        (&[("message", "hi")], "fromID"),
        (&[("fromid", "2"), ("toid", "1"), ("message", "hi")], "fromID"),
        (&[], "fromID"),
    ] {
        app.post(FORM, form(fields)).await.is(400, &refused(field, empty));
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_bad_id_of_any_length_is_told_in_short() {
    let app = TestApp::spawn().await;
    let answer = app.send(&"x".repeat(500_000), "1", "hi").await;
    let shown = format!(r#"parsing "{}"...: invalid syntax"#, "x".repeat(64));
    answer.is(400, &refused("fromID", &shown));
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_404() {
    let app = TestApp::spawn().await;
    for id in ["0", "-0", "-1", "5", "+5", "007", "9223372036854775807", "-9223372036854775808"] {
        app.send(id, "1", "hi").await.is(404, NOT_FOUND);
        app.send("2", id, "hi").await.is(404, NOT_FOUND);
    }
    // A number that cannot be read comes before a user that cannot be found.
    let reason = refused("toID", r#"parsing "x": invalid syntax"#);
    app.send("99", "x", "hi").await.is(400, &reason);
    app.log_is_empty().await;
}

#[tokio::test]
async fn other_spellings_of_an_integer_are_the_same_user() {
    let app = TestApp::spawn().await;
    for (from, to) in [("+2", "1"), ("2", "+1"), ("002", "01"), ("2", "0000000000000000000001")] {
        app.send(from, to, "hi").await.is(200, SENT);
    }
    for sent in app.log().await {
        assert_eq!(sent.notification.to.id.as_str(), "1");
        assert_eq!(sent.notification.from.id.unwrap().as_str(), "2");
    }
}

#[tokio::test]
async fn users_may_write_to_themselves() {
    let app = TestApp::spawn().await;
    app.send("1", "1", "note").await.is(200, SENT);
    assert_eq!(app.messages().await, ["note"]);
}
