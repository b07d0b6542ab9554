//! Opening a log: every batch is read and checked, a torn tail is cut, other damage refuses the start.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StartError;
use crate::files::sync_dir;
use crate::log::batch::{HEADER_BYTES, Header, intact};
use crate::log::producers::Producers;
use crate::log::segment::{Segment, State, base_offset_of};
use crate::log::{Log, View};
use crate::topic_config::TopicConfig;

/// Bytes read at once. Only speed depends on it.
const CHUNK_BYTES: usize = 1 << 20;

impl Log {
    /// Opens the log in `dir`, which remembers at most `producers` idempotent producers.
    ///
    /// # Errors
    /// [`StartError::Damaged`] when a file holds bytes that a crash cannot explain; that file
    /// is left as it is.
    pub(crate) fn open(
        dir: &Path,
        config: Arc<TopicConfig>,
        producers: usize,
    ) -> Result<Log, StartError> {
        let mut producers = Producers::new(producers);
        let names = segment_files(dir)?;
        let mut next_offset = names.first().map_or(0, |(base_offset, _)| *base_offset);
        let mut segments = VecDeque::with_capacity(names.len());
        for (at, (base_offset, path)) in names.iter().enumerate() {
            if *base_offset != next_offset {
                let reason = "does not begin where the segment before it ends";
                return Err(StartError::damaged(path, 0, reason));
            }
            let mut scan = Scan::open(path, *base_offset)?;
            scan.run(&mut producers)?;
            if at + 1 == names.len() {
                scan.finish_last()?;
            } else {
                scan.expect_whole()?;
            }
            next_offset = scan.next_offset;
            segments.push_back(Arc::new(scan.into_segment(*base_offset)));
        }
        let active = segments
            .back()
            .cloned()
            .ok_or_else(|| StartError::damaged(dir, 0, "the partition has no segment file"))?;
        // The last segment's name may not be durable yet when the process ended right after a roll.
        sync_dir(dir).map_err(StartError::io("sync", dir))?;
        Ok(Log {
            dir: dir.to_owned(),
            config,
            view: Arc::new(View::new(segments, next_offset)),
            active,
            next_offset,
            producers,
            buffer: Vec::new(),
        })
    }
}

fn segment_files(dir: &Path) -> Result<Vec<(i64, PathBuf)>, StartError> {
    let doing = StartError::io("read", dir);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(&doing)? {
        let entry = entry.map_err(&doing)?;
        let name = entry.file_name();
        if let Some(base_offset) = name.to_str().and_then(base_offset_of) {
            files.push((base_offset, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// One file, read from its start as far as it is right.
struct Scan {
    path: PathBuf,
    file: File,
    file_bytes: u64,
    next_offset: i64,
    state: State,
}

impl Scan {
    fn open(path: &Path, base_offset: i64) -> Result<Scan, StartError> {
        let doing = StartError::io("open", path);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).open(path).map_err(&doing)?;
        let file_bytes = file.metadata().map_err(&doing)?.len();
        Ok(Scan {
            path: path.to_owned(),
            file,
            file_bytes,
            next_offset: base_offset,
            state: State::default(),
        })
    }

    fn run(&mut self, producers: &mut Producers) -> Result<(), StartError> {
        let file = self.file.try_clone().map_err(StartError::io("open", &self.path))?;
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, file);
        let mut batch = Vec::new();
        while let Some(header) = self.next_batch(&mut reader, &mut batch)? {
            producers.record(&header, header.base_offset);
            self.state.push(&header);
            self.next_offset = header.next_offset();
        }
        Ok(())
    }

    /// The next batch, or `None` where the file ends or is no longer right.
    fn next_batch(
        &self,
        reader: &mut BufReader<File>,
        batch: &mut Vec<u8>,
    ) -> Result<Option<Header>, StartError> {
        let left = self.file_bytes - self.state.size;
        if left < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let doing = StartError::io("read", &self.path);
        batch.resize(HEADER_BYTES, 0);
        reader.read_exact(batch).map_err(&doing)?;
        let Some(header) = Header::parse(batch).filter(|it| it.size() as u64 <= left) else {
            return Ok(None);
        };
        batch.resize(header.size(), 0);
        let body = batch.get_mut(HEADER_BYTES..).unwrap_or_default();
        reader.read_exact(body).map_err(&doing)?;
        Ok(intact(batch).filter(|header| header.base_offset == self.next_offset))
    }

    /// Damage in a segment that was complete and on the disk before the next one began is no crash's.
    fn expect_whole(&mut self) -> Result<(), StartError> {
        if self.state.size != self.file_bytes {
            let reason = "a record batch is damaged, and later segments exist";
            return Err(StartError::damaged(&self.path, self.state.size, reason));
        }
        self.state.committed = self.state.size;
        Ok(())
    }

    /// Cuts what a crash left behind the last whole batch, and makes sure of the rest: the batches may
    /// have been written and not yet synced when the process ended.
    fn finish_last(&mut self) -> Result<(), StartError> {
        let torn_bytes = self.file_bytes - self.state.size;
        if torn_bytes > 0 {
            if self.find_batch_in_tail()? {
                let reason = "a record batch is damaged, and a whole one follows it";
                return Err(StartError::damaged(&self.path, self.state.size, reason));
            }
            let set = self.file.set_len(self.state.size);
            set.map_err(StartError::io("cut the torn tail of", &self.path))?;
            tracing::warn!(
                file = %self.path.display(),
                position = self.state.size,
                torn_bytes,
                next_offset = self.next_offset,
                "cut a torn tail"
            );
        }
        self.file.sync_all().map_err(StartError::io("sync", &self.path))?;
        self.state.committed = self.state.size;
        Ok(())
    }

    /// Whether a whole batch with an offset that could follow lies anywhere in the tail.
    fn find_batch_in_tail(&self) -> Result<bool, StartError> {
        let mut position = self.state.size;
        while position + (HEADER_BYTES as u64) <= self.file_bytes {
            let window = self.read_at(position, CHUNK_BYTES + HEADER_BYTES)?;
            for (at, bytes) in window.windows(HEADER_BYTES).enumerate() {
                if self.is_batch(position + at as u64, bytes)? {
                    return Ok(true);
                }
            }
            // Windows overlap, so that a header on their border is seen.
            position += CHUNK_BYTES as u64;
        }
        Ok(false)
    }

    fn is_batch(&self, position: u64, head: &[u8]) -> Result<bool, StartError> {
        // The magic byte first: it spares nearly all the rest.
        if head.get(16) != Some(&2) {
            return Ok(false);
        }
        let left = self.file_bytes - position;
        let could_follow = |header: &Header| {
            let ahead = header.base_offset.saturating_sub(self.next_offset);
            (0..=self.file_bytes.cast_signed()).contains(&ahead) && header.size() as u64 <= left
        };
        let Some(header) = Header::parse(head).filter(could_follow) else {
            return Ok(false);
        };
        let batch = self.read_at(position, header.size())?;
        Ok(intact(&batch).is_some())
    }

    fn read_at(&self, position: u64, bytes: usize) -> Result<Vec<u8>, StartError> {
        let left = usize::try_from(self.file_bytes - position).unwrap_or(usize::MAX);
        let mut buf = vec![0; bytes.min(left)];
        let read = self.file.read_exact_at(&mut buf, position);
        read.map_err(StartError::io("read", &self.path))?;
        Ok(buf)
    }

    fn into_segment(self, base_offset: i64) -> Segment {
        Segment::new(base_offset, self.path, self.file, self.state)
    }
}
