//! What was found, a line each.

use serde::Serialize;

use crate::failure::{Ending, Failure};
use crate::output::Output;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// It does not work, or loses something.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) check: String,
    pub(super) status: Status,
    pub(super) detail: String,
    pub(super) fix: Option<String>,
}

impl Check {
    pub(super) fn ok(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check: check.into(), status: Status::Ok, detail: detail.into(), fix: None }
    }

    pub(super) fn warning(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { status: Status::Warning, ..Self::ok(check, detail) }
    }

    pub(super) fn error(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { status: Status::Error, ..Self::ok(check, detail) }
    }

    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// Prints what is found as it is found.
pub(super) struct Report {
    output: Output,
    is_json: bool,
    errors: usize,
    warnings: usize,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        Self { output: Output::new(), is_json, errors: 0, warnings: 0 }
    }

    pub(super) fn add(&mut self, check: &Check) -> Result<(), Failure> {
        match check.status {
            Status::Ok => {}
            Status::Warning => self.warnings += 1,
            Status::Error => self.errors += 1,
        }
        if self.is_json {
            let line = serde_json::to_vec(check).map_err(Failure::failed)?;
            return self.output.json(&line);
        }
        let status = match check.status {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Error => "error",
        };
        let fix = check.fix.as_ref().map(|fix| format!(". To do: {fix}")).unwrap_or_default();
        self.output.whole_line(&format!("{status:<8} {}: {}{fix}", check.check, check.detail))
    }

    pub(super) fn add_all(&mut self, checks: &[Check]) -> Result<(), Failure> {
        checks.iter().try_for_each(|check| self.add(check))
    }

    /// The sum, and how the command ends.
    pub(super) fn end(&self) -> Result<Ending, Failure> {
        let Self { errors, warnings, .. } = self;
        if !self.is_json {
            self.output.whole_line(&format!("{errors} errors, {warnings} warnings"))?;
        }
        Ok(if *errors == 0 { Ending::Done } else { Ending::FoundErrors })
    }
}
