//! `DELETE /v1/users/{id}`: out of the directory, and the end of the inbox.

use models::{Event, Offset, Place, Record, Timestamp};
use serde_json::{Value, json};

use crate::app::{NOT_FOUND, TestApp, eventually, soon};

fn time(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_ms()
}

/// The erasures of a user's inbox, with where they begin.
fn erasures(records: &[(Place, Record)], user: &str) -> Vec<(Place, Offset)> {
    let of_user = records.iter().filter(|(_, it)| it.key.as_deref() == Some(user.as_bytes()));
    let erased = of_user.filter_map(|(place, record)| match Event::decode(record, *place) {
        Ok(Event::Erased(erased)) => Some((*place, erased.before)),
        _ => None,
    });
    erased.collect()
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_its_inbox_ends() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    for _ in 0..3 {
        assert_eq!(v1.publish(&json!({"to": 1, "message": "before"})).await.status, 201);
    }
    let deleted = v1.delete_user("1").await;
    assert_eq!(deleted.status, 202, "{deleted:?}");
    let deleted = deleted.json();
    assert_eq!(deleted.as_object().unwrap().keys().collect::<Vec<_>>(), ["hidden_at", "purged_by"]);
    const DAYS_91_MS: i64 = 91 * 24 * 60 * 60 * 1000;
    assert_eq!(time(&deleted["purged_by"]) - time(&deleted["hidden_at"]), DAYS_91_MS);
    // At once, here; on others soon.
    v1.get("/v1/users/1").await.is_problem(404, "user_not_found", "1");
    app.send("2", "1", "hi").await.is(404, NOT_FOUND);
    let erasures = erasures(&app.records().await, "1");
    let [(place, before)] = erasures.as_slice() else { panic!("{erasures:?}") };
    assert_eq!((place.offset, *before), (Offset(3), Offset(3)));
}

#[tokio::test]
async fn it_may_be_repeated_and_works_for_whoever_is_not_there() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    for id in ["1", "nobody", "a%2Eb"] {
        for _ in 0..2 {
            assert_eq!(v1.delete_user(id).await.status, 202, "{id}");
        }
    }
    let records = app.records().await;
    for id in ["1", "nobody", "a.b"] {
        assert_eq!(erasures(&records, id).len(), 2, "{id}");
    }
}

#[tokio::test]
async fn a_user_that_is_created_again_begins_anew() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let second = app.second(|_| {}).await;
    assert_eq!(v1.delete_user("1").await.status, 202);
    eventually(soon(), async || second.get("/v1/users/1").await.status == 404).await;
    assert_eq!(v1.put_user("1", &json!({"name": "Emma"})).await.status, 201, "created");
    assert_eq!(v1.publish(&json!({"to": 1, "message": "new"})).await.status, 201);
    let records = app.records().await;
    let (_, before) = erasures(&records, "1")[0];
    let (sent, _) = records.last().unwrap();
    assert!(before <= sent.offset, "what is sent since survives a late copy of the erasure");
}
