//! Why a record says nothing.

/// Why a record says nothing that can be folded into an inbox. The texts hold no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecodable {
    /// Without a key a record is in nobody's inbox.
    #[error("the record has no key")]
    NoKey,
    /// The key is no user id.
    #[error("the record's key is no user id")]
    KeyIsNoUserId,
    /// A tombstone says nothing in a topic that is not compacted.
    #[error("the record has no value")]
    NoValue,
    /// The value is not the JSON of a notification; line and column where reading stopped.
    #[error("the record's value is no notification (line {line}, column {column})")]
    ValueIsNoNotification {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// The value is not the JSON of a command, or contradicts itself.
    #[error("the record's value is no command: {0}")]
    ValueIsNoCommand(&'static str),
    /// Key and value name different recipients.
    #[error("the record's key and its value name different recipients")]
    KeyAndValueDisagree,
    /// A CloudEvent without one of the attributes that name it.
    #[error("the CloudEvent has no usable {0} header")]
    Attribute(&'static str),
    /// A type this program does not know; a later one may.
    #[error("the record's type {0:?} is not known to this version")]
    UnknownType(String),
}

impl Undecodable {
    /// A short name for metrics and headers.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::KeyIsNoUserId => "key_is_no_user_id",
            Self::NoValue => "no_value",
            Self::ValueIsNoNotification { .. } => "value_is_no_notification",
            Self::ValueIsNoCommand(_) => "value_is_no_command",
            Self::KeyAndValueDisagree => "key_and_value_disagree",
            Self::Attribute(_) => "cloudevent_attribute_missing",
            Self::UnknownType(_) => "unknown_type",
        }
    }
}
