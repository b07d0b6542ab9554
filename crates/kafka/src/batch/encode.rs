//! A record batch as a producer without an id writes it: not compressed, in no transaction.

use bytes::{BufMut, Bytes};
use models::Record;
use models::varint::{put_sized, put_varint, sized_bytes, varint_bytes};

use super::{CHECKED_FROM, PREFIX_BYTES, RECORDS_FROM};

/// Where the checksum stands.
const CRC_AT: usize = 17;

/// Records in one batch, which a broker appends whole or not at all. What does not fit into a batch's
/// numbers is `None`; 2 GiB do.
pub(crate) fn encode<'a>(
    records: impl ExactSizeIterator<Item = &'a Record> + Clone,
) -> Option<Bytes> {
    let count = i32::try_from(records.len()).ok()?;
    let first_ms = records.clone().next()?.timestamp.as_ms();
    let latest_ms = records.clone().map(|record| record.timestamp.as_ms()).max()?;
    let bodies = (0..).zip(records).map(|(offset_delta, record)| Body {
        record,
        timestamp_delta: record.timestamp.as_ms() - first_ms,
        offset_delta,
    });
    let size: usize = bodies.clone().map(|body| size_with_length(body.size())).sum();
    let mut out = Vec::with_capacity(RECORDS_FROM + size);
    out.put_i64(0); // base offset, which the broker gives
    out.put_i32(i32::try_from(RECORDS_FROM - PREFIX_BYTES + size).ok()?);
    out.put_i32(-1); // the leader's epoch, which the broker gives
    out.put_i8(2);
    out.put_u32(0); // checksum, below
    out.put_i16(0); // attributes
    out.put_i32(count - 1);
    out.put_i64(first_ms);
    out.put_i64(latest_ms);
    out.put_i64(-1); // producer's id
    out.put_i16(-1); // producer's epoch
    out.put_i32(-1); // sequence
    out.put_i32(count);
    for body in bodies {
        body.put(&mut out);
    }
    let crc = crc32c::crc32c(out.get(CHECKED_FROM..)?);
    out.get_mut(CRC_AT..CHECKED_FROM)?.copy_from_slice(&crc.to_be_bytes());
    Some(out.into())
}

/// A record as it stands in a batch.
struct Body<'a> {
    record: &'a Record,
    timestamp_delta: i64,
    offset_delta: i64,
}

impl Body<'_> {
    /// Its bytes without its length.
    fn size(&self) -> usize {
        let Record { key, value, headers, .. } = self.record;
        1 + varint_bytes(self.timestamp_delta)
            + varint_bytes(self.offset_delta)
            + sized_bytes(key.as_deref())
            + sized_bytes(value.as_deref())
            + varint_bytes(headers.len() as i64)
            + headers.as_bytes().len()
    }

    fn put(&self, out: &mut Vec<u8>) {
        let Record { key, value, headers, .. } = self.record;
        put_varint(out, self.size() as i64);
        out.push(0); // attributes
        put_varint(out, self.timestamp_delta);
        put_varint(out, self.offset_delta);
        put_sized(out, key.as_deref());
        put_sized(out, value.as_deref());
        put_varint(out, headers.len() as i64);
        out.extend_from_slice(headers.as_bytes());
    }
}

fn size_with_length(size: usize) -> usize {
    varint_bytes(size as i64) + size
}

#[cfg(test)]
mod tests {
    use models::{Offset, Timestamp};
    use proptest::prelude::*;

    use super::super::walk;
    use super::*;

    fn any_record() -> impl Strategy<Value = Record> {
        let headers = prop::collection::vec((any::<String>(), any::<Vec<u8>>()), 0..4);
        (any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), headers, any::<i64>()).prop_map(
            |(key, value, headers, ms)| {
                let timestamp = Timestamp::from_ms_clamped(ms);
                let (key, value) = (key.map(Bytes::from), value.map(Bytes::from));
                Record { key, value, headers: headers.into_iter().collect(), timestamp }
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
