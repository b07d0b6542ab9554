//! `GET /v1/partitions`.

use std::collections::BTreeSet;

use serde_json::json;

use crate::app::{BrokerVerbs as _, TestApp, TestBroker, eventually, home, sent_record, soon, to};

#[tokio::test]
async fn each_partition_says_where_it_stands() {
    let app = TestApp::spawn().await;
    app.tell("1", &["a", "b", "c"]).await;
    app.inbox_of("1", 3).await;
    let answer = app.get("/v1/partitions").await;
    let expected: Vec<_> = (0..6)
        .map(|partition| {
            let end = if partition == home("1").0 { 3 } else { 0 };
            json!({
                "partition": partition, "state": "live", "owner": format!("http://{}", app.address),
                "next_offset": end, "high_watermark": end, "lag": 0,
            })
        })
        .collect();
    assert_eq!((answer.status, answer.json()), (200, json!({ "partitions": expected })));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_partition_is_restoring_until_it_has_read_what_there_was() {
    const COUNT: usize = 20_000;
    let broker = TestBroker::start().await;
    broker.topics().await;
    let text = "x".repeat(200);
    let records = (0..COUNT).map(|_| sent_record(&to("1"), &text));
    broker.append(home("1"), records.collect()).await;
    let app = TestApp::start(broker, tempfile::tempdir().unwrap(), |_| {}).unwrap();
    let mut states = BTreeSet::new();
    let mut last = 0;
    eventually(soon(), async || {
        let answer = app.get("/v1/partitions").await;
        if answer.status == 503 {
            return false;
        }
        let partitions = answer.json()["partitions"].clone();
        let home = &partitions[usize::try_from(home("1").0).unwrap()];
        let number = |name: &str| home[name].as_i64().unwrap();
        let (next, end, lag) = (number("next_offset"), number("high_watermark"), number("lag"));
        assert!(next >= last, "{last} then {home}");
        assert_eq!(lag, (end - next).max(0), "{home}");
        last = next;
        let state = home["state"].as_str().unwrap().to_owned();
        // Live means that all there was at the start has been read.
        assert!(state == "restoring" || next == COUNT as i64, "{home}");
        states.insert(state.clone());
        state == "live"
    })
    .await;
    assert!(states.iter().all(|it| it == "restoring" || it == "live"), "{states:?}");
    app.is_ready().await;
    assert_eq!(app.inbox("1").await.messages().len(), 1_000);
}

#[tokio::test]
async fn while_a_partition_is_restored_its_inboxes_are_503_and_never_shown_in_part() {
    const COUNT: usize = 5_000;
    let broker = TestBroker::start().await;
    broker.topics().await;
    let records = (0..COUNT).map(|number| sent_record(&to("1"), &number.to_string()));
    broker.append(home("1"), records.collect()).await;
    let without_waiting = |config: &mut consumer::Config| {
        config.restore_wait = std::time::Duration::ZERO;
    };
    let app = TestApp::start(broker, tempfile::tempdir().unwrap(), without_waiting).unwrap();
    let newest: Vec<_> = (COUNT - 1_000..COUNT).map(|number| number.to_string()).collect();
    eventually(soon(), async || {
        let answer = app.inbox("1").await;
        if answer.status == 200 {
            assert_eq!(answer.messages(), newest);
            return true;
        }
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        assert!(code == "restoring" || code == "broker_unavailable", "{answer:?}");
        answer.is_problem(503, "Service Unavailable", &code);
        assert_eq!(answer.header("retry-after"), Some("1"));
        false
    })
    .await;
}
