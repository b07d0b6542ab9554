//! `users`.

use serde_json::json;

use crate::program::Program;
use crate::server::{Reply, Server};

#[tokio::test]
async fn all_pages_are_listed() {
    let pages = [
        Reply::json(200, r#"{"users":[{"id":"1","name":"Emma"}],"next_cursor":"c/1"}"#),
        Reply::json(
            200,
            r#"{"users":[{"id":"alice@example.org","name":"A\u001b[2J"}],"next_cursor":null}"#,
        ),
    ];
    let server = Server::with(pages).await;
    let program = Program::at(&server);
    let ended = program.run(&["users"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.stdout, "1         Emma\nalice@example.org  A\u{fffd}[2J\n");
    assert_eq!(server.lines(), ["GET /v1/users?limit=200", "GET /v1/users?limit=200&cursor=c%2F1"]);
}

#[tokio::test]
async fn users_are_added_shown_and_removed() {
    let user = r#"{"id":"5","name":"Zoe"}"#;
    let removed =
        r#"{"hidden_at":"2026-11-26T00:00:00.000Z","purged_by":"2027-02-24T00:00:00.000Z"}"#;
    let replies = [
        Reply::json(201, user),
        Reply::json(200, user),
        Reply::json(202, removed),
        Reply::json(202, removed),
    ];
    let server = Server::with(replies).await;
    let program = Program::at(&server);
    assert_eq!(program.run(&["users", "add", "5", "Zoe"]).await.stdout, "5         Zoe\n");
    assert_eq!(program.run(&["users", "get", "5", "--json"]).await.stdout, format!("{user}\n"));
    assert_eq!(
        program.run(&["users", "remove", "5"]).await.stdout,
        "5 removed: hidden_at 2026-11-26T00:00:00.000Z, purged_by 2027-02-24T00:00:00.000Z\n"
    );
    let ended = program.run(&["users", "remove", "5", "--json"]).await;
    assert_eq!(ended.stdout, format!("{removed}\n"));
    let asked = server.asked();
    assert_eq!(asked[0].json(), json!({"name": "Zoe"}));
    let lines = server.lines();
    assert_eq!(lines[..3], ["PUT /v1/users/5", "GET /v1/users/5", "DELETE /v1/users/5"]);
    assert_eq!(program.run(&["users", "add", "5", "bad\nname"]).await.code, 2);
}
