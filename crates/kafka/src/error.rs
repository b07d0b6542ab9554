//! What can go wrong between this process and a broker.

use std::time::Duration;

use kafka_protocol::ResponseError;

/// A call that failed. It says what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer in time. Whether the broker acted is unknown.
    #[error("no answer to {call} within {after:?}")]
    Timeout {
        /// What was asked.
        call: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection could not be opened, or broke.
    #[error("connection to {address}: {source}")]
    Connection {
        /// `host:port`.
        address: String,
        /// The cause.
        source: std::io::Error,
    },
    /// None of the configured brokers could be reached; the last one's error.
    #[error("none of the brokers {brokers} answers: {source}")]
    Unreachable {
        /// The configured addresses.
        brokers: String,
        /// Why the last one failed.
        source: Box<Error>,
    },
    /// The answer cannot be read, or breaks the protocol.
    #[error("unreadable answer to {call}: {reason}")]
    Malformed {
        /// What was asked.
        call: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The broker speaks no version of the request that this program speaks.
    #[error("the broker has no version of {call} between {min} and {max}")]
    Version {
        /// What was to be asked.
        call: String,
        /// Lowest version spoken here.
        min: i16,
        /// Highest version spoken here.
        max: i16,
    },
    /// The broker answered with an error code.
    #[error("the broker answered {code} to {call}{}", message.as_ref().map(|m| format!(": {m}")).unwrap_or_default())]
    Answer {
        /// What was asked.
        call: String,
        /// The protocol's code.
        code: ResponseError,
        /// The broker's words, if it had any.
        message: Option<String>,
    },
    /// The client library failed.
    #[error("{call}: {source}")]
    Client {
        /// What was asked.
        call: String,
        /// The library's error.
        source: Box<rskafka::client::error::Error>,
    },
}

impl Error {
    /// Whether the topic is not the one that was meant: another one has its name by now.
    pub fn is_other_topic(&self) -> bool {
        matches!(self, Self::Answer { code: ResponseError::InconsistentTopicId, .. })
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retriable(&self) -> bool {
        match self {
            // A cluster that is starting counts none of its brokers yet.
            Self::Answer { code: ResponseError::InvalidReplicationFactor, .. } => true,
            Self::Answer { code, .. } => code.is_retriable(),
            Self::Unreachable { source, .. } => source.is_retriable(),
            Self::Version { .. } => false,
            Self::Timeout { .. }
            | Self::Connection { .. }
            | Self::Malformed { .. }
            | Self::Client { .. } => true,
        }
    }
}
