//! Who exists: what other programs write to the users topic counts.

use models::DirectoryChange::{Present, Removed};
use models::UserId;

use crate::app::{
    NOT_FOUND, SENT, TestApp, eventually, notification, raw_record, soon, user, user_record,
};

#[tokio::test]
async fn the_tutorials_users_are_there_from_the_start() {
    let app = TestApp::spawn().await;
    for (id, name) in [(1, "Emma"), (2, "Bruno"), (3, "Rick"), (4, "Lena")] {
        app.send(&id.to_string(), &id.to_string(), "hi").await.is(200, SENT);
        let log = app.log().await;
        let expected = notification((id, name), (id, name), "hi");
        assert!(log.iter().any(|sent| sent.notification == expected), "{name}");
    }
}

#[tokio::test]
async fn a_user_that_another_program_adds_can_send_and_receive() {
    let app = TestApp::spawn().await;
    app.send("5", "1", "early").await.is(404, NOT_FOUND);
    app.change_users(vec![raw_record(Some("5"), Some(r#"{"id":5,"name":"Eve"}"#))]).await;
    eventually(soon(), async || app.send("5", "1", "hi").await.status == 200).await;
    app.send("1", "5", "hi").await.is(200, SENT);
    let log = app.log().await;
    assert!(log.iter().any(|it| it.notification == notification((5, "Eve"), (1, "Emma"), "hi")));
    assert!(log.iter().any(|it| it.notification == notification((1, "Emma"), (5, "Eve"), "hi")));
}

#[tokio::test]
async fn a_new_name_is_used_from_then_on() {
    let app = TestApp::spawn().await;
    let renamed = user(2, "Bruno \"🎈\" <b>");
    app.change_users(vec![user_record(&Present(renamed.clone()))]).await;
    eventually(soon(), async || {
        app.send("2", "1", "hi").await.is(200, SENT);
        let log = app.log().await;
        log.last().unwrap().notification.from.name == renamed.name
    })
    .await;
}

#[tokio::test]
async fn a_removed_user_is_not_found_until_it_is_added_again() {
    let app = TestApp::spawn().await;
    let two: UserId = "2".parse().unwrap();
    app.change_users(vec![user_record(&Removed(two))]).await;
    eventually(soon(), async || app.send("2", "1", "hi").await.status == 404).await;
    app.send("2", "1", "hi").await.is(404, NOT_FOUND);
    app.send("1", "2", "hi").await.is(404, NOT_FOUND);
    app.change_users(vec![user_record(&Present(user(2, "Bruno")))]).await;
    eventually(soon(), async || app.send("2", "1", "hi").await.status == 200).await;
}

#[tokio::test]
async fn records_that_make_no_sense_change_nothing() {
    let app = TestApp::spawn().await;
    app.change_users(vec![
        raw_record(None, Some(r#"{"id":6,"name":"No key"}"#)),
        raw_record(Some(""), Some(r#"{"id":6,"name":"Empty key"}"#)),
        raw_record(Some("6"), Some(r#"{"id":7,"name":"Another id"}"#)),
        raw_record(Some("6"), Some(r#"{"id":6}"#)),
        raw_record(Some("6"), Some(r#"{"name":"No id"}"#)),
        raw_record(Some("6"), Some("")),
        raw_record(Some("6"), Some("nonsense")),
        raw_record(Some("6 6"), Some(r#"{"id":"6 6","name":"Bad id"}"#)),
        raw_record(Some("1"), Some("nonsense")),
        raw_record(None, None),
        raw_record(Some("8"), None),
        raw_record(Some("9"), Some(r#"{"id":9,"name":"The end","more":[1]}"#)),
    ])
    .await;
    eventually(soon(), async || app.send("9", "1", "hi").await.status == 200).await;
    for id in ["6", "7", "8"] {
        app.send(id, "1", "hi").await.is(404, NOT_FOUND);
    }
    app.send("1", "1", "hi").await.is(200, SENT);
}

#[tokio::test]
async fn two_publishers_know_the_same_users() {
    let mut first = TestApp::spawn().await;
    first.change_users(vec![user_record(&Present(user(5, "Eve")))]).await;
    eventually(soon(), async || first.send("5", "1", "one").await.status == 200).await;
    first.stop().await.unwrap();
    let second = TestApp::spawn_on(first.broker, |_| {});
    second.is_ready().await;
    second.send("5", "1", "two").await.is(200, SENT);
    assert_eq!(second.messages().await, ["one", "two"]);
}
