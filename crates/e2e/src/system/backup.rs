//! Copies of the embedded broker's data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{Part, System};

/// The embedded broker's data, as it was. Inboxes are not part of it.
#[derive(Debug)]
pub struct Backup {
    folder: TempDir,
}

impl System {
    /// Copies the data of the embedded broker, which does not run.
    ///
    /// # Errors
    /// It runs, has no data yet, or the disk failed.
    pub fn back_up_broker(&mut self) -> Result<Backup> {
        let data = self.data_of_stopped_broker()?;
        let folder = tempfile::tempdir()?;
        copy(&data, folder.path())?;
        Ok(Backup { folder })
    }

    /// Puts a backup in place of the data of the embedded broker, which does not run.
    ///
    /// # Errors
    /// It runs, or the disk failed.
    pub fn restore_broker(&mut self, backup: &Backup) -> Result<()> {
        let data = self.data_of_stopped_broker()?;
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        copy(backup.folder.path(), &data)
    }

    fn data_of_stopped_broker(&mut self) -> Result<PathBuf> {
        for part in [Part::Up, Part::Broker] {
            if let Some(process) = self.processes.get_mut(&part) {
                ensure!(process.status()?.is_some(), "{part:?} runs");
            }
        }
        Ok(self.data_dir.join("broker"))
    }
}

/// Copies files and folders in `from` into `to`, which is made if it is missing.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
