//! The records of a batch, once they are decompressed.

use std::collections::BTreeMap;

use models::{Offset, Record, Timestamp};

use super::unread::{Unread, damaged};

/// What a record takes in memory beyond its bytes.
const RECORD_BYTES: usize = size_of::<(Offset, Record)>();

/// What a header takes beyond its bytes.
const HEADER_BYTES: usize = size_of::<(String, Vec<u8>)>();

/// The fewest bytes of a record: seven numbers.
const LEAST_RECORD_BYTES: usize = 7;

/// What a batch's header says of its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) base_offset: i64,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) record_count: i32,
}

/// Records, and the memory they take.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    pub(crate) records: Vec<(Offset, Record)>,
    pub(crate) memory_bytes: usize,
}

/// Reads all records, and keeps those from `asked` on.
pub(crate) fn read(
    frame: Frame,
    bytes: &[u8],
    asked: Offset,
    room: usize,
) -> Result<Records, Unread> {
    let count = usize::try_from(frame.record_count).unwrap_or(0);
    let mut found = Records::default();
    found.records.reserve(count.min(bytes.len() / LEAST_RECORD_BYTES).min(room / RECORD_BYTES));
    let mut rest = Parts(bytes);
    let mut least_delta = 0;
    for number in 1..=count {
        let raw = rest.sized().and_then(raw);
        let raw = raw.ok_or_else(|| damaged(format!("its record {number} cannot be read")))?;
        if !(least_delta..=i64::from(frame.last_offset_delta)).contains(&raw.offset_delta) {
            return Err(damaged(format!("its record {number} has an offset that cannot be")));
        }
        least_delta = raw.offset_delta + 1;
        let offset = Offset(frame.base_offset.saturating_add(raw.offset_delta));
        if offset < asked {
            continue;
        }
        found.memory_bytes = found.memory_bytes.saturating_add(raw.memory_bytes());
        if found.memory_bytes > room {
            return Err(Unread::TooLarge);
        }
        found.records.push((offset, raw.record(frame.base_timestamp)));
    }
    if rest.0.is_empty() { Ok(found) } else { Err(damaged("it goes on behind its last record")) }
}

/// A record whose parts still lie in the batch: room for them is only made once they are counted.
struct Raw<'a> {
    timestamp_delta: i64,
    offset_delta: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Parts<'a>,
    header_count: usize,
}

impl Raw<'_> {
    fn memory_bytes(&self) -> usize {
        let parts = self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len);
        let headers = self.header_count.saturating_mul(HEADER_BYTES) + self.headers.0.len();
        parts.saturating_add(headers).saturating_add(RECORD_BYTES)
    }

    /// The time is the producer's, also where the broker noted its own beside it (LogAppendTime).
    fn record(mut self, base_timestamp: i64) -> Record {
        let mut headers = BTreeMap::new();
        while let Some((name, value)) = self.headers.header() {
            // A name should be UTF-8; no broker checks it, and what is not gets replaced.
            headers.insert(String::from_utf8_lossy(name).into_owned(), value.to_vec());
        }
        let ms = base_timestamp.saturating_add(self.timestamp_delta);
        Record {
            key: self.key.map(<[u8]>::to_vec),
            value: self.value.map(<[u8]>::to_vec),
            headers,
            timestamp: Timestamp::from_ms_clamped(ms),
        }
    }
}

fn raw(body: &[u8]) -> Option<Raw<'_>> {
    let (_attributes, body) = body.split_first()?;
    let mut parts = Parts(body);
    let (timestamp_delta, offset_delta) = (parts.number()?, parts.number()?);
    let (key, value) = (parts.nullable()?, parts.nullable()?);
    let header_count = usize::try_from(parts.number()?).ok()?;
    let headers = Parts(parts.0);
    for _ in 0..header_count {
        parts.header()?;
    }
    let raw = Raw { timestamp_delta, offset_delta, key, value, headers, header_count };
    parts.0.is_empty().then_some(raw)
}

/// What is left of some bytes.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// A zigzag integer of at most ten bytes.
    fn number(&mut self) -> Option<i64> {
        let mut raw = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            raw |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
            }
        }
        None
    }

    /// A name and a value; one without a value reads as an empty one.
    fn header(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        Some((self.sized()?, self.nullable()?.unwrap_or_default()))
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        self.nullable()?
    }

    /// Bytes that may be null, which the length -1 says.
    fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        let length = self.number()?;
        if length == -1 {
            return Some(None);
        }
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(taken))
    }
}
