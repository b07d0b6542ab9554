//! What passes by itself is tried again, with the same key; what does not has its exit code.

use std::time::Instant;

use crate::program::Program;
use crate::server::{Reply, Server};

const SENT: &str = r#"{"notifications":[{"id":"0199","to":"1","position":"p"}]}"#;

#[tokio::test]
async fn what_passes_is_tried_again_with_the_same_key() {
    let away = || Reply::problem(503, "broker_unavailable", "the broker is away");
    let half = r#"{"notifications":[{"id":"0199","to":"1","position":"p","status":201},
        {"to":"2","status":503,"code":"broker_unavailable"}]}"#;
    for first in [
        away(),
        away().header("Retry-After", "1"),
        Reply::problem(429, "too_many_requests", "slower"),
        Reply::json(504, "<html>"),
        Reply::Drop,
        Reply::json(207, half),
    ] {
        let server = Server::with([first.clone(), Reply::json(201, SENT)]).await;
        let ended = Program::at(&server).run(&["send", "--to", "1", "x"]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (0, "sent 0199 to 1\n"), "{first:?}");
        let asked = server.asked();
        assert_eq!(asked.len(), 2, "{first:?}");
        assert_eq!(asked[0].body, asked[1].body);
        let keys = [asked[0].header("idempotency-key"), asked[1].header("idempotency-key")];
        assert!(keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let away = Reply::problem(503, "restoring", "wait").header("Retry-After", "2");
    let server = Server::with([away, Reply::json(201, SENT)]).await;
    let began = Instant::now();
    assert_eq!(Program::at(&server).run(&["send", "--to", "1", "x"]).await.code, 0);
    assert!(began.elapsed().as_secs() >= 2);
}

#[tokio::test]
async fn it_does_not_wait_for_what_comes_after_its_timeout() {
    let away = Reply::problem(503, "restoring", "wait").header("Retry-After", "3600");
    let server = Server::with([away]).await;
    let ended = Program::at(&server).run(&["inbox", "1"]).await;
    assert_eq!(ended.code, 1);
    assert_eq!(ended.stderr, "error: wait (HTTP 503 restoring, request_id req-1)\n");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn each_answer_has_its_exit_code_and_its_words() {
    for (status, code, exit) in [
        (400, "invalid_request", 2),
        (413, "too_large", 2),
        (415, "unsupported_media_type", 2),
        (422, "idempotency_key_reused", 2),
        (404, "user_not_found", 3),
        (401, "unauthenticated", 1),
        (403, "forbidden", 1),
        (412, "position_not_reached", 1),
        (500, "internal", 1),
        (302, "elsewhere", 1),
    ] {
        let server = Server::with([Reply::problem(status, code, "in words")]).await;
        let program = Program::at(&server);
        for args in [
            &["send", "--to", "1", "x"][..],
            &["inbox", "1"],
            &["read", "1"],
            &["users"],
            &["users", "get", "1"],
            &["users", "add", "1", "Emma"],
            &["users", "remove", "1"],
        ] {
            let ended = program.run(args).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (exit, ""), "{status} {args:?}");
            let sentence = format!("error: in words (HTTP {status} {code}, request_id req-1)\n");
            assert!(ended.stderr.starts_with(&sentence), "{}", ended.stderr);
        }
        assert_eq!(server.asked().len(), 7, "{status} is tried once");
    }
}

#[tokio::test]
async fn nobody_there_is_a_sentence_and_says_how_to_go_on() {
    let mut server = Server::start().await;
    server.die().await;
    let program = Program::at(&server);
    let ended = program.run(&["send", "--to", "1", "--timeout", "0.3", "x"]).await;
    assert_eq!(ended.code, 1);
    let sentence = format!("error: cannot connect to {}: ", server.url());
    assert!(ended.stderr.starts_with(&sentence), "{}", ended.stderr);
    assert!(ended.stderr.contains("--idempotency-key "), "{}", ended.stderr);
}

#[tokio::test]
async fn the_token_is_never_shown() {
    let server = Server::with([Reply::problem(401, "unauthenticated", "no")]).await;
    let program = Program::at(&server);
    let mut command = program.command(&["inbox", "1"]);
    let ended = crate::program::end(command.env("NOTIFY_TOKEN", "s3cret").spawn().unwrap()).await;
    assert_eq!(server.asked()[0].header("authorization"), Some("Bearer s3cret"));
    assert!(!format!("{ended:?}").contains("s3cret"), "{ended:?}");
    assert!(ended.stderr.contains("NOTIFY_TOKEN"), "{ended:?}");
    let mut command = program.command(&["inbox", "--help"]);
    let help = crate::program::end(command.env("NOTIFY_TOKEN", "s3cret").spawn().unwrap()).await;
    assert!(help.code == 0 && !help.stdout.contains("s3cret"), "{}", help.stdout);
}
