//! v1 without a broker.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::app::{TestApp, TestBroker, eventually, soon};
use crate::v1::{ids, nothing, numbers, texts};

fn quickly(config: &mut consumer::Config) {
    config.stale_after = Duration::from_millis(1_500);
    config.command_timeout = Duration::from_millis(500);
}

#[tokio::test]
async fn before_the_broker_was_there_all_of_v1_is_503() {
    let broker = TestBroker::not_running();
    let app = TestApp::start(broker, tempfile::tempdir().unwrap(), |_| {}).unwrap();
    let id = nothing();
    for answer in [
        app.get("/v1/users/1/notifications").await,
        app.get(&format!("/v1/users/1/notifications/{id}")).await,
        app.get("/v1/users/1/counts").await,
        app.get("/v1/users/1/export").await,
        app.patch("1", &id, json!({"read": true})).await,
        app.delete("1", &id).await,
        app.act("1", json!({"action": "read"})).await,
    ] {
        answer.is_problem(503, "Service Unavailable", "broker_unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // What would be refused anyway is refused with its own reason.
    assert_eq!(app.get("/v1/users/a%20b/counts").await.status, 400);
    assert_eq!(app.get("/v1/users/1/notifications?limit=0").await.status, 400);
    assert_eq!(app.patch("1", &id, json!({})).await.status, 400);
    assert_eq!(app.act("1", json!({})).await.status, 400);
}

#[tokio::test]
async fn while_the_broker_is_away_reads_are_old_and_commands_are_503() {
    let mut app = TestApp::spawn_with(quickly).await;
    let id = ids(&app.with_texts("1", &["before"]).await)[0].clone();
    app.broker.stop().await;
    let list = "/v1/users/1/notifications";
    eventually(soon(), async || app.get(list).await.header("staleness").is_some()).await;
    let one = format!("{list}/{id}");
    for path in [list, &one, "/v1/users/1/counts", "/v1/users/1/export"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("staleness").unwrap().parse::<u64>().unwrap() >= 1_500, "{path}");
    }
    let began = Instant::now();
    let perhaps = app.get(&format!("{list}/{}", nothing())).await;
    perhaps.is_problem(404, "Not Found", "notification_not_found");
    assert!(perhaps.header("staleness").is_some());
    assert!(began.elapsed() < Duration::from_millis(400), "nobody is asked who does not answer");
    for (answer, is_written) in [
        (app.patch("1", &id, json!({"read": true})).await, "nothing was written"),
        (app.delete("1", &id).await, "nothing was written"),
        (app.act("1", json!({"action": "read"})).await, "nothing was written"),
        (app.delete("1", &nothing()).await, "nothing was written"),
        (app.patch("1", &nothing(), json!({"read": true})).await, "nothing was written"),
    ] {
        answer.is_problem(503, "Service Unavailable", "broker_unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(is_written), "{detail}");
    }
    app.broker.start_again().await;
    eventually(soon(), async || {
        let answer = app.act("1", json!({"action": "read"})).await;
        answer.status == 200 && numbers(&answer.json()) == (1, 0, 1)
    })
    .await;
    assert_eq!(texts(&app.page("1", "").await), ["before"]);
}

#[tokio::test]
async fn a_command_whose_acknowledgement_does_not_come_says_that_it_is_unknown() {
    let app = TestApp::spawn_with(quickly).await;
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].clone();
    // So that the writer is connected.
    assert_eq!(app.patch("1", &id, json!({"read": true})).await.status, 200);
    let faults = app.broker.faults();
    faults.stall(broker::ApiKey::Produce);
    let answer = app.patch("1", &id, json!({"read": false})).await;
    answer.is_problem(503, "Service Unavailable", "broker_unavailable");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("unknown"), "{detail}");
    faults.clear();
    // It was done all the same.
    eventually(soon(), async || app.numbers("1").await == (1, 1, 1)).await;
}

#[tokio::test]
async fn a_command_that_is_not_applied_in_time_says_that_it_takes_effect() {
    let app = TestApp::spawn_with(quickly).await;
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].clone();
    let faults = app.broker.faults();
    faults.stall(broker::ApiKey::Fetch);
    let answer = app.patch("1", &id, json!({"read": true})).await;
    answer.is_problem(503, "Service Unavailable", "broker_unavailable");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("takes effect"), "{detail}");
    faults.clear();
    eventually(soon(), async || app.numbers("1").await == (1, 0, 1)).await;
}
