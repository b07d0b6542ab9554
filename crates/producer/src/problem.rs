//! What clients of v1 are told where something was not done.

use std::time::Duration;

use kafka::ProduceError;
use service::{Code, Problem};

use crate::publisher::SendError;

/// When trying again makes sense.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The log cannot be written, or its end not be asked for: later, perhaps.
pub(crate) fn unavailable(detail: impl Into<String>) -> Problem {
    Problem::new(Code::BrokerUnavailable, detail).retry_after(RETRY_AFTER)
}

/// Kafka was not reached yet, or its topics are others now.
pub(crate) fn connecting() -> Problem {
    unavailable("Kafka has not been reached yet; try again")
}

/// The key belongs to another request.
pub(crate) fn key_reused() -> Problem {
    let detail = "this sender has used the Idempotency-Key for another request: \
                  a retry repeats the body, and another request has another key";
    Problem::new(Code::IdempotencyKeyReused, detail)
}

/// The request that had the key first did not end in time.
pub(crate) fn key_in_hand() -> Problem {
    unavailable(
        "another request with this Idempotency-Key is still in hand, its outcome is unknown; \
         a retry with the same key is safe",
    )
}

/// Why a record was not written.
pub(crate) fn explain(error: &ProduceError) -> Problem {
    match error {
        ProduceError::TooLarge { .. } => Problem::new(Code::TooLarge, error.to_string()),
        ProduceError::Refused(code) if code.is_too_large() => {
            Problem::new(Code::TooLarge, error.to_string())
        }
        ProduceError::DeadlinePassed { may_be_written: true } => unavailable(format!(
            "{error}: whether it was written is unknown; \
             a retry with the same Idempotency-Key is safe"
        )),
        ProduceError::Busy
        | ProduceError::DeadlinePassed { .. }
        | ProduceError::Refused(_)
        | ProduceError::OtherTopic
        | ProduceError::Stopped
        | _ => unavailable(format!("{error}; nothing was written, try again")),
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        match &error {
            SendError::UserNotFound(id) => {
                Self::new(Code::UserNotFound, format!("there is no user with the id {id}"))
            }
            SendError::Produce(error) => explain(error),
            SendError::DirectoryBehind(_)
            | SendError::Change(_)
            | SendError::EndUnknown
            | SendError::NotReadBack => unavailable(error.to_string()),
            SendError::Encode(error) => {
                // It names no text: texts are always written.
                tracing::error!(%error, "a record cannot be written as JSON");
                Self::new(Code::Internal, "an internal error; the log has its cause")
            }
        }
    }
}
