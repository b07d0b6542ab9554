//! Files that are either wholly old or wholly new after a crash.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StartError;

/// Replaces `dir/name` with `value` as JSON and returns when that is durable.
pub(crate) fn write_json(dir: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    replace(dir, name, &json).map(drop)
}

/// Replaces `dir/name` and returns it, open at its end, when that is durable.
pub(crate) fn replace(dir: &Path, name: &str, content: &[u8]) -> io::Result<File> {
    let temporary = dir.join(format!("{name}~"));
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(name))?;
    sync_dir(dir)?;
    Ok(file)
}

/// Reads what [`write_json`] wrote; `None` when there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StartError> {
    let json = match fs::read(path) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StartError::io("read", path)(error)),
    };
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|error| StartError::damaged(path, 0, error.to_string()))
}

/// Makes durable which files a folder holds.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
