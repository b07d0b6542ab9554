//! `POST /v1/users/{id}/notifications/actions`.

use serde_json::{Value, json};

use crate::app::{TestApp, sent_record, to};
use crate::v1::{ids, nothing, numbers, texts};

async fn done(app: &TestApp, user: &str, body: Value) -> Value {
    let answer = app.act(user, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn each_action_does_what_it_says_to_those_named() {
    let app = TestApp::spawn().await;
    let all = ids(&app.with_texts("1", &["a", "b", "c", "d"]).await);
    let some = json!([all[0], all[1], all[0], nothing()]);
    for (action, expected) in [
        ("read", (4, 2, 4)),
        ("unread", (4, 4, 4)),
        ("archive", (4, 2, 4)),
        ("unarchive", (4, 4, 4)),
        ("delete", (2, 2, 2)),
        ("delete", (2, 2, 2)),
    ] {
        let counts = done(&app, "1", json!({"action": action, "ids": some})).await;
        assert_eq!(numbers(&counts), expected, "{action}");
        assert_eq!(counts, app.counts("1").await, "{action}");
    }
    assert_eq!(texts(&app.page("1", "").await), ["b", "a"]);
}

#[tokio::test]
async fn without_ids_an_action_is_on_all_that_was_there() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["a", "b", "c"]).await;
    app.with_texts("2", &["not Emma's"]).await;
    for (action, expected) in [
        ("read", (3, 0, 3)),
        ("unread", (3, 3, 3)),
        ("seen", (3, 3, 0)),
        ("archive", (3, 0, 0)),
        ("unarchive", (3, 3, 0)),
        ("delete", (0, 0, 0)),
    ] {
        let counts = done(&app, "1", json!({ "action": action })).await;
        assert_eq!(numbers(&counts), expected, "{action}");
    }
    assert_eq!(app.numbers("2").await, (1, 1, 1));
}

#[tokio::test]
async fn what_arrived_behind_before_stays_as_it_is() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["old", "older"]).await;
    let position = app.page("1", "").await["position"].clone();
    app.with_texts("1", &["new"]).await;
    for (action, expected) in
        [("read", (3, 1, 3)), ("seen", (3, 1, 1)), ("archive", (3, 1, 1)), ("delete", (1, 1, 1))]
    {
        let body = json!({"action": action, "before": position});
        assert_eq!(numbers(&done(&app, "1", body).await), expected, "{action}");
    }
    assert_eq!(texts(&app.page("1", "status=unread").await), ["new"]);
}

#[tokio::test]
async fn what_arrives_while_all_is_marked_read_stays_unread() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["old"; 10]).await;
    let sending = async {
        for round in 0..50 {
            let record = sent_record(&to("1"), &format!("new {round}"));
            app.append_for("1", vec![record]).await;
        }
    };
    let marking = async {
        let mut last = 0;
        for _ in 0..20 {
            let counts = done(&app, "1", json!({"action": "read"})).await;
            let (total, unread, _) = numbers(&counts);
            // Never more than what arrived behind what was applied when the request came.
            assert!(unread <= total - last, "{unread} of {total}, {last} before");
            last = total - unread;
        }
    };
    tokio::join!(sending, marking);
    let shown = app.page("1", "status=all&limit=200").await;
    let unread = shown["notifications"].as_array().unwrap().iter();
    let unread: Vec<_> = unread.map(|it| it["read_at"].is_null()).collect();
    // Newest first: the unread ones are the newest.
    assert!(unread.is_sorted_by(|a, b| a >= b), "{unread:?}");
}

#[tokio::test]
async fn a_position_of_a_send_is_a_position_to_act_before() {
    let app = TestApp::spawn().await;
    let records = ["a", "b"].map(|text| sent_record(&to("1"), text));
    let offsets = app.append_for("1", records.to_vec()).await;
    let position = app.position("1", offsets[0].next()).await.to_string();
    // Perhaps not applied here yet; what the log has in order is done in order.
    let counts = done(&app, "1", json!({"action": "read", "before": position})).await;
    assert_eq!(numbers(&counts), (2, 1, 2));
    assert_eq!(texts(&app.page("1", "status=unread").await), ["b"]);
    // A position beyond the end is no way to what comes later.
    let far = app.position("1", models::Offset(1_000_000)).await.to_string();
    done(&app, "1", json!({"action": "read", "before": far})).await;
    app.with_texts("1", &["c"]).await;
    assert_eq!(texts(&app.page("1", "status=unread").await), ["c"]);
}

#[tokio::test]
async fn a_thousand_ids_are_one_action() {
    let app = TestApp::spawn().await;
    let all = ids(&app.with_texts("1", &["hi"; 200]).await);
    let mut named = all.clone();
    named.extend((200..1_000).map(|_| nothing()));
    let counts = done(&app, "1", json!({"action": "read", "ids": named})).await;
    assert_eq!(numbers(&counts), (200, 0, 200));
    named.push(nothing());
    let refused = app.act("1", json!({"action": "unread", "ids": named})).await;
    refused.is_problem(400, "Bad Request", "invalid_request");
    assert_eq!(app.numbers("1").await, (200, 0, 200));
}
