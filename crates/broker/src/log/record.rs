//! The records inside an uncompressed batch, as far as the broker must know them.

use bytes::Buf;

/// Where a record lies within its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
}

/// Walks the records; yields `None` once, and then ends, where they are malformed.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Records<'a> {
        Records { rest }
    }
}

impl Iterator for Records<'_> {
    type Item = Option<Record>;

    fn next(&mut self) -> Option<Option<Record>> {
        if self.rest.is_empty() {
            return None;
        }
        let record = sized(&mut self.rest).and_then(record);
        if record.is_none() {
            self.rest = &[];
        }
        Some(record)
    }
}

fn record(mut body: &[u8]) -> Option<Record> {
    body.try_get_i8().ok()?;
    let timestamp_delta = varint(&mut body)?;
    let offset_delta = i32::try_from(varint(&mut body)?).ok()?;
    nullable(&mut body)?;
    nullable(&mut body)?;
    let headers = varint(&mut body)?;
    if headers < 0 {
        return None;
    }
    for _ in 0..headers {
        sized(&mut body)?;
        nullable(&mut body)?;
    }
    body.is_empty().then_some(Record { timestamp_delta, offset_delta })
}

fn sized<'a>(buf: &mut &'a [u8]) -> Option<&'a [u8]> {
    let bytes = usize::try_from(varint(buf)?).ok()?;
    let (taken, rest) = buf.split_at_checked(bytes)?;
    *buf = rest;
    Some(taken)
}

/// Skips bytes that may be null, which the length -1 says.
fn nullable(buf: &mut &[u8]) -> Option<()> {
    let mut ahead = *buf;
    if varint(&mut ahead)? == -1 {
        *buf = ahead;
        return Some(());
    }
    sized(buf).map(|_| ())
}

/// A zigzag integer of at most ten bytes.
fn varint(buf: &mut &[u8]) -> Option<i64> {
    let mut raw = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = buf.try_get_u8().ok()?;
        raw |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
        }
    }
    None
}
