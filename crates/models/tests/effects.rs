//! What becomes of records that are in no inbox here: relays and dead letters.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

use models::{
    DeadLetter, DeadReason, Event, Headers, MAX_RECORD_BYTES, Offset, Partition, Place, Record,
    Sent, Timestamp,
};
use proptest::prelude::*;
use support::{PLACE, file, record_of};

fn letter<'a>(reason: &'a str, detail: &'a str) -> DeadLetter<'a> {
    DeadLetter { topic: "notifications", place: PLACE, reason, detail }
}

fn now() -> Timestamp {
    Timestamp::from_ms_clamped(1_795_384_800_123)
}

/// What a record says, but for the fingerprint that a relay adds.
fn said(record: &Record, place: Place) -> Sent {
    let Ok(Event::Sent(sent)) = Event::decode(record, place) else { panic!("{record:?}") };
    Sent { fingerprint: None, ..sent }
}

#[test]
fn relays_are_the_golden_records_and_say_the_same_wherever_they_stand() {
    let home = Place { partition: Partition(1), offset: Offset(7), ..PLACE };
    for name in ["relay-plain.json", "relay-foreign-cloudevent.json"] {
        let file = file(name);
        let record = record_of(&file["record"]);
        let relayed = record.clone().relayed(PLACE);
        assert_eq!(relayed, record_of(&file["relayed"]), "{name}");
        assert_eq!(said(&relayed, home), said(&record, PLACE), "{name}");
    }
}

#[test]
fn the_letter_of_a_record_is_the_golden_one() {
    let file = file("dead-letter.json");
    let record = record_of(&file["record"]);
    let why = DeadReason::from(Event::decode(&record, PLACE).unwrap_err());
    let letter = letter(why.code(), &why.to_string()).of_record(record, now());
    assert_eq!(letter, record_of(&file["letter"]));
}

#[test]
fn the_letter_of_a_batch_is_the_golden_one() {
    let file = file("dead-letter-batch.json");
    let why = DeadReason::UnreadableBatch("zstd: corrupt frame".to_owned());
    let last = Offset(file["last"].as_i64().unwrap());
    let letter = letter(why.code(), &why.to_string()).of_batch(last, now());
    assert_eq!(letter, record_of(&file["letter"]));
}

#[test]
fn what_is_cut_is_said_with_the_bytes_there_were() {
    let long = vec![b'x'; 2_000_000];
    let headers = Headers::of(&[("h", &long[..100_000])]);
    let record = |key: &[u8], value: &[u8], headers: &Headers| Record {
        key: Some(key.to_vec().into()),
        value: Some(value.to_vec().into()),
        headers: headers.clone(),
        timestamp: now(),
    };
    let none = Headers::default();
    for (record, flags) in [
        (record(b"1", b"v", &none), [None, None, None]),
        (record(b"1", &long, &none), [Some("2000000"), None, None]),
        (record(&long, b"v", &none), [Some("1"), Some("2000000"), None]),
        (record(b"1", b"v", &headers), [None, None, Some("100005")]),
    ] {
        let letter = letter("no_key", "").of_record(record.clone(), now());
        let names = ["notify_truncated", "notify_key_truncated", "notify_headers_dropped"];
        let found = names.map(|name| letter.headers.get(name));
        assert_eq!(found, flags.map(|flag| flag.map(str::as_bytes)));
        assert!(record.value.unwrap().starts_with(&letter.value.unwrap()));
        assert!(record.key.unwrap().starts_with(&letter.key.unwrap()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_letter_is_larger_than_a_record_may_be(
        lengths in [0..1_200_000usize, 0..1_200_000usize, 0..100_000usize],
        headers in 0..20usize,
        detail in ".{0,2000}",
    ) {
        let [key, value, header] = lengths;
        let headers = (0..headers).map(|n| (n.to_string(), vec![0_u8; header / (n + 1)])).collect();
        let (key, value) = (Some(vec![0; key].into()), Some(vec![0; value].into()));
        let record = Record { key, value, headers, timestamp: now() };
        let size_bytes = record.size_bytes();
        let letter = letter("no_key", &detail).of_record(record, now());
        prop_assert!(letter.size_bytes() <= MAX_RECORD_BYTES);
        if letter.headers.get("notify_headers_dropped").is_none() {
            // No more is cut than has to be.
            prop_assert!(letter.size_bytes() >= size_bytes.min(MAX_RECORD_BYTES - 500));
        }
    }
}
