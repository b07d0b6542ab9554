//! One file of a log, with an index of its batches in memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::{Bytes, BytesMut};

use crate::log::batch::{HEADER_BYTES, Header};

/// Bytes between two index entries. Larger: a fetch reads more than it returns. Smaller: more memory,
/// at 4 KiB about 6 MB a GiB of log.
pub(crate) const INDEX_EVERY_BYTES: u64 = 4096;

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    state: RwLock<State>,
}

/// What is known of a segment's content.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Bytes handed to the file so far.
    pub(crate) size: u64,
    /// Bytes known to be on the disk: the only ones a reader sees.
    pub(crate) committed: u64,
    /// The largest timestamp; -1 while empty.
    pub(crate) max_timestamp: Option<i64>,
    /// The first batch's largest timestamp, from which `segment.ms` counts.
    pub(crate) first_timestamp: Option<i64>,
    index: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    position: u64,
    /// The largest timestamp of all batches before this one.
    max_timestamp_before: Option<i64>,
}

impl State {
    /// Takes note of the next batch.
    pub(crate) fn push(&mut self, header: &Header) {
        let indexed_to = self.index.last().map(|last| last.position);
        if indexed_to.is_none_or(|position| self.size - position >= INDEX_EVERY_BYTES) {
            self.index.push(Entry {
                offset: header.base_offset,
                position: self.size,
                max_timestamp_before: self.max_timestamp,
            });
        }
        self.size += header.size() as u64;
        self.max_timestamp = self.max_timestamp.max(Some(header.max_timestamp));
        self.first_timestamp.get_or_insert(header.max_timestamp);
    }

    /// A place at or less than [`INDEX_EVERY_BYTES`] before the batch that holds `offset`.
    fn seek(&self, offset: i64) -> u64 {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        self.position(after)
    }

    /// A place at or before the first batch with a timestamp of at least `timestamp`.
    fn seek_timestamp(&self, timestamp: i64) -> u64 {
        let earlier = |entry: &Entry| entry.max_timestamp_before < Some(timestamp);
        self.position(self.index.partition_point(earlier))
    }

    fn position(&self, after: usize) -> u64 {
        let entry = after.checked_sub(1).and_then(|at| self.index.get(at));
        entry.map_or(0, |entry| entry.position)
    }
}

impl Segment {
    /// A new empty segment in `dir`. The caller makes the folder durable.
    pub(crate) fn create(dir: &Path, base_offset: i64) -> io::Result<Segment> {
        let path = dir.join(file_name(base_offset));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(&path)?;
        Ok(Segment::new(base_offset, path, file, State::default()))
    }

    pub(crate) fn new(base_offset: i64, path: PathBuf, file: File, state: State) -> Segment {
        let state = RwLock::new(state);
        Segment { base_offset, path, file, state }
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes a reader at `offset` finds here, at most [`INDEX_EVERY_BYTES`] too many.
    pub(crate) fn bytes_from(&self, offset: i64) -> u64 {
        let state = self.state();
        state.committed.saturating_sub(state.seek(offset))
    }

    /// Whole batches from the one that holds `offset`, of offsets below `below`, of at most `max_bytes`
    /// together. With `whole_first` the first batch is returned however large it is.
    pub(crate) fn read(
        &self,
        offset: i64,
        below: i64,
        max_bytes: usize,
        whole_first: bool,
    ) -> io::Result<Bytes> {
        let (start, end) = {
            let state = self.state();
            (state.seek(offset), state.committed)
        };
        let window = INDEX_EVERY_BYTES + (max_bytes.max(HEADER_BYTES) as u64);
        let buf = self.read_at(start, end.saturating_sub(start).min(window))?;
        let Some((from, first)) = batch_holding(&buf, offset) else {
            return Ok(Bytes::new());
        };
        if first.base_offset >= below || (first.size() > max_bytes && !whole_first) {
            return Ok(Bytes::new());
        }
        if first.size() > max_bytes {
            return self.read_at(start + from as u64, first.size() as u64);
        }
        let mut to = from + first.size();
        while let Some(next) = buf.get(to..).and_then(Header::parse) {
            let next_to = to + next.size();
            if next.base_offset >= below || next_to > buf.len() || next_to - from > max_bytes {
                break;
            }
            to = next_to;
        }
        Ok(buf.slice(from..to.min(buf.len())))
    }

    /// The first batch below `below` with a timestamp of at least `timestamp`.
    pub(crate) fn batch_at_timestamp(
        &self,
        timestamp: i64,
        below: i64,
    ) -> io::Result<Option<(Header, Bytes)>> {
        let (mut position, end) = {
            let state = self.state();
            (state.seek_timestamp(timestamp), state.committed)
        };
        while position + HEADER_BYTES as u64 <= end {
            let head = self.read_at(position, HEADER_BYTES as u64)?;
            let Some(header) = Header::parse(&head).filter(|it| it.base_offset < below) else {
                break;
            };
            if header.max_timestamp >= timestamp {
                let bytes = self.read_at(position, header.size() as u64)?;
                return Ok(Some((header, bytes)));
            }
            position += header.size() as u64;
        }
        Ok(None)
    }

    fn read_at(&self, position: u64, bytes: u64) -> io::Result<Bytes> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        let mut buf = BytesMut::zeroed(bytes);
        self.file.read_exact_at(&mut buf, position)?;
        Ok(buf.freeze())
    }
}

fn batch_holding(buf: &[u8], offset: i64) -> Option<(usize, Header)> {
    let mut from = 0;
    loop {
        let header = Header::parse(buf.get(from..)?)?;
        if header.next_offset() > offset {
            return Some((from, header));
        }
        from += header.size();
    }
}

/// Twenty digits, so that names sort as offsets do.
pub(crate) fn file_name(base_offset: i64) -> String {
    format!("{base_offset:020}.log")
}

/// The base offset a segment's file name says.
pub(crate) fn base_offset_of(file_name: &str) -> Option<i64> {
    let digits = file_name.strip_suffix(".log")?;
    let offset = digits.parse().ok()?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(offset)
}
