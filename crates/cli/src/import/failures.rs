//! Where lines go that were not sent.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::output::note;

/// Lines that failed, each with its number and the reason.
pub(super) struct Failures {
    to: To,
}

enum To {
    StandardError,
    File { path: PathBuf, goes_on: bool, open: Option<BufWriter<File>> },
}

/// A line that failed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failed<'a> {
    pub(super) line: u64,
    pub(super) status: u16,
    pub(super) code: Cow<'a, str>,
    pub(super) detail: Cow<'a, str>,
    /// What was sent, with its key: a file of these can be imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<&'a RawValue>,
    /// The line, where it is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
}

impl Failures {
    /// To a file, which is made with the first of them. One that `goes_on` is added to.
    pub(super) fn to_file(path: PathBuf, goes_on: bool) -> Self {
        Self { to: To::File { path, goes_on, open: None } }
    }

    pub(super) fn to_standard_error() -> Self {
        Self { to: To::StandardError }
    }

    /// The file, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.to {
            To::StandardError => None,
            To::File { path, .. } => Some(path),
        }
    }

    pub(super) fn add(&mut self, failed: &Failed<'_>) -> io::Result<()> {
        let To::File { path, goes_on, open } = &mut self.to else {
            note(&sentence(failed));
            return Ok(());
        };
        let file = match open {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                options.create(true).write(true).append(*goes_on).truncate(!*goes_on);
                open.insert(BufWriter::new(options.open(path)?))
            }
        };
        serde_json::to_writer(&mut *file, failed)?;
        file.write_all(b"\n")
    }

    /// All that was added is in the file, which a state that counts it must come after.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::File { open: Some(file), .. } => file.flush(),
            To::File { .. } | To::StandardError => Ok(()),
        }
    }
}

/// A failure in a sentence.
pub(super) fn sentence(failed: &Failed<'_>) -> String {
    let Failed { line, status, code, detail, .. } = failed;
    format!("line {line}: {detail} (HTTP {status} {code})")
}
