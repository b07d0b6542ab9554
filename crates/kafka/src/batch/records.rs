//! The records of a batch, once they are decompressed.

use bytes::Bytes;
use models::varint::VarintReader;
use models::{Headers, Offset, Record, Timestamp};

use super::unread::{Unread, damaged};

/// What a record takes in memory beyond its bytes.
const RECORD_BYTES: usize = size_of::<(Offset, Record)>();

/// What a header takes beyond its bytes while headers are compared: it may have two bytes.
const HEADER_BYTES: usize = 2 * size_of::<(&[u8], &[u8])>();

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

/// Reads all records, and keeps those from `asked` on. They are parts of these bytes.
pub(crate) fn read(
    frame: Frame,
    bytes: &Bytes,
    asked: Offset,
    room: usize,
) -> Result<Records, Unread> {
    let count = usize::try_from(frame.record_count).unwrap_or(0);
    let mut found = Records { memory_bytes: bytes.len(), ..Records::default() };
    found.records.reserve(count.min(bytes.len() / LEAST_RECORD_BYTES).min(room / RECORD_BYTES));
    let mut rest = VarintReader(bytes);
    let mut least_delta = 0;
    for number in 1..=count {
        let read = rest.sized().and_then(|body| record(bytes, body, frame.base_timestamp));
        let (offset_delta, record) =
            read.ok_or_else(|| damaged(format!("its record {number} cannot be read")))?;
        if !(least_delta..=i64::from(frame.last_offset_delta)).contains(&offset_delta) {
            return Err(damaged(format!("its record {number} has an offset that cannot be")));
        }
        least_delta = offset_delta + 1;
        let offset = Offset(frame.base_offset.saturating_add(offset_delta));
        if offset < asked {
            continue;
        }
        let headers_bytes = record.headers.len().saturating_mul(HEADER_BYTES);
        found.memory_bytes =
            found.memory_bytes.saturating_add(RECORD_BYTES).saturating_add(headers_bytes);
        if found.memory_bytes > room {
            return Err(Unread::TooLarge);
        }
        found.records.push((offset, record));
    }
    if rest.0.is_empty() { Ok(found) } else { Err(damaged("it goes on behind its last record")) }
}

/// A record, and its offset behind the first of the batch. Its time is the producer's, also where the
/// broker noted its own beside it (LogAppendTime).
fn record(batch: &Bytes, body: &[u8], base_timestamp: i64) -> Option<(i64, Record)> {
    let (_attributes, body) = body.split_first()?;
    let mut parts = VarintReader(body);
    let (timestamp_delta, offset_delta) = (parts.number()?, parts.number()?);
    let (key, value) = (parts.nullable()?, parts.nullable()?);
    let headers = Headers::read(parts.number()?.try_into().ok()?, batch.slice_ref(parts.0))?;
    let part = |part: &[u8]| batch.slice_ref(part);
    let timestamp = Timestamp::from_ms_clamped(base_timestamp.saturating_add(timestamp_delta));
    let record = Record { key: key.map(part), value: value.map(part), headers, timestamp };
    Some((offset_delta, record))
}
