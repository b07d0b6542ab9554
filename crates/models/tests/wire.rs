//! The record form is a promise: what old versions wrote must still decode, byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use models::{
    Event, Fingerprint, Headers, Notification, NotificationId, Offset, Partition, Place, Priority,
    Record, Sent, Timestamp, TopicId, Undecodable, User,
};
use proptest::prelude::*;
use support::{PLACE, golden};

fn decode(record: &Record) -> Result<Sent, Undecodable> {
    Event::decode(record, PLACE).map(|event| match event {
        Event::Sent(sent) => sent,
        Event::Changed(_) | Event::Erased(_) => panic!("a command"),
    })
}

#[test]
fn golden_records_still_say_what_they_said() {
    for name in [
        "sent-v1.json",
        "sent-v1-all-fields.json",
        "sent-v1-fingerprint.json",
        "plain.json",
        "foreign-cloudevent.json",
    ] {
        let (record, says) = golden(name);
        let sent = decode(&record).unwrap();
        assert_eq!(sent.id.to_string(), says["id"], "{name}");
        assert_eq!(sent.created_at.to_string(), says["created_at"], "{name}");
        let canonical = serde_json::to_string(&sent.notification).unwrap();
        assert_eq!(canonical, says["notification"].as_str().unwrap(), "{name}");
        let fingerprint = sent.fingerprint.map(|Fingerprint(hash)| format!("{hash:016x}"));
        assert_eq!(fingerprint.as_deref(), says["fingerprint"].as_str(), "{name}");
    }
}

#[test]
fn what_we_write_is_the_golden_record() {
    for name in ["sent-v1.json", "sent-v1-all-fields.json"] {
        let (record, _) = golden(name);
        assert_eq!(Record::of_sent(&decode(&record).unwrap()).unwrap(), record, "{name}");
    }
    let (record, _) = golden("sent-v1-fingerprint.json");
    let written = Record::of_sent(&decode(&record).unwrap()).unwrap();
    assert_eq!(written.with_fingerprint("sha-256=2jmj7l5rSw0yVb/vlWAYkK"), record);
}

fn plain_record() -> Record {
    golden("plain.json").0
}

fn with_headers(headers: &[(&str, &str)]) -> Record {
    Record { headers: headers.iter().copied().collect(), ..plain_record() }
}

#[test]
fn records_that_say_nothing_are_refused_with_their_reason() {
    let value = |value: &str| Record { value: Some(value.to_owned().into()), ..plain_record() };
    let key = |key: &[u8]| Record { key: Some(key.to_vec().into()), ..plain_record() };
    for (record, reason) in [
        (Record { key: None, ..plain_record() }, "no_key"),
        (Record { value: None, ..plain_record() }, "no_value"),
        (key(b""), "key_is_no_user_id"),
        (key(b"\xff\xfe"), "key_is_no_user_id"),
        (key(b"2"), "key_and_value_disagree"),
        (value(""), "value_is_no_notification"),
        (value("not json"), "value_is_no_notification"),
        (value("[{\"before\":1}]"), "value_is_no_notification"),
        (
            value(r#"{"from":{"id":2,"name":"B"},"to":{"id":1,"name":"E"}}"#),
            "value_is_no_notification",
        ),
        (
            value(r#"{"from":{"id":-2,"name":"B"},"to":{"id":1,"name":"E"},"message":"m"}"#),
            "value_is_no_notification",
        ),
        (
            value(r#"{"from":{"id":2,"name":"B"},"to":{"id":1,"name":"E"},"message":"\ud800"}"#),
            "value_is_no_notification",
        ),
        (
            value(
                r#"{"from":{"id":2,"name":"B"},"to":{"id":1,"name":"E"},"message":"m","priority":9}"#,
            ),
            "value_is_no_notification",
        ),
        (
            with_headers(&[("ce_type", models::TYPE_SENT), ("ce_source", "/x")]),
            "cloudevent_attribute_missing",
        ),
        (
            with_headers(&[("ce_type", models::TYPE_SENT), ("ce_source", "/x"), ("ce_id", "")]),
            "cloudevent_attribute_missing",
        ),
        (
            with_headers(&[("ce_id", "1"), ("ce_source", "/x"), ("ce_type", "com.example.other")]),
            "unknown_type",
        ),
    ] {
        assert_eq!(decode(&record).unwrap_err().reason(), reason, "{record:?}");
    }
}

#[test]
fn ids_of_records_without_one_depend_on_the_place_alone() {
    let id = |place| NotificationId::of_place(place);
    let other_offset = Place { offset: Offset(43), ..PLACE };
    let other_partition = Place { partition: Partition(4), ..PLACE };
    let other_topic = Place { topic_id: TopicId(uuid::Uuid::from_u128(0x12)), ..PLACE };
    assert_eq!(decode(&plain_record()).unwrap().id, id(PLACE));
    for other in [other_offset, other_partition, other_topic] {
        assert_ne!(id(PLACE), id(other));
    }
}

#[test]
fn copies_of_a_foreign_event_share_an_id_and_others_do_not() {
    let id = |source, id, recipient: &str| {
        NotificationId::of_foreign_event(source, id, &recipient.parse().unwrap())
    };
    assert_eq!(id("/billing", "7", "1"), id("/billing", "7", "1"));
    for (source, other, recipient) in
        [("/billing", "8", "1"), ("/billing", "7", "2"), ("/billing7", "", "1")]
    {
        assert_ne!(id("/billing", "7", "1"), id(source, other, recipient));
    }
    assert_ne!(id("/billing", "7", "11"), id("/billing", "71", "1"));
}

fn user() -> impl Strategy<Value = User> {
    ("[A-Za-z0-9._:@-]{1,128}|[0-9]{1,17}", ".*")
        .prop_map(|(id, name)| User { id: id.parse().unwrap(), name })
}

prop_compose! {
    fn sent()(
        from in user(), to in user(), message in ".*", id: u128, created_at: i64,
        title in proptest::option::of(".*"), tags in proptest::collection::vec(".*", 0..3),
        priority in 1u8..=5, expires_at in proptest::option::of(any::<i64>()),
        data in proptest::option::of("[0-9]{1,30}".prop_map(|n| format!("{{\"n\":1{n}.50}}"))),
    ) -> Sent {
        Sent {
            id: NotificationId::from_bytes(id.to_be_bytes()),
            created_at: Timestamp::from_ms_clamped(created_at),
            notification: Notification {
                title, tags,
                priority: Priority::try_from(priority).unwrap(),
                expires_at: expires_at.map(Timestamp::from_ms_clamped),
                data: data.map(|data| serde_json::from_str(&data).unwrap()),
                ..Notification::plain(from, to, message)
            },
            fingerprint: None,
        }
    }
}

proptest! {
    #[test]
    fn every_notification_survives_its_record(sent in sent()) {
        let record = Record::of_sent(&sent).unwrap();
        prop_assert_eq!(decode(&record), Ok(sent));
    }

    #[test]
    fn no_record_panics(
        key in proptest::option::of(any::<Vec<u8>>()),
        value in proptest::option::of(any::<Vec<u8>>()),
        headers in proptest::collection::btree_map("ce_(id|type|source|time)", any::<Vec<u8>>(), 0..4),
    ) {
        let (key, value) = (key.map(Into::into), value.map(Into::into));
        let headers = headers.into_iter().collect();
        let record = Record { key, value, headers, timestamp: Timestamp::from_ms_clamped(0) };
        let _ = Event::decode(&record, PLACE);
    }

    #[test]
    fn a_record_without_our_headers_is_read_the_same_with_others(name in "[a-z]{1,9}", value: Vec<u8>) {
        let record = Record { headers: Headers::of(&[(&name, &value)]), ..plain_record() };
        prop_assert_eq!(decode(&record), decode(&plain_record()));
    }
}
