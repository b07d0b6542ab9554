//! How a client command ends: the exit codes, in one place.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;

use crate::text::harmless;

/// What `--help` says of exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: the server cannot be reached or answers with an error, also after trying again
  2  wrong flags or bad input (HTTP 400, 413, 415, 422)
  3  not found (HTTP 404)
  4  partly done: some recipients or some lines failed";

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    /// Checks that found errors.
    FoundErrors,
    Partly,
}

/// What kind of failure it is; each has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failed,
    BadInput,
    NotFound,
    /// Whoever read the output has gone, as `head` does: nothing is wrong.
    NobodyReads,
}

/// Why a command did not do what it was told.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    reason: String,
    advice: Option<String>,
}

impl Failure {
    /// It failed, whoever is to blame.
    pub(crate) fn failed(reason: impl Display) -> Self {
        Self { kind: Kind::Failed, reason: reason.to_string(), advice: None }
    }

    /// What was asked for makes no sense.
    pub(crate) fn bad_input(reason: impl Display) -> Self {
        Self { kind: Kind::BadInput, reason: reason.to_string(), advice: None }
    }

    /// What was asked for is not there.
    pub(crate) fn not_found(reason: impl Display) -> Self {
        Self { kind: Kind::NotFound, reason: reason.to_string(), advice: None }
    }

    /// The server answered with this status.
    pub(crate) fn answered(status: u16, reason: impl Display) -> Self {
        match status {
            400 | 413 | 415 | 422 => Self::bad_input(reason),
            404 => Self::not_found(reason),
            _ => Self::failed(reason),
        }
    }

    /// With what can be done about it.
    pub(crate) fn advise(self, advice: impl Display) -> Self {
        Self { advice: Some(advice.to_string()), ..self }
    }

    /// Whether trying the same again later makes sense.
    pub(crate) fn is_failed(&self) -> bool {
        self.kind == Kind::Failed
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Writing to standard output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let is_gone = error.kind() == io::ErrorKind::BrokenPipe;
        let kind = if is_gone { Kind::NobodyReads } else { Kind::Failed };
        Self { kind, reason: format!("standard output: {error}"), advice: None }
    }
}

/// Says why a command failed, and turns its ending into an exit code.
pub(crate) fn finish(result: Result<Ending, Failure>) -> ExitCode {
    let code = match &result {
        Ok(Ending::Done) => 0,
        Ok(Ending::FoundErrors) => 1,
        Ok(Ending::Partly) => 4,
        Err(failure) => match failure.kind {
            Kind::NobodyReads => 0,
            Kind::Failed => 1,
            Kind::BadInput => 2,
            Kind::NotFound => 3,
        },
    };
    if let Err(Failure { kind, reason, advice }) = result
        && kind != Kind::NobodyReads
    {
        let mut err = io::stderr().lock();
        // Where nobody listens, the exit code still tells.
        let _ = writeln!(err, "error: {}", harmless(&reason));
        for advice in advice.iter().flat_map(|advice| advice.lines()) {
            let _ = writeln!(err, "  {}", harmless(advice));
        }
    }
    ExitCode::from(code)
}
