//! `PATCH` and `DELETE /v1/users/{id}/notifications/{nid}`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, answer, sent_record, to};
use crate::v1::{ids, nothing, with_json};

#[tokio::test]
async fn a_change_is_answered_with_the_notification_after_it() {
    let app = TestApp::spawn().await;
    let shown = app.with_texts("1", &["hi"]).await;
    let id = shown[0]["id"].as_str().unwrap();
    let (mut read_at, mut archived_at) = (Value::Null, Value::Null);
    for (body, is_read, is_archived, unread) in [
        (json!({"read": true}), true, false, 0),
        (json!({"read": true}), true, false, 0),
        (json!({"archived": true}), true, true, 0),
        (json!({"read": false}), false, true, 0),
        (json!({"archived": false}), false, false, 1),
        (json!({"read": true, "archived": true}), true, true, 0),
        (json!({"read": false, "archived": false}), false, false, 1),
    ] {
        let changed = app.patch("1", id, body.clone()).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let changed = changed.json();
        let (now_read, now_archived) = (&changed["read_at"], &changed["archived_at"]);
        assert_eq!((now_read.is_string(), now_archived.is_string()), (is_read, is_archived));
        // What is so already stays so since then.
        assert!(!(read_at.is_string() && is_read) || *now_read == read_at, "{body}");
        assert!(!(archived_at.is_string() && is_archived) || *now_archived == archived_at);
        (read_at, archived_at) = (now_read.clone(), now_archived.clone());
        let mut expected = shown[0].clone();
        (expected["read_at"], expected["archived_at"]) = (read_at.clone(), archived_at.clone());
        assert_eq!(changed, expected);
        assert_eq!(app.numbers("1").await, (1, unread, 1), "{body}");
    }
    assert_eq!(app.metric(r#"notify_commands_total{command="read"}"#).await, 3);
    assert_eq!(app.metric(r#"notify_commands_total{command="unarchive"}"#).await, 2);
}

#[tokio::test]
async fn what_is_deleted_is_gone_for_every_route() {
    let app = TestApp::spawn().await;
    let shown = app.with_texts("1", &["stays", "goes"]).await;
    let id = shown[0]["id"].as_str().unwrap();
    let deleted = app.delete("1", id).await;
    deleted.is(204, "");
    let path = format!("/v1/users/1/notifications/{id}");
    for gone in [
        app.get(&path).await,
        app.delete("1", id).await,
        app.patch("1", id, json!({"read": true})).await,
    ] {
        gone.is_problem(404, "Not Found", "notification_not_found");
        assert_eq!(gone.header("staleness"), None);
    }
    assert_eq!(app.inbox("1").await.messages(), ["stays"]);
    assert_eq!(app.numbers("1").await, (1, 1, 1));
}

#[tokio::test]
async fn another_users_notification_is_not_there() {
    let app = TestApp::spawn().await;
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].clone();
    app.with_texts("2", &["hi"]).await;
    for (user, id) in [("2", id.clone()), ("nobody", id), ("1", nothing())] {
        let path = format!("/v1/users/{user}/notifications/{id}");
        for answer in [
            app.get(&path).await,
            app.delete(user, &id).await,
            app.patch(user, &id, json!({"read": true})).await,
        ] {
            answer.is_problem(404, "Not Found", "notification_not_found");
        }
    }
    assert_eq!(app.numbers("1").await, (1, 1, 1));
}

#[tokio::test]
async fn a_command_is_read_on_every_instance_that_reached_its_position() {
    let app = TestApp::spawn().await;
    let other = app.beside().await;
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].clone();
    for round in 0..20 {
        let is_read = round % 2 == 0;
        let changed = app.patch("1", &id, json!({ "read": is_read })).await;
        assert_eq!(changed.json()["read_at"].is_string(), is_read);
        let counts = app.counts("1").await;
        let position = counts["position"].as_str().unwrap();
        let query = format!("min_position={position}&wait_ms=30000");
        let there = other.get(&format!("/v1/users/1/notifications/{id}?{query}")).await;
        assert_eq!(there.json()["read_at"].is_string(), is_read, "{there:?}");
        let there = other.get(&format!("/v1/users/1/counts?{query}")).await;
        assert_eq!(there.json()["unread_count"], counts["unread_count"]);
        let there = other.get(&format!("/v1/users/1/notifications?{query}")).await;
        assert_eq!(there.json()["unread_count"], counts["unread_count"]);
    }
}

#[tokio::test]
async fn a_command_on_what_another_instance_has_just_sent_finds_it() {
    let app = TestApp::spawn().await;
    for round in 0..20 {
        let record = sent_record(&to("1"), "hi");
        let id = String::from_utf8(record.headers.get("ce_id").unwrap().to_vec()).unwrap();
        app.append_for("1", vec![record]).await;
        // It may not be applied yet: that is no 404.
        let answer = match round % 3 {
            0 => app.get(&format!("/v1/users/1/notifications/{id}")).await,
            1 => app.patch("1", &id, json!({"read": true})).await,
            _ => app.delete("1", &id).await,
        };
        assert!(answer.status < 300, "{round}: {answer:?}");
    }
}

#[tokio::test]
async fn many_commands_at_once_are_all_done() {
    let app = TestApp::spawn().await;
    let all = ids(&app.with_texts("1", &["hi"; 100]).await);
    let mut requests = tokio::task::JoinSet::new();
    for id in &all {
        let path = format!("/v1/users/1/notifications/{id}");
        let request = with_json(app.request(Method::PATCH, &path), r#"{"read":true}"#);
        requests.spawn(answer(request));
    }
    for answer in requests.join_all().await {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json()["read_at"].is_string());
    }
    assert_eq!(app.numbers("1").await, (100, 0, 100));
}

#[tokio::test]
async fn many_misses_at_once_are_all_told() {
    let app = TestApp::spawn().await;
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let path = format!("/v1/users/1/notifications/{}", nothing());
        requests.spawn(answer(app.request(Method::GET, &path)));
    }
    for answer in requests.join_all().await {
        answer.is_problem(404, "Not Found", "notification_not_found");
    }
}
