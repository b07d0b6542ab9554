//! The data folder: one broker at a time, and what belongs to no topic.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StartError;
use crate::files::{read_json, sync_dir, write_json};

const FORMAT_VERSION: u32 = 1;
const META: &str = "meta.json";
const PRODUCER_IDS: &str = "producer-ids.json";

/// Producer ids reserved with one write. Larger: more ids unused after a restart, of which there are
/// 2^63. Smaller: more syncs.
const PRODUCER_ID_BLOCK: i64 = 1000;

/// The open, locked data folder.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    pub(crate) cluster_id: String,
    producer_ids: Mutex<ProducerIds>,
    /// Held for its lock, which ends with the process however that ends.
    lock: File,
}

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    format_version: u32,
    cluster_id: String,
}

#[derive(Debug)]
struct ProducerIds {
    next: i64,
    reserved_to: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct ReservedProducerIds {
    reserved_to: i64,
}

impl DataDir {
    /// Opens `path`, or makes it.
    pub(crate) fn open(path: &Path) -> Result<DataDir, StartError> {
        let doing = StartError::io("make", path);
        fs::create_dir_all(path).map_err(&doing)?;
        let lock = lock(path)?;
        fs::create_dir_all(path.join("topics")).map_err(&doing)?;
        sync_dir(path).map_err(&doing)?;
        let meta = open_meta(path)?;
        let reserved: Option<ReservedProducerIds> = read_json(&path.join(PRODUCER_IDS))?;
        let reserved_to = reserved.map_or(0, |reserved| reserved.reserved_to);
        Ok(DataDir {
            path: path.to_owned(),
            cluster_id: meta.cluster_id,
            producer_ids: Mutex::new(ProducerIds {
                // Ids of a block begun before the restart may be in use: never again.
                next: reserved_to,
                reserved_to,
            }),
            lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn topics(&self) -> PathBuf {
        self.path.join("topics")
    }

    /// A producer id that was never handed out before. Blocks on the disk once a block.
    pub(crate) fn next_producer_id(&self) -> io::Result<i64> {
        let mut ids = self.producer_ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.next == ids.reserved_to {
            let reserved_to = ids.reserved_to + PRODUCER_ID_BLOCK;
            write_json(&self.path, PRODUCER_IDS, &ReservedProducerIds { reserved_to })?;
            ids.reserved_to = reserved_to;
        }
        ids.next += 1;
        Ok(ids.next - 1)
    }
}

impl Drop for DataDir {
    /// Closing the file is not enough: a child process that is just being started has a copy of it
    /// until it runs its program, and with the copy the lock.
    fn drop(&mut self) {
        // What cannot be unlocked is as it would have been without: unlocked once no copy is left.
        let _unlocked = self.lock.unlock();
    }
}

fn lock(path: &Path) -> Result<File, StartError> {
    let file = path.join("lock");
    let lock = File::create(&file).map_err(StartError::io("open", &file))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::DataDirInUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StartError::io("lock", &file)(error)),
    }
}

fn open_meta(path: &Path) -> Result<Meta, StartError> {
    let file = path.join(META);
    if let Some(meta) = read_json::<Meta>(&file)? {
        if meta.format_version == FORMAT_VERSION {
            return Ok(meta);
        }
        return Err(StartError::FormatVersion {
            file,
            found: meta.format_version,
            known: FORMAT_VERSION,
        });
    }
    let meta =
        Meta { format_version: FORMAT_VERSION, cluster_id: Uuid::new_v4().simple().to_string() };
    write_json(path, META, &meta).map_err(StartError::io("write", &file))?;
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let second = DataDir::open(dir.path());
        assert!(matches!(second, Err(StartError::DataDirInUse { .. })));
        let cluster_id = first.cluster_id.clone();
        drop(first);
        assert_eq!(DataDir::open(dir.path()).unwrap().cluster_id, cluster_id);
    }

    #[test]
    fn a_copy_of_the_lock_file_does_not_keep_a_closed_folder_locked() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        // As a child process has it between its fork and its program.
        let copy = first.lock.try_clone().unwrap();
        drop(first);
        DataDir::open(dir.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn a_producer_id_is_handed_out_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut last = -1;
        for _ in 0..3 {
            let data_dir = DataDir::open(dir.path()).unwrap();
            for _ in 0..1500 {
                let id = data_dir.next_producer_id().unwrap();
                assert!(id > last);
                last = id;
            }
        }
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let meta = r#"{"format_version": 2, "cluster_id": "x"}"#;
        fs::write(dir.path().join(META), meta).unwrap();
        let opened = DataDir::open(dir.path());
        assert!(matches!(opened, Err(StartError::FormatVersion { found: 2, .. })));
    }
}
