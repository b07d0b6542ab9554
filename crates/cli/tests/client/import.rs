//! `import`.

mod resume;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Ended, Program, end};
use crate::server::Server;

/// A file of notifications beside the state.
fn file(program: &Program, name: &str, lines: &[&str]) -> PathBuf {
    let path = program.home().join(name);
    fs::write(&path, lines.join("\n")).unwrap();
    path
}

fn numbered(count: usize) -> String {
    (1..=count).map(|n| format!("{{\"to\":1,\"message\":\"m{n}\"}}\n")).collect()
}

async fn import(program: &Program, path: &Path, flags: &[&str]) -> Ended {
    program.run(&[&["import", path.to_str().unwrap()], flags].concat()).await
}

/// Every line was applied once.
fn assert_applied_once(server: &Server, count: usize) {
    let state = server.state();
    let messages: BTreeSet<_> =
        state.batch.applied.values().map(|(_, line)| line["message"].to_string()).collect();
    assert_eq!((state.batch.applied.len(), messages.len()), (count, count));
}

#[tokio::test]
async fn lines_are_sent_with_keys_made_of_the_content_and_the_line() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let lines = [
        "\u{feff}{\"to\":1,\"message\":\"a\"}\r",
        "",
        r#"{"to":2,"message":"b","idempotency_key":"own"}"#,
        r#"{"to":3,"message":"c"}"#,
    ];
    let path = file(&program, "some.ndjson", &lines);
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "3 sent, 0 failed\n"), "{ended:?}");
    assert_eq!(ended.stderr, "");
    let keys = server.state().batch.keys();
    let (first, last) = (keys[0].clone(), keys[1].clone());
    assert!(
        first.starts_with("import:") && first.len() == "import:".len() + 40 + ":1".len(),
        "{first}"
    );
    assert_eq!(last, first.replace(":1", ":4"));
    assert_eq!(keys[2], "own");
    let asked = &server.asked()[0];
    assert_eq!(asked.line(), "POST /v1/notifications/batch");
    assert_eq!(asked.header("content-type"), Some("application/x-ndjson"));

    // The same content elsewhere is the same import; another content is another one.
    let copy = file(&program, "copy.ndjson", &lines);
    import(&program, &copy, &[]).await;
    assert_eq!(server.state().batch.applied.len(), 3);
    assert_eq!(server.state().batch.applied[&first].0, 2, "it came again with the same key");
    let other = file(&program, "other.ndjson", &[&lines[..], &["{\"to\":1}"]].concat());
    import(&program, &other, &[]).await;
    assert_eq!(server.state().batch.applied.len(), 3 + 3, "all but the line with its own key");
}

#[tokio::test]
async fn a_prefix_names_an_import_whose_file_grows() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let path = file(&program, "log.ndjson", &[r#"{"to":1,"message":"m1"}"#]);
    for count in [1, 3] {
        fs::write(&path, numbered(count)).unwrap();
        assert_eq!(import(&program, &path, &["--key-prefix", "log"]).await.code, 0);
        assert_applied_once(&server, count);
    }
    assert_eq!(server.state().batch.keys(), ["log:1", "log:2", "log:3"]);
    for bad in ["a b", "", "é"] {
        assert_eq!(import(&program, &path, &["--key-prefix", bad]).await.code, 2, "{bad:?}");
    }
}

#[tokio::test]
async fn failed_lines_are_kept_with_their_reasons_and_can_be_imported() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let lines = [
        r#"{"to":1,"message":"a"}"#,
        r#"{"to":"nobody","message":"b"}"#,
        "nonsense\u{1b}[2J",
        r#"{"to":"half","message":"c"}"#,
        r#"{"to":2,"message":"d"}"#,
    ];
    let path = file(&program, "some.ndjson", &lines);
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (4, "2 sent, 3 failed\n"), "{ended:?}");
    for reason in [
        "line 2: no such user: nobody (HTTP 404 user_not_found)",
        "line 3: no JSON object (HTTP 400 invalid_request)",
        "line 4: not sent to 2 (too_large) (HTTP 207 partly_done)",
        "some.failed.ndjson",
    ] {
        assert!(ended.stderr.contains(reason), "{reason}: {}", ended.stderr);
    }
    let failures = program.home().join("some.failed.ndjson");
    let text = fs::read_to_string(&failures).unwrap();
    let mut failed: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    failed.sort_by_key(|failed| failed["line"].as_u64());
    let numbers: Vec<_> = failed.iter().map(|failed| failed["line"].clone()).collect();
    assert_eq!(numbers, [json!(2), json!(3), json!(4)]);
    assert_eq!(failed[0]["request"]["message"], "b");
    assert!(failed[0]["request"]["idempotency_key"].as_str().unwrap().ends_with(":2"));
    assert_eq!(failed[1]["text"], "nonsense\u{1b}[2J");

    // Mended, they go out with the keys they had.
    fs::write(&failures, text.replace("\"nobody\"", "3")).unwrap();
    let ended = import(&program, &failures, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (4, "1 sent, 2 failed\n"), "{ended:?}");
    assert_eq!(server.state().batch.applied.len(), 3);

    // Again from the beginning: what was mended there is not overwritten.
    let ended = import(&program, &path, &[]).await;
    assert_eq!(ended.code, 4);
    assert!(ended.stderr.contains("some.failed.ndjson.old"), "{ended:?}");
    assert!(program.home().join("some.failed.ndjson.old").exists());
}

#[tokio::test]
async fn an_edited_file_is_not_sent_again_by_accident() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let path = file(
        &program,
        "some.ndjson",
        &[r#"{"to":1,"message":"a"}"#, r#"{"to":"nobody","message":"b"}"#],
    );
    assert_eq!(import(&program, &path, &[]).await.code, 4);
    file(&program, "some.ndjson", &[r#"{"to":1,"message":"a"}"#, r#"{"to":2,"message":"b"}"#]);
    let ended = import(&program, &path, &[]).await;
    assert_eq!(ended.code, 2, "{ended:?}");
    let prefix = ended.stderr.lines().find_map(|line| line.split_once("--key-prefix "));
    let prefix = prefix.unwrap().1.to_owned();
    assert_eq!(server.state().batch.applied.len(), 1);

    let ended = import(&program, &path, &["--key-prefix", &prefix]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_applied_once(&server, 2);
}

#[tokio::test]
async fn failures_go_where_they_are_told_to() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &[r#"{"to":"nobody","message":"b"}"#]);
    let failures = program.home().join("elsewhere");
    let ended = import(&program, &path, &["--failures", failures.to_str().unwrap()]).await;
    assert_eq!(ended.code, 4);
    assert_eq!(fs::read_to_string(&failures).unwrap().lines().count(), 1);
    assert!(!program.home().join("some.failed.ndjson").exists());
    let ended = import(&program, &path, &["--failures", "/nowhere/at/all"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("/nowhere/at/all"), "{ended:?}");
}

#[tokio::test]
async fn standard_input_is_imported_too() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let input = numbered(3) + r#"{"to":"nobody","message":"x"}"#;
    let ended = program.run_with_input(&["import", "-", "--key-prefix", "p"], &input).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (4, "3 sent, 1 failed\n"), "{ended:?}");
    assert!(ended.stderr.contains("line 4: no such user: nobody"), "{ended:?}");
    assert_eq!(server.state().batch.keys(), ["p:1", "p:2", "p:3"]);
    let ended = program.run_with_input(&["import", "-"], &numbered(1)).await;
    assert!(ended.code == 0 && ended.stderr.contains("--key-prefix"), "{ended:?}");
}

#[tokio::test]
async fn json_is_a_result_a_line_numbered_as_in_the_file() {
    let server = Server::start().await;
    server.state().batch.breaks_after = Some(2);
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &["", numbered(5).trim_end()]);
    let ended = import(&program, &path, &["--json"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let mut numbers: Vec<_> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn what_cannot_be_imported_is_a_sentence() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let ended = import(&program, Path::new("/no/such/file"), &[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (2, "error: there is no file /no/such/file\n"));
    let ended = import(&program, program.home(), &[]).await;
    assert!(ended.code == 2 && ended.stderr.contains("is no file"), "{ended:?}");
    for (status, code) in [(400, 2), (401, 1), (404, 3), (413, 2), (500, 1)] {
        server.state().batch.status = Some(status);
        let path = file(&program, "some.ndjson", &[r#"{"to":1,"message":"a"}"#]);
        let ended = import(&program, &path, &[]).await;
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains("the whole batch is refused"), "{ended:?}");
    }
}

#[tokio::test]
async fn an_empty_file_is_imported_at_once() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &["", ""]);
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "0 sent, 0 failed\n"));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_large_file_takes_little_memory_also_where_the_server_is_slow() {
    const LINES: usize = 2_000;
    const MOST_KIB: u64 = 96 * 1024;
    let server = Server::start().await;
    let program = Program::at(&server);
    let path = program.home().join("large.ndjson");
    let padding = "x".repeat(100_000);
    let text: String = (1..=LINES)
        .map(|n| format!("{{\"to\":1,\"message\":\"m{n}\",\"title\":\"{padding}\"}}\n"))
        .collect();
    fs::write(&path, text).unwrap();
    server.state().batch.holds_after = Some(10);
    let go_on = server.state().batch.go_on.clone();
    let child = program.spawn(&["import", path.to_str().unwrap()]);
    let status = format!("/proc/{}/status", child.id());
    let peak = move || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    crate::server::eventually(|| server.state().batch.lines() > 10).await;
    let held = server.state().batch.bytes;
    assert!(held < 2_000_000, "the server stopped reading at {held}");
    server.state().batch.holds_after = None;
    go_on.notify_one();
    let mut most = 0;
    crate::server::eventually(|| {
        most = peak().unwrap_or(0).max(most);
        server.state().batch.lines() == LINES
    })
    .await;
    let ended = end(child).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{LINES} sent, 0 failed\n")));
    assert!(most > 0 && most < MOST_KIB, "{most} KiB for a file of 200 MB");
}
