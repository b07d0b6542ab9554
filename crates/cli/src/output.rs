//! What is printed: results to standard output, the rest to standard error.

use std::env;
use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;
use crate::text::{cut, harmless, harmless_json};

/// Narrower, and nothing of a message is left beside its sender and time.
const LEAST_COLUMNS: usize = 20;

/// Prints results. Texts of others are made harmless on the way.
pub(crate) struct Output {
    columns: Option<usize>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { columns: columns() }
    }

    /// A line for people, cut to the width of the terminal.
    pub(crate) fn line(&self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(io::stdout().lock(), "{}", cut(&harmless(line), self.columns))?)
    }

    /// A line that nothing may be missing of.
    pub(crate) fn whole_line(&self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(io::stdout().lock(), "{}", harmless(line))?)
    }

    /// A JSON document as it came.
    pub(crate) fn json(&self, document: &[u8]) -> Result<(), Failure> {
        let document = String::from_utf8_lossy(document);
        let document = document.trim_end();
        if document.is_empty() {
            return Ok(());
        }
        Ok(writeln!(io::stdout().lock(), "{}", harmless_json(document))?)
    }
}

/// Says something to whoever watches; where nobody does, nothing is lost.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(line));
}

/// The width to cut lines to: that of the terminal, or `COLUMNS`; none where the output goes
/// elsewhere.
fn columns() -> Option<usize> {
    let given = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal = || {
        let is_terminal = io::stdout().is_terminal();
        is_terminal.then(|| usize::from(console::Term::stdout().size().1))
    };
    given.or_else(of_terminal).map(|columns| columns.max(LEAST_COLUMNS))
}
