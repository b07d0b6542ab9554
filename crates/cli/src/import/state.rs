//! How far an import came, kept for its next run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::source::Place;

/// How far it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// For people who find it.
    file: String,
    producer: String,
    /// What the file contained.
    pub(super) content: String,
    pub(super) key_prefix: String,
    /// All lines before have a result.
    pub(super) lines: u64,
    pub(super) offset: u64,
    /// How many of them were sent.
    pub(super) sent: u64,
    /// How many of them failed.
    pub(super) failed: u64,
    /// It came to the end, and some lines failed.
    pub(super) is_finished: bool,
}

const VERSION: u32 = 1;

/// Where the state of one file's import to one producer is kept.
#[derive(Clone, Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    file: String,
    producer: String,
}

impl State {
    pub(super) fn place(&self) -> Place {
        Place { lines: self.lines, offset: self.offset }
    }
}

impl StateFile {
    /// In this folder, for this file: what was sent to one installation is not sent to another.
    pub(super) fn new(folder: &Path, file: &Path, producer: &str) -> Self {
        let file = file.to_string_lossy().into_owned();
        let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{producer}\n{file}").as_bytes());
        let path = folder.join("import").join(format!("{name}.json"));
        Self { path, file, producer: producer.to_owned() }
    }

    /// A state that can be used; one that cannot be read is none: the keys are what counts.
    pub(super) fn load(&self) -> Option<State> {
        let state: State = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        (state.version == VERSION).then_some(state)
    }

    /// A state at the beginning.
    pub(super) fn fresh(&self, content: String, key_prefix: String) -> State {
        State {
            version: VERSION,
            file: self.file.clone(),
            producer: self.producer.clone(),
            content,
            key_prefix,
            lines: 0,
            offset: 0,
            sent: 0,
            failed: 0,
            is_finished: false,
        }
    }

    /// Written beside and then moved: a crash leaves the old one or the new one.
    pub(super) fn save(&self, state: &State) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = self.path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(state)?)?;
        fs::rename(&beside, &self.path)
    }

    /// Nothing is left to go on with.
    pub(super) fn remove(&self) {
        // One that stays makes the next run look once more, and nothing else.
        let _ = fs::remove_file(&self.path);
    }
}
