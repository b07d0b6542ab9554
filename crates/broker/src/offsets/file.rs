//! The file of committed offsets: a line a commit, a checksum before it.
//!
//! ```text
//! 1c291ca3 ["group",[[{"topic":"…","partition":0},{"offset":5,"leader_epoch":-1,"metadata":""}]]]
//! ```
//!
//! A later line has the last word. The file is rewritten, one line a group, at every start and when it
//! has grown.

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Arc;

use super::{Committed, Groups, Offsets, Place};
use crate::data_dir::DataDir;
use crate::error::StartError;
use crate::files::replace;

const NAME: &str = "group-offsets.log";

/// Eight digits and a space.
const CHECKSUM_BYTES: usize = 9;

/// The file is rewritten when it is twice as long as a new one was, and this much more. Larger: more to
/// read at a start. Smaller: more commits wait for a rewriting.
const GROWN_BYTES: u64 = 1 << 20;

/// Open for commits.
#[derive(Debug)]
pub(super) struct OffsetsFile {
    /// Its lock must be held as long as anything is written.
    data_dir: Arc<DataDir>,
    file: File,
    bytes: u64,
    rewrite_at_bytes: u64,
}

impl OffsetsFile {
    /// A new file in the place of the old one. A line that was written and not yet synced when the last
    /// process ended is durable then, too.
    pub(super) fn create(
        data_dir: Arc<DataDir>,
        groups: &Groups,
    ) -> Result<OffsetsFile, StartError> {
        let path = data_dir.path().join(NAME);
        let created = encode(groups).and_then(|content| new(data_dir, &content));
        created.map_err(StartError::io("write", &path))
    }

    /// Appends a commit and returns when it is on the disk.
    pub(super) fn append(&mut self, group: &str, offsets: &Offsets) -> io::Result<()> {
        let line = line(group, offsets)?;
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Whether a rewriting would make much of it go away.
    pub(super) fn has_grown(&self) -> bool {
        self.bytes >= self.rewrite_at_bytes
    }

    /// Replaces the file by one with this [`encode`]d content.
    pub(super) fn rewrite(&mut self, content: &[u8]) -> io::Result<()> {
        *self = new(Arc::clone(&self.data_dir), content)?;
        Ok(())
    }
}

fn new(data_dir: Arc<DataDir>, content: &[u8]) -> io::Result<OffsetsFile> {
    let file = replace(data_dir.path(), NAME, content)?;
    let bytes = content.len() as u64;
    Ok(OffsetsFile { data_dir, file, bytes, rewrite_at_bytes: 2 * bytes + GROWN_BYTES })
}

pub(super) fn encode(groups: &Groups) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for (group, offsets) in groups {
        lines.extend(line(group, offsets)?);
    }
    Ok(lines)
}

fn line(group: &str, offsets: &Offsets) -> io::Result<Vec<u8>> {
    let offsets: Vec<(&Place, &Committed)> = offsets.iter().collect();
    let json = serde_json::to_vec(&(group, offsets))?;
    let mut line = checksum(&json).into_bytes();
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

/// Reads the file as far as it is right: a torn tail was never acknowledged.
///
/// # Errors
/// [`StartError::Damaged`] when a right line follows a wrong one, which no crash explains.
pub(super) fn read(data_dir: &DataDir) -> Result<Groups, StartError> {
    let path = data_dir.path().join(NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Groups::new()),
        Err(error) => return Err(StartError::io("read", &path)(error)),
    };
    let mut groups = Groups::new();
    let mut position = 0;
    let mut torn_at = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match (intact(line), torn_at) {
            (Some(json), None) => {
                let (group, offsets): (String, Vec<(Place, Committed)>) =
                    serde_json::from_slice(json)
                        .map_err(|error| StartError::damaged(&path, position, error.to_string()))?;
                groups.entry(group).or_default().extend(offsets);
            }
            (Some(_), Some(torn_at)) => {
                let reason = "a line is damaged, and a whole one follows it";
                return Err(StartError::damaged(&path, torn_at, reason));
            }
            (None, _) => torn_at = torn_at.or(Some(position)),
        }
        position += line.len() as u64;
    }
    if let Some(position) = torn_at {
        tracing::warn!(file = %path.display(), position, "dropped a torn tail");
    }
    Ok(groups)
}

/// What a whole line says, when its checksum is right.
fn intact(line: &[u8]) -> Option<&[u8]> {
    let (found, json) = line.strip_suffix(b"\n")?.split_at_checked(CHECKSUM_BYTES)?;
    (found == checksum(json).as_bytes()).then_some(json)
}

fn checksum(json: &[u8]) -> String {
    format!("{:08x} ", crc32c::crc32c(json))
}
