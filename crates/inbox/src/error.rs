//! Errors.

use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;

use models::{Offset, Partition};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// Another process holds the store, or a reader of this one was not dropped.
    #[error("the store in {} is in use by another process", path.display())]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// The folder could not be read or written.
    #[error("the store in {} cannot be opened", path.display())]
    Open {
        /// The store's folder.
        path: PathBuf,
        /// What the disk said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What lies in the folder is no store, one of another format, or damaged. Deleting the folder
    /// loses nothing: it grows back from the log.
    #[error("what lies in {} is no store that can be read; it may be deleted", path.display())]
    Damaged {
        /// The store's folder.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The partition already has a writer in this process.
    #[error("partition {partition} is open already")]
    AlreadyOpen {
        /// The partition.
        partition: Partition,
    },
    /// The handle is older than what it stood for: the partition was opened anew, or a reset did
    /// not end well or is under way. Take a new handle, or try again.
    #[error("partition {partition} is not open by this handle")]
    NotOpen {
        /// The partition.
        partition: Partition,
    },
    /// The records and unreadable ranges are not in ascending order below the `next_offset` given
    /// with them. Nothing was applied.
    #[error("partition {partition}: what was read at offset {offset} is out of order")]
    OutOfOrder {
        /// The partition.
        partition: Partition,
        /// The first that is out of order.
        offset: Offset,
    },
    /// Something was applied already, with all its effects.
    #[error("partition {partition} is folded up to {next_offset}: too late to leave out effects")]
    AlreadyApplied {
        /// The partition.
        partition: Partition,
        /// The first offset not yet applied.
        next_offset: Offset,
    },
    /// A row that this fold version cannot have written.
    #[error("partition {partition}: unreadable row in {keyspace}")]
    UnreadableRow {
        /// The partition.
        partition: Partition,
        /// Where the row is.
        keyspace: &'static str,
    },
    /// The database failed. After a failed write it takes no more of them: the process has to
    /// open it again.
    #[error("partition {partition}: the store failed to {action}")]
    Failed {
        /// The partition.
        partition: Partition,
        /// What it was doing.
        action: &'static str,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The journal could not be synced. The database takes no more writes.
    #[error("the store's journal could not be synced")]
    Persist {
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl InboxError {
    pub(crate) fn failed<E: Error + Send + Sync + 'static>(
        partition: Partition,
        action: &'static str,
    ) -> impl Fn(E) -> Self {
        move |source| Self::Failed { partition, action, source: source.into() }
    }

    pub(crate) fn of_open(path: PathBuf, error: fjall::Error) -> Self {
        if matches!(error, fjall::Error::Locked) {
            return Self::InUse { path };
        }
        match io_kind(&error) {
            Some(kind) if !tells_of_damage(kind) => Self::Open { path, source: error.into() },
            _ => Self::Damaged { path, source: error.into() },
        }
    }
}

fn io_kind(error: &fjall::Error) -> Option<ErrorKind> {
    if let fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) = error {
        return Some(error.kind());
    }
    None
}

/// Whether the disk works, but a file of the store is missing, cut short, or not what it should be.
fn tells_of_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
}
