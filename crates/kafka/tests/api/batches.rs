//! Record batches made by hand, so that the tests do not share the code they test.

use std::io::Write;

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;

pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(crate) const CONTROL: i16 = 0x20;

/// A record as a producer may write it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    pub(crate) offset_delta: i64,
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A batch; what is not given is as a producer without transactions writes it.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    /// More than the last record's, where compaction took the last one.
    pub(crate) last_offset_delta: i32,
    pub(crate) attributes: i16,
    pub(crate) base_timestamp: i64,
    pub(crate) record_count: i32,
    pub(crate) payload: Vec<u8>,
}

impl Batch {
    /// A batch of these records, not compressed.
    pub(crate) fn new(base_offset: i64, records: &[Raw]) -> Self {
        let mut payload = Vec::new();
        for record in records {
            put_record(&mut payload, record);
        }
        Self {
            base_offset,
            last_offset_delta: records.last().map_or(0, |it| it.offset_delta) as i32,
            attributes: 0,
            base_timestamp: 1_700_000_000_000,
            record_count: records.len() as i32,
            payload,
        }
    }

    /// Records with these texts, one offset after the other.
    pub(crate) fn of(base_offset: i64, texts: &[&str]) -> Self {
        let records: Vec<_> = (0..).zip(texts).map(|(at, text)| raw(at, text)).collect();
        Self::new(base_offset, &records)
    }

    /// The marker that ends a transaction: version 0, type 1 (commit) or 0 (abort).
    pub(crate) fn marker(base_offset: i64, commits: bool) -> Self {
        let key = Some(vec![0, 0, 0, u8::from(commits)]);
        let value = Some(vec![0; 6]);
        let record = Raw { key, value, ..Raw::default() };
        Self { attributes: CONTROL | TRANSACTIONAL, ..Self::new(base_offset, &[record]) }
    }

    pub(crate) fn with(self, attributes: i16) -> Self {
        Self { attributes: self.attributes | attributes, ..self }
    }

    pub(crate) fn compressed(self, codec: Codec) -> Self {
        let payload = codec.compress(&self.payload);
        Self { attributes: self.attributes | codec.number(), payload, ..self }
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// The bytes, with the right checksum.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i64(self.base_offset);
        out.put_i32((HEADER_BYTES - 12 + self.payload.len()) as i32);
        out.put_i32(0);
        out.put_i8(2);
        out.put_u32(0);
        out.put_i16(self.attributes);
        out.put_i32(self.last_offset_delta);
        out.put_i64(self.base_timestamp);
        out.put_i64(self.base_timestamp);
        out.put_i64(-1);
        out.put_i16(-1);
        out.put_i32(-1);
        out.put_i32(self.record_count);
        out.put_slice(&self.payload);
        let crc = crc32c::crc32c(&out[21..]);
        out[17..21].copy_from_slice(&crc.to_be_bytes());
        out.freeze()
    }
}

pub(crate) fn raw(offset_delta: i64, text: &str) -> Raw {
    Raw { offset_delta, value: Some(text.into()), ..Raw::default() }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Codec {
    Gzip,
    Snappy,
    /// Java's framing around blocks.
    Xerial,
    Lz4,
    Zstd,
}

impl Codec {
    pub(crate) const ALL: [Self; 5] =
        [Self::Gzip, Self::Snappy, Self::Xerial, Self::Lz4, Self::Zstd];

    fn number(self) -> i16 {
        match self {
            Self::Gzip => 1,
            Self::Snappy | Self::Xerial => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    pub(crate) fn compress(self, bytes: &[u8]) -> Vec<u8> {
        let block = |bytes: &[u8]| snap::raw::Encoder::new().compress_vec(bytes).unwrap();
        match self {
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Self::Snappy => block(bytes),
            Self::Xerial => {
                let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
                for part in bytes.chunks(32_768) {
                    let part = block(part);
                    out.put_u32(part.len() as u32);
                    out.put_slice(&part);
                }
                out
            }
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Self::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        }
    }
}

fn put_record(out: &mut Vec<u8>, record: &Raw) {
    let mut body = vec![0];
    put_varint(&mut body, record.timestamp_delta);
    put_varint(&mut body, record.offset_delta);
    put_nullable(&mut body, record.key.as_deref());
    put_nullable(&mut body, record.value.as_deref());
    put_varint(&mut body, record.headers.len() as i64);
    for (name, value) in &record.headers {
        put_nullable(&mut body, Some(name));
        put_nullable(&mut body, value.as_deref());
    }
    put_nullable(out, Some(&body));
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while raw >= 0x80 {
        out.push((raw & 0x7f) as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}
