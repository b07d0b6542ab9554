//! Golden files, and a place for their records.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use bytes::Bytes;
use models::{Offset, Partition, Place, Record, Timestamp, TopicId};
use serde_json::Value;

pub(crate) const PLACE: Place = Place {
    topic_id: TopicId(uuid::Uuid::from_u128(0x11)),
    partition: Partition(3),
    offset: Offset(42),
};

/// A golden file.
pub(crate) fn file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A record as golden files write it.
pub(crate) fn record_of(json: &Value) -> Record {
    let bytes = |value: &Value| value.as_str().map(|text| Bytes::from(text.to_owned()));
    let headers = json["headers"].as_object().unwrap().iter();
    Record {
        key: bytes(&json["key"]),
        value: bytes(&json["value"]),
        headers: headers.map(|(k, v)| (k, bytes(v).unwrap())).collect(),
        timestamp: Timestamp::from_ms_clamped(json["timestamp_ms"].as_i64().unwrap()),
    }
}

/// A golden file: a record, and what it says.
pub(crate) fn golden(name: &str) -> (Record, Value) {
    let file = file(name);
    (record_of(&file["record"]), file["says"].clone())
}
