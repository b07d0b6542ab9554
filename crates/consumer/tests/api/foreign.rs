//! Records that other programs write.

use crate::app::{
    BrokerVerbs as _, TestApp, eventually, home, raw_record, sent_record, soon, to, with_headers,
};

const PLAIN: &str =
    r#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"plain"}"#;

/// What makes a CloudEvent of a record.
const EVENT: [(&str, &str); 4] = [
    ("ce_specversion", "1.0"),
    ("ce_type", "kafka-notify.notification.sent.v1"),
    ("ce_source", "billing"),
    ("ce_id", "42"),
];

#[tokio::test]
async fn a_record_as_the_tutorials_producer_writes_it_is_a_notification() {
    let app = TestApp::spawn().await;
    app.append_for("1", vec![raw_record(Some(b"1"), Some(PLAIN))]).await;
    app.inbox_of("1", 1).await.is(200, &format!(r#"{{"notifications":[{PLAIN}]}}"#));
}

#[tokio::test]
async fn plain_records_with_the_same_text_are_two_notifications() {
    let app = TestApp::spawn().await;
    app.append_for("1", vec![raw_record(Some(b"1"), Some(PLAIN)); 2]).await;
    app.inbox_of("1", 2).await.is(200, &format!(r#"{{"notifications":[{PLAIN},{PLAIN}]}}"#));
}

#[tokio::test]
async fn only_the_tutorials_fields_are_shown() {
    let app = TestApp::spawn().await;
    let values = [
        r#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"plain","title":"Today","url":"/x","tags":["a"],"priority":5,"data":{"a":[1.50]},"expires_at":"2099-01-01T00:00:00.000Z"}"#,
        r#"{"from":{"id":2,"name":"Bruno","admin":true},"to":{"id":1,"name":"Emma","age":7},"message":"plain","unknown":{"deep":[null]}}"#,
        r#" { "message" : "plain" , "to" : { "name" : "Emma" , "id" : "1" } , "from" : { "name" : "Bruno" , "id" : "2" } } "#,
        r#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"plain","title":null,"tags":null,"priority":null,"data":null}"#,
        r#"{"from":{"id":2,"name":"\u0042runo"},"to":{"id":1,"name":"Emma"},"message":"pl\u0061in"}"#,
    ];
    let records = values.map(|value| raw_record(Some(b"1"), Some(value)));
    app.append_for("1", records.into()).await;
    let shown = [PLAIN; 5].join(",");
    app.inbox_of("1", 5).await.is(200, &format!(r#"{{"notifications":[{shown}]}}"#));
}

#[tokio::test]
async fn ids_are_numbers_where_they_are_integers_and_senders_need_none() {
    let app = TestApp::spawn().await;
    let values = [
        r#"{"from":{"name":"Billing"},"to":{"id":1,"name":"Emma"},"message":"a"}"#,
        r#"{"from":{"id":"alice@example.org","name":"Alice"},"to":{"id":1,"name":"Emma"},"message":"b"}"#,
        r#"{"from":{"id":9007199254740991,"name":"N"},"to":{"id":1,"name":"Emma"},"message":"c"}"#,
        r#"{"from":{"id":"9007199254740992","name":"N"},"to":{"id":1,"name":"Emma"},"message":"d"}"#,
        r#"{"from":{"id":"007","name":"Bond"},"to":{"id":1,"name":"Emma"},"message":"e"}"#,
    ];
    let records = values.map(|value| raw_record(Some(b"1"), Some(value)));
    app.append_for("1", records.into()).await;
    let shown = values.join(",");
    app.inbox_of("1", 5).await.is(200, &format!(r#"{{"notifications":[{shown}]}}"#));
}

#[tokio::test]
async fn a_foreign_cloud_event_is_shown_once_by_its_source_and_id() {
    let app = TestApp::spawn().await;
    let event = with_headers(raw_record(Some(b"1"), Some(PLAIN)), &EVENT);
    let mut other_source = event.clone();
    other_source.headers.set("ce_source", "shop");
    let mut other_id = event.clone();
    other_id.headers.set("ce_id", "43");
    let copy = event.clone();
    app.append_for("1", vec![event, copy.clone(), other_source, other_id, copy]).await;
    app.tell("1", &["end"]).await;
    assert_eq!(app.inbox_of("1", 4).await.messages(), ["plain", "plain", "plain", "end"]);
}

#[tokio::test]
async fn one_event_may_be_in_two_inboxes() {
    let app = TestApp::spawn().await;
    let for_seven = PLAIN.replace(r#""id":1,"name":"Emma""#, r#""id":7,"name":"Eve""#);
    let event = |key: &str, value: &str| {
        with_headers(raw_record(Some(key.as_bytes()), Some(value)), &EVENT)
    };
    app.append_for("1", vec![event("1", PLAIN)]).await;
    app.append_for("7", vec![event("7", &for_seven)]).await;
    app.inbox_of("1", 1).await;
    app.inbox_of("7", 1).await;
}

#[tokio::test]
async fn headers_that_are_no_cloud_events_change_nothing() {
    let app = TestApp::spawn().await;
    let record = raw_record(Some(b"1"), Some(PLAIN));
    let headers = [("traceparent", "00-1-2-3"), ("content-type", "text/plain"), ("ce-id", "1")];
    app.append_for("1", vec![with_headers(record, &headers)]).await;
    app.inbox_of("1", 1).await;
}

#[tokio::test]
async fn records_that_say_nothing_are_skipped_and_counted_by_their_reason() {
    let app = TestApp::spawn().await;
    let plain = || raw_record(Some(b"1"), Some(PLAIN));
    let event = |change: &[(&str, &str)]| {
        let mut record = with_headers(plain(), &EVENT);
        for (name, value) in change {
            record.headers.set(name, value);
        }
        record
    };
    let bad = [
        ("no_key", raw_record(None, Some(PLAIN))),
        ("no_key", raw_record(None, None)),
        ("key_is_no_user_id", raw_record(Some(b""), Some(PLAIN))),
        ("key_is_no_user_id", raw_record(Some(b"1 "), Some(PLAIN))),
        ("key_is_no_user_id", raw_record(Some(b"\xff\xfe"), Some(PLAIN))),
        ("key_is_no_user_id", raw_record(Some(&[b'1'; 129]), Some(PLAIN))),
        ("no_value", raw_record(Some(b"1"), None)),
        ("value_is_no_notification", raw_record(Some(b"1"), Some(""))),
        ("value_is_no_notification", raw_record(Some(b"1"), Some("text"))),
        ("value_is_no_notification", raw_record(Some(b"1"), Some("{}"))),
        ("value_is_no_notification", raw_record(Some(b"1"), Some("[]"))),
        ("value_is_no_notification", raw_record(Some(b"1"), Some(&PLAIN[..40]))),
        ("value_is_no_notification", raw_record(Some(b"1"), Some(&(PLAIN.to_owned() + "x")))),
        (
            "value_is_no_notification",
            raw_record(Some(b"1"), Some(&PLAIN.replace("\"plain\"", "1"))),
        ),
        (
            "value_is_no_notification",
            raw_record(
                Some(b"1"),
                Some(&PLAIN.replace("\"message\"", "\"priority\":9,\"message\"")),
            ),
        ),
        ("value_is_no_notification", raw_record(Some(b"1"), Some(&"[".repeat(100_000)))),
        ("key_and_value_disagree", raw_record(Some(b"7"), Some(PLAIN))),
        ("key_and_value_disagree", raw_record(Some(b"01"), Some(PLAIN))),
        ("unknown_type", event(&[("ce_type", "com.example.other")])),
        ("unknown_type", event(&[("ce_type", "kafka-notify.notification.sent.v2")])),
        ("cloudevent_attribute_missing", event(&[("ce_id", "")])),
        ("cloudevent_attribute_missing", with_headers(plain(), &[("ce_type", "x")])),
        ("cloudevent_attribute_missing", with_headers(plain(), &[("ce_specversion", "1.0")])),
    ];
    let mut records = Vec::new();
    let mut goods = Vec::new();
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for (number, (reason, record)) in bad.into_iter().enumerate() {
        *counts.entry(reason).or_default() += 1;
        records.push(record);
        goods.push(format!("good {number}"));
        records.push(sent_record(&to("1"), &goods[number]));
    }
    app.append_for("1", records).await;
    assert_eq!(app.inbox_of("1", goods.len()).await.messages(), goods);
    let partition = home("1");
    for (reason, count) in counts {
        let name = format!(
            "notify_undecodable_records_total{{partition=\"{partition}\",reason=\"{reason}\"}}"
        );
        eventually(soon(), async || app.metric(&name).await == count).await;
    }
}

#[tokio::test]
async fn a_value_that_is_not_utf_8_is_skipped() {
    let app = TestApp::spawn().await;
    let mut record = raw_record(Some(b"1"), Some(PLAIN));
    let mut value = Vec::from(record.value.unwrap());
    let at = value.windows(5).position(|it| it == b"plain").unwrap();
    value[at] = 0xff;
    record.value = Some(value.into());
    app.append_for("1", vec![record]).await;
    app.tell("1", &["end"]).await;
    assert_eq!(app.inbox_of("1", 1).await.messages(), ["end"]);
}

#[tokio::test]
async fn a_record_in_another_partition_than_its_recipients_is_counted_and_shown() {
    let app = TestApp::spawn().await;
    let elsewhere = home("2");
    app.broker.append(elsewhere, vec![raw_record(Some(b"1"), Some(PLAIN))]).await;
    let name = format!("notify_misplaced_records_total{{partition=\"{elsewhere}\"}}");
    eventually(soon(), async || app.metric(&name).await == 1).await;
    assert_eq!(app.inbox_of("1", 1).await.messages(), ["plain"]);
}
