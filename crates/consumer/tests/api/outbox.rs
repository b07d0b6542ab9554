//! What leaves an inbox: dead letters, and records that belong elsewhere.

use std::time::Duration;

use broker::{ApiKey, ResponseError};
use kafka::{GroupOffsets, Reader, Wait};
use models::{Offset, Partition, Record};

use crate::app::{
    BrokerVerbs as _, PARTITIONS, TestApp, eventually, home, raw_record, sent_record, soon, to,
    with_headers,
};

const NO_JSON: &str = "no JSON";

/// A partition that is not user 1's.
const ELSEWHERE: Partition = Partition(0);

/// Everything a partition holds.
async fn read(app: &TestApp, topic: &str, partition: Partition) -> Vec<(Offset, Record)> {
    let mut reader = Reader::new(app.broker.cluster(), topic, partition);
    let (mut offset, mut records) = (Offset(0), Vec::new());
    loop {
        let fetched = reader.fetch(offset, 1 << 20, Wait::No).await.unwrap();
        let is_end = fetched.is_end();
        offset = fetched.next_offset;
        records.extend(fetched.records);
        if is_end {
            return records;
        }
    }
}

/// The dead letters, once there are so many.
async fn letters(app: &TestApp, count: usize) -> Vec<Record> {
    let mut letters = Vec::new();
    eventually(soon(), async || {
        letters = read(app, "notifications.dlq", Partition(0)).await;
        letters.len() >= count
    })
    .await;
    assert_eq!(letters.len(), count, "{letters:?}");
    letters.into_iter().map(|(_, record)| record).collect()
}

fn header<'a>(record: &'a Record, name: &str) -> &'a str {
    std::str::from_utf8(record.headers.get(name).unwrap()).unwrap()
}

/// Waits until all that was applied is committed as delivered.
async fn all_is_committed(app: &TestApp) {
    let cluster = app.broker.cluster();
    let mut offsets = GroupOffsets::new(cluster, "kafka-notify.notifications", "notifications");
    let partitions: Vec<_> = (0..PARTITIONS).map(Partition).collect();
    eventually(soon(), async || {
        let Ok(committed) = offsets.fetch(&partitions).await else { return false };
        let status = app.get("/v1/partitions").await.json();
        let is_all = |(index, committed): (usize, &Option<(Offset, String)>)| {
            let next_offset = status["partitions"][index]["next_offset"].as_i64().unwrap();
            // What no record tells is not committed.
            next_offset == 0 || committed.as_ref().is_some_and(|it| it.0.0 == next_offset)
        };
        committed.iter().enumerate().all(is_all)
    })
    .await;
}

#[tokio::test]
async fn what_is_in_no_inbox_is_a_dead_letter_that_says_where_it_lay_and_why() {
    let app = TestApp::spawn().await;
    app.tell("1", &["before"]).await;
    let bad = with_headers(raw_record(Some(b"1"), Some(NO_JSON)), &[("trace", "7")]);
    app.append_for("1", vec![bad.clone()]).await;
    app.tell("1", &["after"]).await;
    assert_eq!(app.inbox_of("1", 2).await.messages(), ["before", "after"]);
    let [letter] = letters(&app, 1).await.try_into().unwrap();
    assert_eq!((&letter.key, &letter.value), (&bad.key, &bad.value));
    let topics = app.broker.topics().await;
    let at = bad.timestamp.to_string();
    for (name, value) in [
        ("trace", "7"),
        ("notify_topic", "notifications"),
        ("notify_topic_id", &topics.topic_id.to_string()),
        ("notify_partition", &home("1").to_string()),
        ("notify_offset", "1"),
        ("notify_reason", "value_is_no_notification"),
        ("notify_timestamp", &at),
    ] {
        assert_eq!(header(&letter, name), value, "{name}");
    }
    assert!(!header(&letter, "notify_detail").contains(NO_JSON), "no text of a message");
}

#[tokio::test]
async fn a_record_in_another_partition_is_shown_once_though_it_is_found_twice() {
    let app = TestApp::spawn().await;
    let record = sent_record(&to("1"), "astray");
    app.broker.append(ELSEWHERE, vec![record.clone(), record]).await;
    app.inbox_of("1", 1).await;
    app.tell("1", &["end"]).await;
    assert_eq!(app.inbox_of("1", 2).await.messages(), ["astray", "end"]);
    let relayed = read(&app, "notifications", home("1")).await;
    assert_eq!(header(&relayed[0].1, "notify_relayed_from"), "0/0");
    assert_eq!(app.metric(r#"notify_misplaced_records_total{partition="0"}"#).await, 2);
    assert!(letters(&app, 0).await.is_empty());
}

#[tokio::test]
async fn an_inbox_that_is_folded_again_sends_nothing_again() {
    let mut app = TestApp::spawn().await;
    app.append_for("1", vec![raw_record(Some(b"1"), Some(NO_JSON)); 3]).await;
    app.broker.append(ELSEWHERE, vec![sent_record(&to("1"), "astray")]).await;
    app.tell("1", &["sent"]).await;
    app.inbox_of("1", 2).await;
    letters(&app, 3).await;
    for _ in 0..2 {
        let shown = app.inbox("1").await.body;
        all_is_committed(&app).await;
        app = app.restart(Some(tempfile::tempdir().unwrap())).await;
        eventually(soon(), async || app.inbox("1").await.body == shown).await;
    }
    // What comes later goes out behind whatever would go out again.
    app.append_for("1", vec![raw_record(Some(b"1"), Some(NO_JSON))]).await;
    app.broker.append(ELSEWHERE, vec![raw_record(Some(b"1"), Some(NO_JSON))]).await;
    letters(&app, 5).await;
    assert_eq!(read(&app, "notifications", home("1")).await.len(), 6, "4 bad, 1 relayed, 1 sent");
}

#[tokio::test]
async fn one_id_and_two_fingerprints_are_a_conflict() {
    let app = TestApp::spawn().await;
    let record = sent_record(&to("1"), "first");
    let of = |fingerprint: &str, text: &str| {
        let mut record = record.clone();
        let value = String::from_utf8(record.value.take().unwrap().into()).unwrap();
        record.value = Some(value.replace("first", text).into());
        record.headers.set("notify_fingerprint", fingerprint);
        record
    };
    let records = vec![of("a", "first"), of("b", "another"), of("a", "first"), record.clone()];
    app.append_for("1", records).await;
    app.tell("1", &["end"]).await;
    assert_eq!(app.inbox_of("1", 2).await.messages(), ["first", "end"]);
    for letter in letters(&app, 2).await {
        assert_eq!(header(&letter, "notify_reason"), "idempotency_conflict");
    }
}

#[tokio::test]
async fn what_the_broker_does_not_take_waits_and_is_delivered_when_it_does() {
    let app = TestApp::spawn().await;
    let faults = app.broker.faults();
    faults.fail_produce(ResponseError::NotEnoughReplicas, 3);
    let topics = app.broker.topics().await;
    assert_eq!(topics.dead_letters, "notifications.dlq");
    app.append_for("1", vec![raw_record(Some(b"1"), Some(NO_JSON))]).await;
    faults.lose_answer(ApiKey::OffsetCommit, 1);
    letters(&app, 1).await;
    all_is_committed(&app).await;
}

#[tokio::test]
async fn while_nothing_can_be_appended_inboxes_are_read_all_the_same() {
    let app = TestApp::spawn().await;
    app.tell("1", &["before"]).await;
    let bad = vec![raw_record(Some(b"1"), Some(NO_JSON))];
    app.append_for("1", bad).await;
    app.tell("1", &["after"]).await;
    app.broker.faults().stall(ApiKey::Produce);
    assert_eq!(app.inbox_of("1", 2).await.messages(), ["before", "after"]);
    app.broker.faults().clear();
    app.broker.faults().release();
    let one = tokio::time::timeout(Duration::from_secs(30), letters(&app, 1));
    one.await.expect("it is delivered");
}
