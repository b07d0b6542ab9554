//! Record batches: message format 2 (KIP-98), written plainly and read without trust.
//!
//! The checksum tells damage on the way, after which the same fetch may bring the batch whole, from
//! a batch that was written so and will never be readable.

mod decompress;
mod encode;
mod records;
mod unread;

use bytes::{Buf, Bytes};
pub(crate) use encode::encode;
use models::{Offset, Record, UnreadableRange};

use records::{Frame, Records};
use unread::Unread;

/// What all records of one fetch may take in memory. Smaller, and a batch that compresses very well
/// is dead-lettered; larger, and a batch made for it takes that much.
const ROOM_BYTES: usize = 64 * 1024 * 1024;

/// Base offset and length: what the length does not count.
const PREFIX_BYTES: usize = 12;

/// Where the checksummed part begins, and the records.
const CHECKED_FROM: usize = 21;
const RECORDS_FROM: usize = 61;

const COMPRESSION_MASK: i16 = 0x07;
const CONTROL: i16 = 0x20;

/// What some batches held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) records: Vec<(Offset, Record)>,
    pub(crate) unreadable: Vec<UnreadableRange>,
    /// Behind the last whole batch.
    pub(crate) next_offset: Offset,
    memory_bytes: usize,
    /// The least offset that the next batch may begin with.
    least_offset: i64,
}

/// Reads batches from the one that holds `asked` on, or the first behind it. The last one may be
/// cut off.
///
/// # Errors
/// What is wrong with the first batch. What is wrong with a later one is told when it is first.
pub(crate) fn walk(bytes: &Bytes, asked: Offset) -> Result<Walked, String> {
    let mut bytes = bytes.clone();
    let mut walked = Walked {
        records: Vec::new(),
        unreadable: Vec::new(),
        next_offset: asked,
        memory_bytes: 0,
        least_offset: 0,
    };
    while !bytes.is_empty() {
        match walked.step(&bytes, asked) {
            Ok(rest) => bytes = rest,
            Err(Stop::Damaged(reason)) if walked.next_offset == asked => return Err(reason),
            Err(Stop::Damaged(_) | Stop::Full) => break,
        }
    }
    Ok(walked)
}

/// Why a walk ends before its bytes do.
enum Stop {
    /// The batch is cut off, or was damaged on the way.
    Damaged(String),
    /// There is no room for this batch beside the others.
    Full,
}

impl Walked {
    /// Takes the first batch, and returns what is behind it.
    fn step(&mut self, bytes: &Bytes, asked: Offset) -> Result<Bytes, Stop> {
        let (batch, rest) = Batch::first(bytes).map_err(Stop::Damaged)?;
        if batch.frame.base_offset < self.least_offset {
            return Err(Stop::Damaged("the offsets of the batches do not ascend".to_owned()));
        }
        let next_offset = batch.last_offset.saturating_add(1);
        if batch.last_offset >= asked.0 && !batch.is_control() {
            match batch.records(asked, ROOM_BYTES.saturating_sub(self.memory_bytes)) {
                Ok(found) => {
                    self.records.extend(found.records);
                    self.memory_bytes += found.memory_bytes;
                }
                Err(Unread::TooLarge) if self.memory_bytes > 0 => return Err(Stop::Full),
                Err(unread) => self.unreadable.push(batch.unreadable(asked, unread)),
            }
        }
        self.least_offset = next_offset;
        self.next_offset = self.next_offset.max(Offset(next_offset));
        Ok(rest)
    }
}

/// A batch that is whole and came as it was written.
struct Batch {
    frame: Frame,
    last_offset: i64,
    attributes: i16,
    records: Bytes,
}

impl Batch {
    /// The batch at the start, and what is behind it.
    fn first(bytes: &Bytes) -> Result<(Self, Bytes), String> {
        let cut = || "the batch is cut off".to_owned();
        let mut header = bytes.get(..RECORDS_FROM).ok_or_else(cut)?;
        let (base_offset, length) = (header.get_i64(), header.get_i32());
        header.advance(4); // the leader's epoch
        let magic = header.get_u8();
        if magic != 2 {
            return Err(format!("message format {magic} is not supported, only 2 is"));
        }
        let crc = header.get_u32();
        let size = usize::try_from(length).ok().and_then(|it| it.checked_add(PREFIX_BYTES));
        let size = size.filter(|size| *size >= RECORDS_FROM).ok_or("the batch has no length")?;
        let checked = bytes.get(CHECKED_FROM..size).ok_or_else(cut)?;
        if crc32c::crc32c(checked) != crc {
            return Err("the checksum of the batch is wrong".to_owned());
        }
        let attributes = header.get_i16();
        let last_offset_delta = header.get_i32();
        let base_timestamp = header.get_i64();
        header.advance(8 + 8 + 2 + 4); // latest time; producer's id, epoch and sequence
        let record_count = header.get_i32();
        let frame = Frame { base_offset, last_offset_delta, base_timestamp, record_count };
        let last_offset = base_offset.checked_add(i64::from(last_offset_delta));
        let last_offset = last_offset.filter(|last| base_offset >= 0 && *last >= base_offset);
        let last_offset = last_offset.ok_or("the batch has offsets that cannot be")?;
        let records = bytes.slice(RECORDS_FROM..size);
        Ok((Self { frame, last_offset, attributes, records }, bytes.slice(size..)))
    }

    /// Whether it holds the end of a transaction, and no records.
    fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    fn records(&self, asked: Offset, room: usize) -> Result<Records, Unread> {
        let codec = self.attributes & COMPRESSION_MASK;
        let bytes = decompress::decompress(codec, &self.records, room)?;
        records::read(self.frame, &bytes, asked, room)
    }

    fn unreadable(&self, asked: Offset, unread: Unread) -> UnreadableRange {
        let reason = match unread {
            Unread::TooLarge => format!("its records take more than {ROOM_BYTES} bytes"),
            Unread::Damaged(reason) => reason,
        };
        let first = Offset(self.frame.base_offset).max(asked);
        UnreadableRange { first, last: Offset(self.last_offset), reason }
    }
}
