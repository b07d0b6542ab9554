//! Errors of the domain as answers.

use std::error::Error as _;

use kafka::ProduceError;
use service::{Code, Problem};

use super::RETRY_AFTER_WAIT;
use crate::commands::CommandError;
use crate::forward::ForwardError;
use crate::inboxes::ReadError;

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Restoring { .. } => {
                Self::new(Code::Restoring, error.to_string()).retry_after(RETRY_AFTER_WAIT)
            }
            ReadError::Store(_) | ReadError::Thread(_) => {
                let cause = error.source().map(ToString::to_string);
                tracing::error!(%error, cause, "inbox cannot be read");
                Self::new(Code::Internal, "the inbox cannot be read; the log has the cause")
            }
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let detail = error.to_string();
        match error {
            CommandError::Read(error) => error.into(),
            CommandError::NotFound(_) => Self::new(Code::NotificationNotFound, detail),
            CommandError::NotWritten { source: ProduceError::TooLarge { .. }, .. } => {
                Self::new(Code::TooLarge, detail)
            }
            CommandError::NotWritten { source: ProduceError::Refused(_), .. }
            | CommandError::Unsayable(_) => {
                tracing::error!(detail, "a command cannot be written");
                Self::new(Code::Internal, "the command cannot be written; the log has the cause")
            }
            CommandError::Doubtful(_)
            | CommandError::NotWritten { .. }
            | CommandError::NotApplied => {
                Self::new(Code::BrokerUnavailable, detail).retry_after(RETRY_AFTER_WAIT)
            }
        }
    }
}

impl From<ForwardError> for Problem {
    fn from(error: ForwardError) -> Self {
        let code = match &error {
            ForwardError::Busy => Code::TooManyRequests,
            ForwardError::Unreachable(cause) | ForwardError::NoAnswer(cause) => {
                let cause = cause.source().map(ToString::to_string);
                tracing::warn!(%error, cause, "a notification cannot be handed on");
                Code::BrokerUnavailable
            }
            ForwardError::TooLong => {
                tracing::error!(%error, "a notification was handed on");
                Code::BrokerUnavailable
            }
        };
        Self::new(code, error.to_string()).retry_after(RETRY_AFTER_WAIT)
    }
}
