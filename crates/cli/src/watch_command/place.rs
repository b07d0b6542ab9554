//! Where a watch is in the log, also when it is started again.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use models::{Position, UserId};

use crate::failure::Failure;

/// The position behind what was shown.
#[derive(Default)]
pub(super) struct Place {
    position: Option<String>,
    file: Option<PlaceFile>,
}

/// Where it is kept: a line with the user and the position, which is one of this user's.
struct PlaceFile {
    path: PathBuf,
    user_id: UserId,
}

impl Place {
    /// Begins behind a position.
    pub(super) fn at(position: &str) -> Result<Self, Failure> {
        if !is_position(position) {
            return Err(Failure::bad_input("--last-event-id is not a position"));
        }
        Ok(Self { position: Some(position.to_owned()), file: None })
    }

    /// Begins where the file says, or with what is new where it says nothing.
    pub(super) fn of_file(path: &Path, user_id: &UserId) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(path, &error)),
        };
        let shown = path.display();
        let position = match text.trim().split_once(' ') {
            None if text.trim().is_empty() => None,
            Some((user, position)) if is_position(position) => {
                if user != user_id.as_str() {
                    let whose = format!("{shown} is where a watch of {user} was, not of {user_id}");
                    return Err(Failure::bad_input(whose));
                }
                Some(position.to_owned())
            }
            Some(_) | None => {
                return Err(Failure::bad_input(format!("{shown} does not hold a position")));
            }
        };
        let file = PlaceFile { path: path.to_owned(), user_id: user_id.clone() };
        Ok(Self { position, file: Some(file) })
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
            file.write(position).map_err(|error| failed(&file.path, &error))?;
        }
        self.position = Some(position.to_owned());
        Ok(())
    }
}

impl PlaceFile {
    /// The old one or the new one is there, whenever it is killed.
    fn write(&self, position: &str) -> io::Result<()> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let mut written = fs::File::create(&new)?;
        writeln!(written, "{} {position}", self.user_id)?;
        fs::rename(&new, &self.path)
    }
}

fn is_position(text: &str) -> bool {
    text.parse::<Position>().is_ok()
}

fn failed(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", file.display()))
}
