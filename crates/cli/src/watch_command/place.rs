//! Where a watch is in the log, also when it is started again.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use models::Position;

use crate::failure::Failure;

/// The position behind what was shown.
pub(super) struct Place {
    position: Option<String>,
    /// Where it is kept.
    file: Option<PathBuf>,
}

impl Place {
    /// Begins at a position, or where the file says; with what is new where there is neither.
    pub(super) fn open(position: Option<String>, file: Option<PathBuf>) -> Result<Self, Failure> {
        let of_file = file.as_deref().map(read).transpose()?.flatten();
        let position = position.or(of_file);
        if let Some(text) = &position
            && text.parse::<Position>().is_err()
        {
            let whose = match &file {
                Some(file) => format!("{} does not hold a position", file.display()),
                None => "--last-event-id is not a position".to_owned(),
            };
            return Err(Failure::bad_input(whose));
        }
        Ok(Self { position, file })
    }

    pub(super) fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// From now on this is it; an empty one says nothing.
    pub(super) fn keep(&mut self, position: &str) -> Result<(), Failure> {
        if position.is_empty() || self.position() == Some(position) {
            return Ok(());
        }
        if let Some(file) = &self.file {
            write(file, position).map_err(|error| failed(file, &error))?;
        }
        self.position = Some(position.to_owned());
        Ok(())
    }
}

fn read(file: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(file, &error)),
    }
}

/// The old one or the new one is there, whenever it is killed.
fn write(file: &Path, position: &str) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut written = fs::File::create(&new)?;
    writeln!(written, "{position}")?;
    fs::rename(&new, file)
}

fn failed(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", file.display()))
}
