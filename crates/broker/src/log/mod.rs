//! The log of one partition: segment files, written by one owner and read by many.

mod batch;
mod producers;
mod record;
mod recovery;
mod segment;
#[cfg(test)]
mod tests;
mod view;

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;

pub(crate) use batch::{Batch, Invalid};
pub(crate) use view::{Timestamped, View};

use crate::files::sync_dir;
use crate::topic_config::TopicConfig;
use producers::{Producers, Verdict};
use segment::Segment;

#[cfg(test)]
pub(crate) use batch::samples;

/// How many bytes too many [`View::bytes_from`] may say.
pub(crate) const ESTIMATE_ERROR_BYTES: u64 = segment::INDEX_EVERY_BYTES;

/// One node never elects a leader, so there is one leader epoch only.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// Bytes gathered before a write. Larger: more memory a partition. Smaller: more system calls.
const WRITE_BYTES: usize = 1 << 20;

/// The writer's side. Its methods block on the disk.
///
/// After an error of [`Log::commit`] or [`Log::retain`] the log must not be used again: what the disk
/// then holds is unknown until it is opened anew.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    config: Arc<TopicConfig>,
    view: Arc<View>,
    active: Arc<Segment>,
    next_offset: i64,
    producers: Producers,
    buffer: Vec<u8>,
}

/// Where a batch went, or the protocol's code for why it did not.
pub(crate) type Outcome = Result<i64, ResponseError>;

impl Log {
    /// An empty log in the existing, empty folder `dir`.
    pub(crate) fn create(dir: &Path) -> io::Result<()> {
        Segment::create(dir, 0)?;
        sync_dir(dir)
    }

    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// Appends the batches and returns when they are on the disk.
    pub(crate) fn commit(&mut self, batches: Vec<Batch>) -> io::Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            outcomes.push(self.append(&batch)?);
        }
        self.sync()?;
        self.view.advance(self.next_offset);
        Ok(outcomes)
    }

    fn append(&mut self, batch: &Batch) -> io::Result<Outcome> {
        let mut header = batch.header;
        match self.producers.judge(&header) {
            Verdict::Append => {}
            Verdict::Duplicate(base_offset) => return Ok(Ok(base_offset)),
            Verdict::Refuse(error) => return Ok(Err(error)),
        }
        if header.size() as u64 > self.config.segment_bytes {
            return Ok(Err(ResponseError::RecordListTooLarge));
        }
        if self.is_full(header.size() as u64, header.max_timestamp) {
            self.roll()?;
        }
        header.base_offset = self.next_offset;
        self.producers.record(&header, self.next_offset);
        batch.write(self.next_offset, LEADER_EPOCH, &mut self.buffer);
        self.active.state_mut().push(&header);
        self.next_offset = header.next_offset();
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(Ok(header.base_offset))
    }

    fn is_full(&self, more_bytes: u64, timestamp: i64) -> bool {
        let state = self.active.state();
        let age_ms = state.first_timestamp.map_or(0, |first| timestamp.saturating_sub(first));
        state.size > 0
            && (state.size + more_bytes > self.config.segment_bytes
                || age_ms > self.config.segment_ms)
    }

    fn write(&mut self) -> io::Result<()> {
        let position = self.active.state().size - self.buffer.len() as u64;
        self.active.file.write_all_at(&self.buffer, position)?;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let state = self.active.state();
        let clean = state.committed == state.size;
        drop(state);
        if clean {
            return Ok(());
        }
        self.write()?;
        self.active.file.sync_data()?;
        let mut state = self.active.state_mut();
        state.committed = state.size;
        Ok(())
    }

    /// Starts a new segment. The old one is on the disk first, so that only the last can be torn.
    fn roll(&mut self) -> io::Result<()> {
        self.sync()?;
        self.active = Arc::new(Segment::create(&self.dir, self.next_offset)?);
        sync_dir(&self.dir)?;
        self.view.push(Arc::clone(&self.active));
        Ok(())
    }

    /// Deletes the segments that `retention.ms` and `retention.bytes` no longer keep, and says how many.
    /// An empty segment always stays: its name keeps the next offset.
    pub(crate) fn retain(&mut self, now_ms: i64) -> io::Result<usize> {
        if !self.config.deletes {
            return Ok(0);
        }
        if self.is_expired(&self.active, now_ms) {
            self.roll()?;
        }
        let mut deleted = 0;
        while let Some(segment) = self.oldest_to_delete(now_ms) {
            self.view.pop_front();
            fs::remove_file(&segment.path)?;
            deleted += 1;
        }
        if deleted > 0 {
            sync_dir(&self.dir)?;
        }
        Ok(deleted)
    }

    fn oldest_to_delete(&self, now_ms: i64) -> Option<Arc<Segment>> {
        let (oldest, total_bytes) = self.view.oldest_inactive()?;
        let rest_bytes = total_bytes - oldest.state().size;
        let too_many = self.config.retention_bytes.is_some_and(|keep| rest_bytes >= keep);
        (too_many || self.is_expired(&oldest, now_ms)).then_some(oldest)
    }

    fn is_expired(&self, segment: &Segment, now_ms: i64) -> bool {
        let newest = segment.state().max_timestamp;
        match (newest, self.config.retention_ms) {
            (Some(newest), Some(keep_ms)) => now_ms.saturating_sub(newest) > keep_ms,
            (None, _) | (_, None) => false,
        }
    }
}
