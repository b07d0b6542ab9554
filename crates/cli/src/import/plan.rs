//! What an import is going to do: with which keys, and from where on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::ImportCommand;
use super::failures::Failures;
use super::progress::Hashing;
use super::source;
use super::state::{State, StateFile};
use crate::failure::Failure;
use crate::output::note;

/// What to send from where on.
pub(super) struct Plan {
    /// None is standard input.
    pub(super) path: Option<PathBuf>,
    pub(super) bytes: Option<u64>,
    pub(super) state: State,
    /// Where the state is kept; nowhere for standard input.
    pub(super) kept: Option<StateFile>,
    pub(super) failures: Failures,
}

impl Plan {
    pub(super) fn make(command: &ImportCommand) -> Result<Self, Failure> {
        if command.file.as_os_str() == "-" {
            return Ok(Self::of_input(command));
        }
        let unreadable = |error: io::Error| {
            let file = command.file.display();
            if error.kind() == io::ErrorKind::NotFound {
                return Failure::bad_input(format!("there is no file {file}"));
            }
            Failure::bad_input(format!("{file}: {error}"))
        };
        let path = fs::canonicalize(&command.file).map_err(unreadable)?;
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        if !metadata.is_file() {
            let file = command.file.display();
            return Err(Failure::bad_input(format!(
                "{file} is no file that can be read twice; to send what comes from it, give it on \
                 standard input: import - < {file}"
            )));
        }
        let hashing = Hashing::new(metadata.len());
        let content = source::content(&path, |bytes| hashing.seen(bytes)).map_err(unreadable)?;
        hashing.end();
        let kept = service::state_folder()
            .map(|folder| StateFile::new(&folder, &path, &command.at.producer.to_string()));
        if kept.is_none() {
            note("there is no folder to keep in how far it came (HOME is not set)");
        }
        let state = begin(command, kept.as_ref(), &path, content)?;
        let failures = failures_beside(command, &path, state.lines > 0)?;
        Ok(Self { path: Some(path), bytes: Some(metadata.len()), state, kept, failures })
    }

    fn of_input(command: &ImportCommand) -> Self {
        let prefix = command.key_prefix.clone().unwrap_or_else(|| {
            note(
                "standard input has no name: importing the same lines again would send them again, \
                 unless you name the import with --key-prefix",
            );
            format!("import:{}", Uuid::new_v4())
        });
        let nowhere = StateFile::new(Path::new(""), Path::new("-"), "");
        let state = nowhere.fresh(String::new(), prefix);
        let failures = match &command.failures {
            Some(path) => Failures::to_file(path.clone(), false),
            None => Failures::to_standard_error(),
        };
        Self { path: None, bytes: None, state, kept: None, failures }
    }
}

/// Decides where to begin.
fn begin(
    command: &ImportCommand,
    kept: Option<&StateFile>,
    path: &Path,
    content: String,
) -> Result<State, Failure> {
    let given = command.key_prefix.clone();
    let prefix = given.unwrap_or_else(|| format!("import:{content}"));
    let fresh = |content| match kept {
        Some(kept) => kept.fresh(content, prefix.clone()),
        None => StateFile::new(Path::new(""), path, "").fresh(content, prefix.clone()),
    };
    let earlier = kept.and_then(StateFile::load).filter(|_| !command.restart);
    let Some(earlier) = earlier else { return Ok(fresh(content)) };
    let is_same_content = earlier.content == content;
    if is_same_content && earlier.key_prefix == prefix && !earlier.is_finished {
        note(&format!("going on behind line {}", earlier.lines));
        return Ok(earlier);
    }
    if is_same_content || command.key_prefix.is_some() {
        // From the beginning: the keys keep what was sent from being sent twice.
        return Ok(fresh(content));
    }
    let file = command.file.display();
    let failure = Failure::bad_input(format!(
        "{file} is not what it was when {} of its lines were sent: as another file, all of it would \
         be sent, also what was sent before",
        earlier.sent
    ));
    Err(failure.advise(format!(
        "to go on with it, and send nothing twice, add: --key-prefix {}\n\
         to send all of it as another file, add: --restart",
        earlier.key_prefix
    )))
}

fn failures_beside(
    command: &ImportCommand,
    path: &Path,
    goes_on: bool,
) -> Result<Failures, Failure> {
    if let Some(given) = &command.failures {
        return Ok(Failures::to_file(given.clone(), goes_on));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{}.failed.ndjson", name.strip_suffix(".ndjson").unwrap_or(&name));
    let beside = path.with_file_name(name);
    if !goes_on && beside.exists() {
        // Somebody may have mended the lines in there, to import it next.
        let old = beside.with_extension("ndjson.old");
        fs::rename(&beside, &old).map_err(|error| {
            Failure::failed(format!("cannot rename {}: {error}", beside.display()))
        })?;
        note(&format!("the failures of an earlier import are now in {}", old.display()));
    }
    Ok(Failures::to_file(beside, goes_on))
}
