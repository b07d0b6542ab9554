//! What a produce can be told.

use kafka_protocol::ResponseError;
use models::MAX_RECORD_BYTES;
use rskafka::client::error::{Error as LibraryError, ProtocolError};

use crate::Error;

/// Which queue a record waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Single sends and commands: they go first.
    Single,
    /// Parts of a batch: at most half of the queue.
    Batch,
}

/// Why a record has no offset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// Larger than a record may be; nothing was written.
    #[error("the record has {size_bytes} bytes, more than the {MAX_RECORD_BYTES} that are allowed")]
    TooLarge {
        /// Bytes of key, value and headers.
        size_bytes: usize,
    },
    /// Too much waits for this partition already; nothing was written.
    #[error("too much is waiting to be written")]
    Busy,
    /// The deadline passed.
    #[error("the log did not acknowledge in time")]
    DeadlinePassed {
        /// Whether the record may have been appended all the same, or may yet be.
        may_be_written: bool,
    },
    /// The broker refused the record and would refuse it again; nothing was written.
    #[error("the broker refuses the record: {0}")]
    Refused(ProtocolCode),
    /// The topic was made anew: what this writer writes to is gone, and so is all that it wrote.
    #[error("the topic was made anew")]
    OtherTopic,
    /// The writer is stopping; nothing was written.
    #[error("the writer is stopping")]
    Stopped,
}

/// The protocol's name of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolCode(ResponseError);

impl ProtocolCode {
    /// Whether the record is larger than the broker takes, by a limit of the topic's.
    pub fn is_too_large(self) -> bool {
        matches!(self.0, ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge)
    }
}

impl std::fmt::Display for ProtocolCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Codes of answers that the same request would get again, as the library and as the protocol's
/// messages have them.
const FATAL: [(ProtocolError, ResponseError); 10] = [
    (ProtocolError::MessageTooLarge, ResponseError::MessageTooLarge),
    (ProtocolError::RecordListTooLarge, ResponseError::RecordListTooLarge),
    (ProtocolError::InvalidTopicException, ResponseError::InvalidTopicException),
    (ProtocolError::InvalidRequiredAcks, ResponseError::InvalidRequiredAcks),
    (ProtocolError::TopicAuthorizationFailed, ResponseError::TopicAuthorizationFailed),
    (ProtocolError::ClusterAuthorizationFailed, ResponseError::ClusterAuthorizationFailed),
    (ProtocolError::InvalidTimestamp, ResponseError::InvalidTimestamp),
    (ProtocolError::UnsupportedForMessageFormat, ResponseError::UnsupportedForMessageFormat),
    (ProtocolError::PolicyViolation, ResponseError::PolicyViolation),
    (ProtocolError::InvalidRecord, ResponseError::InvalidRecord),
];

/// The code of an answer that the same request would get again. All else may pass by itself, and
/// deadlines end what does not.
pub(crate) fn fatal(error: &Error) -> Option<ProtocolCode> {
    let is_it = |(library, protocol): &&(ProtocolError, ResponseError)| match error {
        Error::Client { source, .. } => {
            matches!(source.as_ref(), LibraryError::ServerError { protocol_error, .. } if protocol_error == library)
        }
        Error::Answer { code, .. } => code == protocol,
        Error::Timeout { .. }
        | Error::Connection { .. }
        | Error::Unreachable { .. }
        | Error::Malformed { .. }
        | Error::Version { .. } => false,
    };
    FATAL.iter().find(is_it).map(|(_, code)| ProtocolCode(*code))
}
