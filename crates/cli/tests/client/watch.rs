//! `watch`.

use models::{Offset, Partition, Position, TopicId};
use serde_json::{Value, json};

use crate::inbox::notification;
use crate::program::Program;
use crate::server::{Reply, Server};

fn position(next_offset: i64) -> String {
    let topic_id = TopicId("b9bd4d1e-7d0a-4f6e-a2a6-0f5f4a5b1a11".parse().unwrap());
    Position { topic_id, partition: Partition(3), next_offset: Offset(next_offset) }.to_string()
}

/// A part of a stream that ends with its connection.
fn stream(events: &[(&str, Value, Option<i64>)]) -> Reply {
    let mut body = "retry: 10\n\n".to_owned();
    for (name, data, id) in events {
        if let Some(id) = id {
            body += &format!("id: {}\n", position(*id));
        }
        body += &format!("event: {name}\ndata: {data}\n\n");
    }
    Reply::json(200, &body).header("Content-Type", "text/event-stream")
}

fn counts() -> (&'static str, Value, Option<i64>) {
    ("counts", json!({"unread_count": 1, "unseen_count": 1}), None)
}

fn ids_asked_for(server: &Server) -> Vec<Option<String>> {
    let asked = server.asked();
    asked.iter().map(|asked| asked.header("last-event-id").map(ToOwned::to_owned)).collect()
}

#[tokio::test]
async fn what_happens_is_shown_and_a_lost_connection_goes_on_where_it_was() {
    let id = uuid::Uuid::from_u128(0xabcd_ef01);
    let changed = |what: Value| {
        let mut changed = json!({"ids": [id]});
        changed.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        changed
    };
    let server = Server::with([
        stream(&[counts(), ("notification", notification(0xabcd_ef01, "one\u{1b}[2J"), Some(5))]),
        Reply::Drop,
        Reply::problem(503, "overloaded", "try again"),
        stream(&[
            counts(),
            ("changed", changed(json!({"read_at": "2026-11-26T11:25:59.123Z"})), Some(6)),
            ("changed", changed(json!({"read_at": null})), Some(7)),
            ("changed", changed(json!({"archived_at": null})), Some(8)),
            ("changed", changed(json!({"deleted": true, "reason": "expired"})), Some(9)),
            (
                "changed",
                json!({"before": position(9), "deleted": true, "reason": "user"}),
                Some(10),
            ),
            ("gap", json!({"reason": "too_old"}), Some(20)),
            ("closing", json!({"reason": "shutdown"}), None),
        ]),
        stream(&[counts(), ("notification", notification(2, "two"), Some(21))]),
    ])
    .await;
    let ended = Program::at(&server).run(&["watch", "1", "--limit", "2"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.stdout,
        "* abcdef01  2026-11-26 11:25Z  Bruno             one\u{fffd}[2J\n\
         = read: abcdef01\n\
         = unread: abcdef01\n\
         = not archived any more: abcdef01\n\
         = expired: abcdef01\n\
         = deleted: all until then\n\
         * 00000002  2026-11-26 11:25Z  Bruno             two\n"
    );
    assert!(ended.stderr.contains("(too_old)"), "{ended:?}");
    assert!(ended.stderr.contains("connected again"), "{ended:?}");
    let again = Some(position(5));
    let asked = ids_asked_for(&server);
    assert_eq!(asked, [None, again.clone(), again.clone(), again, Some(position(20))]);
}

#[tokio::test]
async fn with_json_each_event_is_a_line_and_with_a_file_it_goes_on_when_started_again() {
    let server = Server::with([
        stream(&[counts(), ("notification", notification(1, "one"), Some(5))]),
        stream(&[counts(), ("notification", notification(2, "two"), Some(6))]),
    ])
    .await;
    let program = Program::at(&server);
    let file = program.home().join("place");
    let file = file.to_str().unwrap();
    let arguments = ["watch", "1", "--json", "--limit", "1", "--resume", file];
    for (id, message) in [(5, "one"), (6, "two")] {
        let ended = program.run(&arguments).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let lines: Vec<Value> =
            ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["event"], "counts");
        assert_eq!(lines[0]["id"], Value::Null);
        assert_eq!(lines[1]["id"], position(id));
        assert_eq!(lines[1]["data"]["message"], message);
        let kept = std::fs::read_to_string(file).unwrap();
        assert_eq!(kept, format!("1 {}\n", position(id)));
    }
    assert_eq!(ids_asked_for(&server), [None, Some(position(5))]);
    let another = program.run(&["watch", "2", "--resume", file]).await;
    assert_eq!(another.code, 2, "{another:?}");
    assert!(another.stderr.contains("a watch of 1"), "{another:?}");
}

#[tokio::test]
async fn what_does_not_pass_by_itself_ends_it() {
    let server = Server::with([Reply::problem(400, "invalid_request", "no")]).await;
    let program = Program::at(&server);
    let refused = program.run(&["watch", "1"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    let nobody = Program::at_url("http://127.0.0.1:1");
    let ended = nobody.run(&["watch", "1", "--timeout", "0.2"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("cannot connect"), "{ended:?}");
    let bad = program.home().join("bad");
    std::fs::write(&bad, "x").unwrap();
    let bad = bad.to_str().unwrap();
    for arguments in [
        &["watch", "1", "--last-event-id", "x"][..],
        &["watch", "1", "--resume", bad],
        &["watch", "1", "--limit", "0"],
        &["watch", ".."],
    ] {
        let ended = program.run(arguments).await;
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
    }
    assert_eq!(server.lines(), ["GET /v1/users/1/stream"]);
}
