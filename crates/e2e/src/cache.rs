//! What is made once and used by every test process.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Makes what a folder holds, unless it is there.
///
/// It is made in a folder beside, which then gets the name: the folder is there complete or not at
/// all, and of several test processes that do this at once the first one wins.
pub(crate) async fn make_once(
    folder: &Path,
    make: impl AsyncFnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().context("the cache folder is no root")?;
    fs::create_dir_all(parent)?;
    let making = tempfile::Builder::new().prefix(".making-").tempdir_in(parent)?;
    make(making.path()).await?;
    match fs::rename(making.path(), folder) {
        Err(_) if folder.is_dir() => Ok(()),
        renamed => renamed.with_context(|| format!("cannot make {}", folder.display())),
    }
}

/// The folder that cargo builds into, which it marks (Cache Directory Tagging Specification).
pub(crate) fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map(Path::to_owned).context("no target folder above this test")
}
