//! The record form of commands is a promise as that of notifications is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use models::{
    Change, Changed, Erased, Event, NotificationId, Offset, Record, Selection, Timestamp,
    Undecodable, UserId,
};
use proptest::prelude::*;
use support::{PLACE, golden};

fn written(event: &Event) -> Record {
    match event {
        Event::Changed(changed) => Record::of_changed(changed).unwrap(),
        Event::Erased(erased) => Record::of_erased(erased).unwrap(),
        Event::Sent(_) => panic!("a notification"),
    }
}

#[test]
fn golden_commands_still_say_what_they_said_and_are_what_we_write() {
    for name in ["changed-v1-ids.json", "changed-v1-before.json", "erased-v1.json"] {
        let (record, says) = golden(name);
        let event = Event::decode(&record, PLACE).unwrap();
        assert_eq!(format!("{event:?}"), says["event"].as_str().unwrap(), "{name}");
        assert_eq!(written(&event), record, "{name}");
    }
}

#[test]
fn values_that_contradict_themselves_are_refused_with_their_reason() {
    let json = "not the JSON of one";
    let change = "not exactly one change";
    let selection = "not exactly one selection";
    let (changed, _) = golden("changed-v1-ids.json");
    for (value, why) in [
        ("", json),
        ("{}", json),
        ("[]", json),
        ("[{},{}]", json),
        (r#"[{"ids":["x"],"read":true}]"#, json),
        (r#"[{"before":"1","read":true}]"#, json),
        (r#"[{"before":1,"read":1}]"#, json),
        (r#"[{"before":1}]"#, change),
        (r#"[{"before":1,"read":null}]"#, change),
        (r#"[{"before":1,"read":true,"archived":true}]"#, change),
        (r#"[{"before":1,"deleted":false}]"#, change),
        (r#"[{"before":1,"seen":false}]"#, change),
        (r#"[{"read":true}]"#, selection),
        (r#"[{"ids":[],"before":1,"read":true}]"#, selection),
        (r#"[{"ids":[],"seen":true}]"#, selection),
        (r#"[{"before":-1,"read":true}]"#, "an offset below zero"),
    ] {
        let record = Record { value: Some(value.into()), ..changed.clone() };
        let error = Event::decode(&record, PLACE).unwrap_err();
        assert_eq!(error, Undecodable::ValueIsNoCommand(why), "{value}");
    }
    let (erased, _) = golden("erased-v1.json");
    for (value, why) in
        [("[{}]", json), ("[]", json), (r#"[{"before":-1}]"#, "an offset below zero")]
    {
        let record = Record { value: Some(value.into()), ..erased.clone() };
        let error = Event::decode(&record, PLACE).unwrap_err();
        assert_eq!(error, Undecodable::ValueIsNoCommand(why), "{value}");
    }
    let tombstone = Record { value: None, ..erased };
    assert_eq!(Event::decode(&tombstone, PLACE), Err(Undecodable::NoValue));
}

#[test]
fn what_is_unknown_in_a_command_is_passed_over() {
    let (record, _) = golden("erased-v1.json");
    let value = r#"[{"before":7,"and":{"more":[1]}}]"#.into();
    let Event::Erased(erased) =
        Event::decode(&Record { value: Some(value), ..record }, PLACE).unwrap()
    else {
        panic!("no erasure");
    };
    assert_eq!(erased.before, Offset(7));
}

fn id() -> impl Strategy<Value = NotificationId> {
    any::<u128>().prop_map(|id| NotificationId::from_bytes(id.to_be_bytes()))
}

fn before() -> impl Strategy<Value = Offset> {
    (0..i64::MAX).prop_map(Offset)
}

fn selected_change() -> impl Strategy<Value = (Selection, Change)> {
    let change = prop_oneof![
        any::<bool>().prop_map(Change::Read),
        any::<bool>().prop_map(Change::Archived),
        Just(Change::Deleted),
    ];
    let selection = prop_oneof![
        prop::collection::vec(id(), 0..4).prop_map(Selection::Ids),
        before().prop_map(Selection::Before),
    ];
    prop_oneof![
        4 => (selection, change),
        1 => before().prop_map(|before| (Selection::Before(before), Change::Seen)),
    ]
}

prop_compose! {
    fn command()(
        id in id(), user_id in "[A-Za-z0-9._:@-]{1,128}", at: i64, before in before(),
        (selection, change) in selected_change(), reason in prop::option::of(".*"),
        is_erased: bool,
    ) -> Event {
        let user_id: UserId = user_id.parse().unwrap();
        let (at, fingerprint) = (Timestamp::from_ms_clamped(at), None);
        if is_erased {
            return Event::Erased(Erased { id, user_id, erased_at: at, before, fingerprint });
        }
        let changed_at = at;
        Event::Changed(Changed { id, user_id, changed_at, selection, change, reason, fingerprint })
    }
}

proptest! {
    #[test]
    fn every_command_survives_its_record(command in command()) {
        prop_assert_eq!(Event::decode(&written(&command), PLACE), Ok(command));
    }

    #[test]
    fn every_command_survives_a_relay(command in command()) {
        let relayed = written(&command).relayed(PLACE);
        prop_assert_eq!(Event::decode(&relayed, PLACE), Ok(command));
    }
}
