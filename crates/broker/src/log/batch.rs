//! The record batch as it lies on the wire and in a segment: message format 2 (KIP-98).

use bytes::{Buf, Bytes};
use kafka_protocol::error::ResponseError;

use crate::log::record::Records;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;

/// Base offset and length: what `length` does not count.
const PREFIX_BYTES: usize = 12;

/// Where the checksummed part begins. Base offset, length, leader epoch and magic lie before it.
const CHECKED_FROM: usize = 21;

const MAGIC_AT: usize = 16;
const COMPRESSION_MASK: i16 = 0x07;
const LAST_CODEC: i16 = 4;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// The fixed part of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) base_offset: i64,
    length: i32,
    leader_epoch: i32,
    magic: i8,
    crc: u32,
    attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    record_count: i32,
}

impl Header {
    /// The header at the start of `bytes`; `None` when it is cut off or its length cannot be one.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let mut buf = bytes.get(..HEADER_BYTES)?;
        let header = Header {
            base_offset: buf.get_i64(),
            length: buf.get_i32(),
            leader_epoch: buf.get_i32(),
            magic: buf.get_i8(),
            crc: buf.get_u32(),
            attributes: buf.get_i16(),
            last_offset_delta: buf.get_i32(),
            base_timestamp: buf.get_i64(),
            max_timestamp: buf.get_i64(),
            producer_id: buf.get_i64(),
            producer_epoch: buf.get_i16(),
            base_sequence: buf.get_i32(),
            record_count: buf.get_i32(),
        };
        (header.size() >= HEADER_BYTES).then_some(header)
    }

    /// Bytes of the whole batch.
    pub(crate) fn size(&self) -> usize {
        usize::try_from(self.length).map_or(0, |length| length + PREFIX_BYTES)
    }

    /// The offset after the batch's last record.
    pub(crate) fn next_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta)).saturating_add(1)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION_MASK != 0
    }

    /// Whether the numbers make sense together; says nothing about the checksum.
    fn is_sound(&self) -> bool {
        self.magic == 2
            && self.base_offset >= 0
            && self.last_offset_delta >= 0
            && self.record_count.checked_sub(1) == Some(self.last_offset_delta)
    }
}

/// The header of the batch that fills `bytes` exactly, when it is sound and its checksum is right.
pub(crate) fn intact(bytes: &[u8]) -> Option<Header> {
    let header = Header::parse(bytes)?;
    let checked = bytes.get(CHECKED_FROM..header.size())?;
    (bytes.len() == header.size() && header.is_sound() && crc32c::crc32c(checked) == header.crc)
        .then_some(header)
}

/// A batch that may be appended.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) header: Header,
    bytes: Bytes,
}

/// Why a batch may not be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) error: ResponseError,
    pub(crate) reason: &'static str,
}

const fn invalid(error: ResponseError, reason: &'static str) -> Invalid {
    Invalid { error, reason }
}

impl Batch {
    /// Checks what a client sent for one partition: exactly one batch, as Produce 3 and later say.
    pub(crate) fn check(bytes: Bytes, max_message_bytes: usize) -> Result<Batch, Invalid> {
        use ResponseError as E;
        match bytes.get(MAGIC_AT) {
            Some(2) => {}
            Some(_) => {
                let reason = "only message format 2 is supported";
                return Err(invalid(E::UnsupportedForMessageFormat, reason));
            }
            None => return Err(invalid(E::CorruptMessage, "no whole record batch")),
        }
        if bytes.len() > max_message_bytes {
            let reason = "the record batch is larger than max.message.bytes";
            return Err(invalid(E::MessageTooLarge, reason));
        }
        let header = Header::parse(&bytes)
            .ok_or(invalid(E::CorruptMessage, "the record batch is cut off"))?;
        if header.size() < bytes.len() {
            return Err(invalid(E::InvalidRecord, "more than one record batch"));
        }
        let unset = Header { base_offset: 0, ..header };
        if !unset.is_sound() {
            let reason = "the record count does not fit the offsets";
            return Err(invalid(E::CorruptMessage, reason));
        }
        let checked = bytes
            .get(CHECKED_FROM..header.size())
            .ok_or(invalid(E::CorruptMessage, "the record batch is cut off"))?;
        if crc32c::crc32c(checked) != header.crc {
            return Err(invalid(E::CorruptMessage, "the checksum is wrong"));
        }
        check_attributes(&header)?;
        let batch = Batch { header, bytes };
        batch.check_records()?;
        Ok(batch)
    }

    /// Kafka opens compressed batches too; here they are stored as they came, and a reader judges.
    fn check_records(&self) -> Result<(), Invalid> {
        if self.header.is_compressed() {
            return Ok(());
        }
        let reason = "the records do not fit their batch";
        let wrong = invalid(ResponseError::InvalidRecord, reason);
        let mut expected = 0;
        for record in Records::new(self.bytes.get(HEADER_BYTES..).unwrap_or_default()) {
            if record.ok_or(wrong)?.offset_delta != expected {
                return Err(wrong);
            }
            expected += 1;
        }
        if expected == self.header.record_count { Ok(()) } else { Err(wrong) }
    }

    /// Appends the batch to `out` with its place in the log. Both fields lie outside the checksum.
    pub(crate) fn write(&self, base_offset: i64, leader_epoch: i32, out: &mut Vec<u8>) {
        out.extend_from_slice(&base_offset.to_be_bytes());
        out.extend_from_slice(self.bytes.get(8..PREFIX_BYTES).unwrap_or_default());
        out.extend_from_slice(&leader_epoch.to_be_bytes());
        out.extend_from_slice(self.bytes.get(MAGIC_AT..).unwrap_or_default());
    }
}

fn check_attributes(header: &Header) -> Result<(), Invalid> {
    use ResponseError as E;
    let attributes = header.attributes;
    if attributes & COMPRESSION_MASK > LAST_CODEC {
        return Err(invalid(E::UnsupportedCompressionType, "unknown compression"));
    }
    if attributes & LOG_APPEND_TIME != 0 {
        let reason = "a producer may not set the log append time";
        return Err(invalid(E::InvalidTimestamp, reason));
    }
    if attributes & CONTROL != 0 {
        return Err(invalid(E::InvalidRecord, "a client may not write control batches"));
    }
    if attributes & TRANSACTIONAL != 0 {
        return Err(invalid(E::InvalidTxnState, "transactions are not supported"));
    }
    if header.producer_id >= 0 && (header.base_sequence < 0 || header.producer_epoch < 0) {
        let reason = "a producer id needs an epoch and a sequence";
        return Err(invalid(E::InvalidRecord, reason));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod samples {
    //! Batches made by hand, so that the tests do not share the code they test.

    use bytes::{BufMut, Bytes, BytesMut};

    use super::{CHECKED_FROM, HEADER_BYTES};

    /// What a made batch says.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Sample {
        pub(crate) records: i32,
        pub(crate) value_bytes: usize,
        pub(crate) timestamp: i64,
        pub(crate) producer: (i64, i16, i32),
        pub(crate) attributes: i16,
    }

    impl Default for Sample {
        fn default() -> Sample {
            Sample {
                records: 1,
                value_bytes: 8,
                timestamp: 1_000,
                producer: (-1, -1, -1),
                attributes: 0,
            }
        }
    }

    fn varint(out: &mut BytesMut, value: i64) {
        let mut raw = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while raw >= 0x80 {
            out.put_u8((raw & 0x7f) as u8 | 0x80);
            raw >>= 7;
        }
        out.put_u8(raw as u8);
    }

    /// The batch's bytes. Each record's timestamp is one millisecond after the one before.
    pub(crate) fn batch(sample: Sample) -> Bytes {
        let mut records = BytesMut::new();
        for delta in 0..sample.records {
            let mut record = BytesMut::new();
            record.put_i8(0);
            varint(&mut record, i64::from(delta));
            varint(&mut record, i64::from(delta));
            varint(&mut record, -1);
            varint(&mut record, sample.value_bytes as i64);
            record.put_bytes(b'v', sample.value_bytes);
            varint(&mut record, 0);
            varint(&mut records, record.len() as i64);
            records.put_slice(&record);
        }
        let mut out = BytesMut::new();
        out.put_i64(0);
        out.put_i32((HEADER_BYTES - 12 + records.len()) as i32);
        out.put_i32(-1);
        out.put_i8(2);
        out.put_u32(0);
        out.put_i16(sample.attributes);
        out.put_i32(sample.records - 1);
        out.put_i64(sample.timestamp);
        out.put_i64(sample.timestamp + i64::from(sample.records) - 1);
        out.put_i64(sample.producer.0);
        out.put_i16(sample.producer.1);
        out.put_i32(sample.producer.2);
        out.put_i32(sample.records);
        out.put_slice(&records);
        seal(out)
    }

    /// Sets the checksum.
    pub(crate) fn seal(mut batch: BytesMut) -> Bytes {
        let crc = crc32c::crc32c(&batch[CHECKED_FROM..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch.freeze()
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::error::ResponseError;

    use super::samples::{Sample, batch, seal};
    use super::*;

    const MAX: usize = 10_000;

    fn refused(bytes: Bytes) -> ResponseError {
        Batch::check(bytes, MAX).unwrap_err().error
    }

    #[test]
    fn a_batch_is_stored_as_it_came_but_for_its_place() {
        let bytes = batch(Sample { records: 3, ..Sample::default() });
        let mut out = Vec::new();
        let checked = Batch::check(bytes.clone(), MAX).unwrap();
        checked.write(41, 0, &mut out);
        assert_eq!(out[16..], bytes[16..]);
        let header = intact(&out).unwrap();
        assert_eq!((header.base_offset, header.next_offset()), (41, 44));
    }

    #[test]
    fn what_is_wrong_with_a_batch_has_the_protocols_code() {
        let good = batch(Sample::default());
        let edit = |at: usize, value: u8| {
            let mut bytes = BytesMut::from(&good[..]);
            bytes[at] = value;
            bytes
        };
        let twice = [&good[..], &good[..]].concat();
        let attributes = |attributes| batch(Sample { attributes, ..Sample::default() });
        let cases = [
            (Bytes::new(), ResponseError::CorruptMessage),
            (good.slice(..40), ResponseError::CorruptMessage),
            (good.slice(..good.len() - 1), ResponseError::CorruptMessage),
            (Bytes::from(twice), ResponseError::InvalidRecord),
            (edit(16, 1).freeze(), ResponseError::UnsupportedForMessageFormat),
            (edit(70, 9).freeze(), ResponseError::CorruptMessage),
            (edit(8, 0xff).freeze(), ResponseError::CorruptMessage),
            (seal(edit(60, 9)), ResponseError::CorruptMessage),
            (seal(edit(61, 2)), ResponseError::InvalidRecord),
            (attributes(0x08), ResponseError::InvalidTimestamp),
            (attributes(0x10), ResponseError::InvalidTxnState),
            (attributes(0x20), ResponseError::InvalidRecord),
            (attributes(0x07), ResponseError::UnsupportedCompressionType),
            (Bytes::from(vec![2; MAX + 1]), ResponseError::MessageTooLarge),
        ];
        for (at, (bytes, error)) in cases.into_iter().enumerate() {
            assert_eq!(refused(bytes), error, "case {at}");
        }
    }
}
