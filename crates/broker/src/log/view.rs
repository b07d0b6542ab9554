//! The readers' side of a log.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::log::batch::{HEADER_BYTES, Header};
use crate::log::record::Records;
use crate::log::segment::Segment;

#[derive(Debug)]
pub(crate) struct View {
    /// Oldest first, never empty; the last one is being written.
    segments: RwLock<VecDeque<Arc<Segment>>>,
    high_watermark: AtomicI64,
}

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamped {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
}

impl View {
    pub(super) fn new(segments: VecDeque<Arc<Segment>>, high_watermark: i64) -> View {
        View { segments: RwLock::new(segments), high_watermark: AtomicI64::new(high_watermark) }
    }

    /// The offset after the last record that is on the disk. Nothing at or above it is ever read.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    pub(super) fn advance(&self, high_watermark: i64) {
        self.high_watermark.store(high_watermark, Ordering::Release);
    }

    /// The first offset that is still there.
    pub(crate) fn log_start(&self) -> i64 {
        let segments = self.segments();
        segments.front().map_or(0, |segment| segment.base_offset)
    }

    /// Bytes from `offset` on, a few KiB too many at most: enough to decide whether to read.
    pub(crate) fn bytes_from(&self, offset: i64) -> u64 {
        if offset >= self.high_watermark() {
            return 0;
        }
        let segments = self.segments();
        let first = segments.partition_point(|segment| segment.base_offset <= offset);
        let from = first.saturating_sub(1);
        segments.iter().skip(from).map(|it| it.bytes_from(offset)).sum()
    }

    /// Whole batches of one segment, the first holding `offset`; see [`Segment::read`].
    pub(crate) fn read(
        &self,
        offset: i64,
        below: i64,
        max_bytes: usize,
        whole_first: bool,
    ) -> io::Result<Bytes> {
        let segment = {
            let segments = self.segments();
            let after = segments.partition_point(|segment| segment.base_offset <= offset);
            after.checked_sub(1).and_then(|at| segments.get(at).cloned())
        };
        segment
            .map_or(Ok(Bytes::new()), |segment| segment.read(offset, below, max_bytes, whole_first))
    }

    /// The first record with a timestamp of at least `timestamp`. Inside a compressed batch it is the
    /// batch's first record: the broker opens none, and too early loses nothing.
    pub(crate) fn at_timestamp(&self, timestamp: i64) -> io::Result<Option<Timestamped>> {
        let below = self.high_watermark();
        let segments = self.segments().clone();
        for segment in segments {
            if segment.state().max_timestamp < Some(timestamp) {
                continue;
            }
            if let Some((header, bytes)) = segment.batch_at_timestamp(timestamp, below)? {
                return Ok(Some(record_at(&header, &bytes, timestamp)));
            }
        }
        Ok(None)
    }

    pub(super) fn push(&self, segment: Arc<Segment>) {
        self.segments_mut().push_back(segment);
    }

    pub(super) fn pop_front(&self) {
        self.segments_mut().pop_front();
    }

    /// The oldest segment unless it is the active one, and the bytes of all.
    pub(super) fn oldest_inactive(&self) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments();
        let total = segments.iter().map(|segment| segment.state().size).sum();
        let oldest = segments.front().filter(|_| segments.len() > 1)?;
        Some((Arc::clone(oldest), total))
    }

    fn segments(&self) -> RwLockReadGuard<'_, VecDeque<Arc<Segment>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn segments_mut(&self) -> RwLockWriteGuard<'_, VecDeque<Arc<Segment>>> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record_at(header: &Header, bytes: &[u8], timestamp: i64) -> Timestamped {
    let body = bytes.get(HEADER_BYTES..).filter(|_| !header.is_compressed());
    for record in Records::new(body.unwrap_or_default()).flatten() {
        let found = header.base_timestamp.saturating_add(record.timestamp_delta);
        if found >= timestamp {
            return Timestamped {
                offset: header.base_offset + i64::from(record.offset_delta),
                timestamp: found,
            };
        }
    }
    Timestamped { offset: header.base_offset, timestamp: header.base_timestamp }
}
