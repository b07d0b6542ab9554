//! `inbox` and `read`.

use serde_json::{Value, json};

use crate::program::{Program, end};
use crate::server::{Reply, Server};

pub(crate) fn notification(id: u128, message: &str) -> Value {
    json!({
        "id": uuid::Uuid::from_u128(id), "from": {"id": "2", "name": "Bruno"},
        "to": {"id": "1", "name": "Emma"}, "message": message, "title": null, "url": null,
        "tags": [], "priority": 3, "data": null, "created_at": "2026-11-26T11:25:59.123Z",
        "expires_at": null, "read_at": null, "archived_at": null, "position": "p",
    })
}

fn page(notifications: &[Value], next_cursor: Option<&str>) -> Reply {
    let page = json!({
        "notifications": notifications, "unread_count": 3, "unseen_count": 1,
        "next_cursor": next_cursor, "position": "p",
    });
    Reply::json(200, &page.to_string())
}

#[tokio::test]
async fn the_newest_are_listed_a_line_each() {
    let mut read = notification(0xabcd_ef02, "Read already");
    read["read_at"] = json!("2026-11-26T12:00:00.000Z");
    read["title"] = json!("Today");
    let mut archived = notification(0xabcd_ef03, "Kept");
    archived["archived_at"] = json!("2026-11-26T12:00:00.000Z");
    archived["from"] = json!({"id": null, "name": "A service with a long name"});
    let unread = notification(0xabcd_ef01, "Two\nlines");
    let server = Server::with([page(&[unread, read, archived], Some("c"))]).await;
    let ended = Program::at(&server).run(&["inbox", "1", "--limit", "3"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.stdout,
        "* abcdef01  2026-11-26 11:25Z  Bruno             Two lines\n  \
           abcdef02  2026-11-26 11:25Z  Bruno             Today: Read already\n\
         - abcdef03  2026-11-26 11:25Z  A service with …  Kept\n\
         3 unread, 1 new; there are more: --all\n"
    );
    assert_eq!(server.lines(), ["GET /v1/users/1/notifications?limit=3&status=inbox"]);
}

#[tokio::test]
async fn lines_are_cut_to_the_width_that_is_asked_for() {
    let server = Server::with([page(&[notification(1, &"漢字".repeat(50))], None)]).await;
    let program = Program::at(&server);
    let mut command = program.command(&["inbox", "1"]);
    let ended = end(command.env("COLUMNS", "60").spawn().unwrap()).await;
    let line = ended.stdout.lines().next().unwrap();
    assert!(line.ends_with('…'), "{line}");
    let wide = line.chars().filter(|c| "漢字".contains(*c)).count();
    assert!((59..=60).contains(&(line.chars().count() + wide)), "{line}");
}

#[tokio::test]
async fn all_follows_the_cursors_under_the_same_filters() {
    let pages = [
        page(&[notification(1, "one")], Some("c1")),
        page(&[], Some("c2")),
        page(&[notification(2, "two")], None),
    ];
    let server = Server::with(pages.clone()).await;
    let args = [
        "inbox",
        "a@b",
        "--all",
        "--status",
        "unread",
        "--tag",
        "x y",
        "--from",
        "2",
        "--since",
        "2026-01-01T00:00:00Z",
        "--until",
        "2027-01-01T00:00:00Z",
    ];
    let ended = Program::at(&server).run(&args).await;
    assert_eq!(ended.stdout.lines().count(), 3, "{ended:?}");
    assert!(ended.stdout.ends_with("3 unread, 1 new\n"), "{ended:?}");
    let first = "GET /v1/users/a@b/notifications?limit=200&status=unread&tag=x+y&from=2\
                 &since=2026-01-01T00%3A00%3A00.000Z&until=2027-01-01T00%3A00%3A00.000Z";
    assert_eq!(
        server.lines(),
        [first.to_owned(), format!("{first}&cursor=c1"), format!("{first}&cursor=c2")]
    );

    let server = Server::with(pages).await;
    let ended = Program::at(&server).run(&["inbox", "1", "--all", "--json"]).await;
    let documents: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[2]["notifications"][0]["message"], "two");
}

#[tokio::test]
async fn a_limit_is_for_all_pages_together() {
    let many: Vec<_> = (0..200).map(|n| notification(n, "x")).collect();
    let server = Server::with([page(&many, Some("c1")), page(&many[..50], Some("c2"))]).await;
    let ended = Program::at(&server).run(&["inbox", "1", "--limit", "250"]).await;
    assert_eq!(ended.stdout.lines().count(), 251);
    let lines = server.lines();
    assert!(lines[0].contains("limit=200") && lines[1].contains("limit=50"), "{lines:?}");
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_end() {
    let server = Server::with([page(&[], Some("c1"))]).await;
    let ended = Program::at(&server).run(&["inbox", "1", "--all"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("same page"), "{ended:?}");
}

#[tokio::test]
async fn what_others_wrote_never_drives_the_terminal() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\u{8}\u{7f}\u{202e}text";
    let mut bad = notification(1, evil);
    bad["title"] = json!(evil);
    bad["from"]["name"] = json!(evil);
    let server = Server::with([page(&[bad], None)]).await;
    let program = Program::at(&server);
    let is_bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    let ended = program.run(&["inbox", "1"]).await;
    assert!(ended.code == 0 && !ended.stdout.contains(is_bad), "{:?}", ended.stdout);
    assert!(ended.stdout.contains("text"));
    let ended = program.run(&["inbox", "1", "--json"]).await;
    assert!(ended.code == 0 && !ended.stdout.contains(is_bad), "{:?}", ended.stdout);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["notifications"][0]["message"], evil, "JSON means the same");

    let server = Server::with([Reply::problem(400, "x", evil)]).await;
    let ended = Program::at(&server).run(&["inbox", "1"]).await;
    assert!(ended.code == 2 && !ended.stderr.contains(is_bad), "{:?}", ended.stderr);
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error() {
    let server = Server::with([Reply::json(200, "<html>")]).await;
    let ended = Program::at(&server).run(&["inbox", "1"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("cannot be read"), "{ended:?}");
}

const COUNTS: &str = r#"{"unread_count":0,"unseen_count":2,"total_count":40,"position":"P"}"#;

#[tokio::test]
async fn read_without_ids_marks_what_was_there_when_it_began() {
    let away = Reply::problem(503, "owner_unavailable", "away");
    let replies = [Reply::json(200, COUNTS), away, Reply::json(200, COUNTS)];
    let server = Server::with(replies).await;
    let ended = Program::at(&server).run(&["read", "1"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "0 unread, 2 new, 40 in all\n"));
    let asked = server.asked();
    assert_eq!(asked[0].line(), "GET /v1/users/1/counts");
    for action in &asked[1..] {
        assert_eq!(action.line(), "POST /v1/users/1/notifications/actions");
        assert_eq!(action.json(), json!({"action": "read", "before": "P"}));
    }
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn read_with_ids_marks_these() {
    let server = Server::with([Reply::json(200, COUNTS)]).await;
    let program = Program::at(&server);
    let ids = ["01990000-0000-7000-8000-000000000001", "01990000-0000-7000-8000-000000000002"];
    let ended = program.run(&["read", "1", ids[0], ids[1], "--json"]).await;
    assert_eq!((ended.code, ended.stdout), (0, format!("{COUNTS}\n")));
    assert_eq!(server.asked()[0].json(), json!({"action": "read", "ids": ids}));
    assert_eq!(program.run(&["read", "1", "abc"]).await.code, 2);
}
