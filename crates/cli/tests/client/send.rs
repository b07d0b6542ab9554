//! `send`.

use serde_json::json;

use crate::program::Program;
use crate::server::{Reply, Server};

const SENT: &str = r#"{"notifications":[{"id":"0199","to":"1","position":"p"}]}"#;

#[tokio::test]
async fn what_is_given_is_what_is_sent() {
    let server = Server::with([Reply::json(201, SENT)]).await;
    let program = Program::at(&server);
    let ended = program
        .run(&[
            "send",
            "--to",
            "1",
            "--to",
            "alice@example.org",
            "--from-name",
            "Billing",
            "--title",
            "Today",
            "--url",
            "https://example.org/x",
            "--tag",
            "a",
            "--tag",
            "b",
            "--priority",
            "5",
            "--data",
            r#"{"n": 1.50}"#,
            "--expires-at",
            "2027-01-01T00:00:00Z",
            "--idempotency-key",
            "k1",
            "--token",
            "secret",
            "Lunch?",
        ])
        .await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "sent 0199 to 1\n"), "{ended:?}");
    let asked = &server.asked()[0];
    assert_eq!(asked.line(), "POST /v1/notifications");
    assert_eq!(asked.header("idempotency-key"), Some("k1"));
    assert_eq!(asked.header("authorization"), Some("Bearer secret"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(
        asked.json(),
        json!({
            "from": {"name": "Billing"}, "to": [1, "alice@example.org"], "message": "Lunch?",
            "title": "Today", "url": "https://example.org/x", "tags": ["a", "b"], "priority": 5,
            "data": {"n": 1.50}, "expires_at": "2027-01-01T00:00:00.000Z",
        })
    );
    assert!(asked.body.contains(r#"{"n": 1.50}"#), "data is passed on as it is");
}

#[tokio::test]
async fn the_text_may_come_from_standard_input() {
    let server = Server::with([Reply::json(201, SENT)]).await;
    let program = Program::at(&server);
    for (args, input, message) in [
        (&["send", "--to", "1,2", "-"][..], "from a pipe\n", "from a pipe"),
        (&["send", "--to", "1,2"][..], "two\nlines\r\n", "two\nlines"),
        (&["send", "--to", "1,2", "an argument"][..], "not read", "an argument"),
        (&["send", "--to", "1,2"][..], "", ""),
    ] {
        let ended = program.run_with_input(args, input).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.json(), json!({"to": [1, 2], "message": message}));
    }
    let keys: Vec<_> =
        server.asked().iter().map(|it| it.header("idempotency-key").unwrap().to_owned()).collect();
    assert!(keys[0].len() == 36 && keys[0] != keys[1], "each sending has a key of its own");
}

#[tokio::test]
async fn json_is_the_answer_as_it_came() {
    let body = r#"{"notifications":[{"id":"0199","to":"1","position":"p","new_field":true}]}"#;
    let server = Server::with([Reply::json(201, body)]).await;
    let ended = Program::at(&server).run(&["send", "--to", "1", "--json", "x"]).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{body}\n")));
}

#[tokio::test]
async fn partly_sent_is_said_and_has_its_exit_code() {
    let body = r#"{"notifications":[{"id":"0199","to":"1","position":"p","status":201},
        {"to":"2","status":413,"code":"too_large"}]}"#;
    let server = Server::with([Reply::json(207, body)]).await;
    let ended = Program::at(&server).run(&["send", "--to", "1,2", "x"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (4, "sent 0199 to 1\n"));
    assert!(ended.stderr.contains("failed to 2: too_large"), "{ended:?}");
    assert!(ended.stderr.contains("--idempotency-key "), "{ended:?}");
}

#[tokio::test]
async fn a_replay_is_said() {
    let reply = Reply::json(201, SENT).header("Idempotency-Replayed", "true");
    let server = Server::with([reply]).await;
    let ended =
        Program::at(&server).run(&["send", "--to", "1", "--idempotency-key", "k", "x"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "sent before 0199 to 1\n"));
}

#[tokio::test]
async fn bad_flags_are_refused_before_anything_is_sent() {
    let server = Server::start().await;
    let program = Program::at(&server);
    for (args, reason) in [
        (&["send", "x"][..], "--to"),
        (&["send", "--to", "a b", "x"], "a user id has only characters"),
        (&["send", "--to", "1", "--priority", "6", "x"], "1..=5"),
        (&["send", "--to", "1", "--data", "{", "x"], "no JSON"),
        (&["send", "--to", "1", "--expires-at", "soon", "x"], "not a time"),
        (&["send", "--to", "1", "--from", "1", "--from-name", "B", "x"], "cannot be used with"),
        (&["send", "--to", "1", "--idempotency-key", "a b", "x"], "visible ASCII"),
        (&["send", "--to", "1", "--token", "a\nb", "x"], "--token"),
        (&["send", "--to", "1", "--producer-url", "https://h", "x"], "https is not built into"),
        (&["send", "--to", "1", "--timeout", "0", "x"], "seconds"),
    ] {
        let ended = program.run(args).await;
        assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(reason), "{args:?}: {}", ended.stderr);
    }
    assert!(server.asked().is_empty());
}
