//! Where a process keeps what it must not lose.

use std::env;
use std::path::PathBuf;

/// The folder `kafka-notify` in the user's state folder: `$XDG_STATE_HOME`, by default
/// `~/.local/state` (XDG Base Directory Specification 0.8). None where neither is known.
pub fn state_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("kafka-notify"))
}
