//! Why a batch yields no records.

/// A batch that is whole, and cannot be read all the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Its records would take more memory than there is room for.
    TooLarge,
    /// It is not what its header says.
    Damaged(String),
}

/// A batch that is not what its header says.
pub(crate) fn damaged(reason: impl Into<String>) -> Unread {
    Unread::Damaged(reason.into())
}
