//! A record batch as a producer without an id writes it: not compressed, in no transaction.

use bytes::{BufMut, Bytes, BytesMut};
use models::Record;

use super::{CHECKED_FROM, PREFIX_BYTES, RECORDS_FROM};

/// Where the checksum stands.
const CRC_AT: usize = 17;

/// Records in one batch, which a broker appends whole or not at all. What does not fit into a batch's
/// numbers is `None`; 2 GiB do.
pub(crate) fn encode<'a>(records: impl ExactSizeIterator<Item = &'a Record>) -> Option<Bytes> {
    let count = i32::try_from(records.len()).ok()?;
    let mut out = BytesMut::zeroed(RECORDS_FROM);
    let (mut first_ms, mut latest_ms) = (None, i64::MIN);
    let mut body = Vec::new();
    for (offset_delta, record) in (0..).zip(records) {
        let ms = record.timestamp.as_ms();
        let first = *first_ms.get_or_insert(ms);
        latest_ms = latest_ms.max(ms);
        body.clear();
        put_record(&mut body, record, ms - first, offset_delta)?;
        put_sized(&mut out, Some(&body))?;
    }
    let length = i32::try_from(out.len() - PREFIX_BYTES).ok()?;
    let mut header = out.get_mut(..RECORDS_FROM)?;
    header.put_i64(0); // base offset, which the broker gives
    header.put_i32(length);
    header.put_i32(-1); // the leader's epoch, which the broker gives
    header.put_i8(2);
    header.put_u32(0); // checksum, below
    header.put_i16(0); // attributes
    header.put_i32(count - 1);
    header.put_i64(first_ms?);
    header.put_i64(latest_ms);
    header.put_i64(-1); // producer's id
    header.put_i16(-1); // producer's epoch
    header.put_i32(-1); // sequence
    header.put_i32(count);
    let crc = crc32c::crc32c(out.get(CHECKED_FROM..)?);
    out.get_mut(CRC_AT..CHECKED_FROM)?.copy_from_slice(&crc.to_be_bytes());
    Some(out.freeze())
}

fn put_record(
    out: &mut Vec<u8>,
    record: &Record,
    timestamp_delta: i64,
    offset_delta: i64,
) -> Option<()> {
    out.put_u8(0); // attributes
    put_number(out, timestamp_delta);
    put_number(out, offset_delta);
    put_sized(out, record.key.as_deref())?;
    put_sized(out, record.value.as_deref())?;
    put_number(out, i64::try_from(record.headers.len()).ok()?);
    for (name, value) in &record.headers {
        put_sized(out, Some(name.as_bytes()))?;
        put_sized(out, Some(value))?;
    }
    Some(())
}

fn put_sized(out: &mut impl BufMut, bytes: Option<&[u8]>) -> Option<()> {
    let Some(bytes) = bytes else {
        put_number(out, -1);
        return Some(());
    };
    put_number(out, i64::try_from(bytes.len()).ok()?);
    out.put_slice(bytes);
    Some(())
}

/// A zigzag integer.
fn put_number(out: &mut impl BufMut, number: i64) {
    let mut raw = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while raw >= 0x80 {
        out.put_u8((raw & 0x7f) as u8 | 0x80);
        raw >>= 7;
    }
    out.put_u8(raw as u8);
}

#[cfg(test)]
mod tests {
    use models::{Offset, Timestamp};
    use proptest::prelude::*;

    use super::super::walk;
    use super::*;

    fn any_record() -> impl Strategy<Value = Record> {
        let headers = prop::collection::btree_map(any::<String>(), any::<Vec<u8>>(), 0..4);
        (any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), headers, any::<i64>()).prop_map(
            |(key, value, headers, ms)| {
                let timestamp = Timestamp::from_ms_clamped(ms);
                Record { key, value, headers, timestamp }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in prop::collection::vec(any_record(), 1..20)) {
            let bytes = encode(records.iter()).unwrap();
            let walked = walk(&bytes, Offset(0)).unwrap();
            prop_assert_eq!(walked.next_offset.0, records.len() as i64);
            let placed: Vec<_> = (0..).map(Offset).zip(records).collect();
            prop_assert_eq!(walked.records, placed);
        }
    }

    #[test]
    fn nothing_is_no_batch() {
        assert_eq!(encode([].iter()), None);
    }
}
