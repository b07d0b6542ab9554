//! Imports that are interrupted, and go on.

use std::fs;
use std::process::Command;

use super::{assert_applied_once, file, import, numbered};
use crate::program::{Program, end};
use crate::server::{Server, eventually};

const MANY: usize = 20_000;

#[tokio::test]
async fn lines_that_may_succeed_later_are_sent_again() {
    let server = Server::start().await;
    server.state().batch.refuses = 7;
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &[&numbered(10)]);
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "10 sent, 0 failed\n"), "{ended:?}");
    assert_applied_once(&server, 10);
    assert_eq!(server.state().batch.lines(), 17);
}

#[tokio::test]
async fn a_connection_that_breaks_is_opened_again_and_nothing_is_applied_twice() {
    let server = Server::start().await;
    // The line behind these is applied, and its result lost.
    server.state().batch.breaks_after = Some(1_000);
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &[&numbered(MANY)]);
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{MANY} sent, 0 failed\n")));
    assert!(ended.stderr.contains("trying again"), "{}", ended.stderr);
    assert_eq!(server.asked().len(), 2);
    assert_applied_once(&server, MANY);
    let state = server.state();
    let twice = state.batch.applied.values().filter(|(times, _)| *times > 1).count();
    assert!((1..=4_096).contains(&twice), "what has a result is not sent again: {twice}");
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_is_waited_for() {
    let mut server = Server::start().await;
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &[&numbered(MANY)]);
    let child = program.spawn(&["import", path.to_str().unwrap()]);
    eventually(|| server.state().batch.applied.len() > 1_000).await;
    server.die().await;
    assert!(server.state().batch.applied.len() < MANY);
    server.start_again().await;
    let ended = end(child).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{MANY} sent, 0 failed\n")));
    assert_applied_once(&server, MANY);
}

#[tokio::test]
async fn given_up_it_goes_on_where_it_was_at_the_next_run() {
    let mut server = Server::start().await;
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &[&numbered(MANY)]);
    let child = program.spawn(&["import", path.to_str().unwrap(), "--timeout", "1"]);
    eventually(|| server.state().batch.applied.len() > 5_000).await;
    server.die().await;
    let ended = end(child).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("run the same command again"), "{ended:?}");

    server.start_again().await;
    let before = server.state().batch.lines();
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{MANY} sent, 0 failed\n")));
    assert!(ended.stderr.contains("going on behind line "), "{}", ended.stderr);
    assert_applied_once(&server, MANY);
    let again = server.state().batch.lines() - before;
    assert!(again < MANY, "{again} lines were sent at the second run");

    // Once all is sent nothing is left to go on with: the keys do it.
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_applied_once(&server, MANY);
}

#[tokio::test]
async fn killed_it_goes_on_and_sends_nothing_twice() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &[&numbered(MANY)]);
    // Nothing more is read after these, so that it is killed in the middle.
    server.state().batch.holds_after = Some(MANY / 2);
    let mut child = program.spawn(&["import", path.to_str().unwrap()]);
    eventually(|| server.state().batch.lines() > MANY / 2).await;
    let folder = program.home().join(".local/state/kafka-notify/import");
    let lines = || {
        let file = fs::read_dir(&folder)
            .ok()?
            .flatten()
            .find(|it| it.path().extension().is_some_and(|it| it == "json"))?;
        let state: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
        state["lines"].as_u64()
    };
    eventually(|| lines() == Some(MANY as u64 / 2)).await;
    child.kill().unwrap();
    end(child).await;
    server.state().batch.holds_after = None;
    for (flags, from) in [(&[][..], MANY / 2), (&["--restart"][..], 0)] {
        let before = server.state().batch.lines();
        let ended = import(&program, &path, flags).await;
        assert_eq!((ended.code, ended.stdout), (0, format!("{MANY} sent, 0 failed\n")));
        assert_eq!(server.state().batch.lines() - before, MANY - from);
        assert_applied_once(&server, MANY);
    }
}

#[tokio::test]
async fn what_failed_before_is_still_known_when_it_goes_on() {
    let mut server = Server::start().await;
    let program = Program::at(&server);
    let text = numbered(10) + "{\"to\":\"nobody\",\"message\":\"x\"}\n" + &numbered(MANY);
    let path = file(&program, "some.ndjson", &[&text]);
    let child = program.spawn(&["import", path.to_str().unwrap(), "--timeout", "1"]);
    eventually(|| server.state().batch.lines() > 1_000).await;
    server.die().await;
    assert_eq!(end(child).await.code, 1);
    server.start_again().await;
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout), (4, format!("{} sent, 1 failed\n", MANY + 10)));
    let failures = fs::read_to_string(program.home().join("some.failed.ndjson")).unwrap();
    assert_eq!(failures.lines().count(), 1);
}

#[tokio::test]
async fn interrupted_it_keeps_how_far_it_came_and_says_so() {
    let server = Server::start().await;
    let program = Program::at(&server);
    let path = file(&program, "some.ndjson", &[&numbered(MANY)]);
    server.state().batch.holds_after = Some(MANY / 2);
    let child = program.spawn(&["import", path.to_str().unwrap()]);
    eventually(|| server.state().batch.lines() > MANY / 2).await;
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let ended = end(child).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("stopped"), "{ended:?}");
    assert!(ended.stderr.contains("lines are done; to go on, run the same command"), "{ended:?}");
    server.state().batch.holds_after = None;
    let ended = import(&program, &path, &[]).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{MANY} sent, 0 failed\n")));
    assert!(ended.stderr.contains("going on behind line "), "{}", ended.stderr);
    assert_applied_once(&server, MANY);
}
