//! Why a broker does not start, or does not stop.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program listens there.
    #[error("the address {addr} is in use by another program")]
    AddressInUse {
        /// The address.
        addr: SocketAddr,
    },
    /// The address to listen on is not a `host:port` this machine can use.
    #[error("cannot use the address {addr}")]
    Address {
        /// As configured.
        addr: String,
        /// What the system said.
        source: io::Error,
    },
    /// The address to advertise is not a `host:port`.
    #[error("cannot advertise {addr}: expected host:port")]
    Advertised {
        /// As configured.
        addr: String,
    },
    /// Another broker uses the data folder.
    #[error("the data folder {} is in use by another broker", path.display())]
    DataDirInUse {
        /// The data folder.
        path: PathBuf,
    },
    /// A file holds bytes that a crash cannot explain. It is left as it is.
    #[error("{} is damaged at byte {position}: {reason}", file.display())]
    Damaged {
        /// The file, or the folder that lacks one.
        file: PathBuf,
        /// Where the damage begins.
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote the data folder.
    #[error("{} has format version {found}; this program reads version {known}", file.display())]
    FormatVersion {
        /// The file that says so.
        file: PathBuf,
        /// The version it says.
        found: u32,
        /// The version this program reads.
        known: u32,
    },
    /// The disk or the system failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> StartError {
        move |source| StartError::Io { doing, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(file: &Path, position: u64, reason: impl Into<String>) -> StartError {
        StartError::Damaged { file: file.to_owned(), position, reason: reason.into() }
    }
}

/// What was left when the broker had to stop. Everything acknowledged is on the disk all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The deadline came first.
    #[error("{connections} connections and {partitions} partitions did not finish in time")]
    Unfinished {
        /// Connections that were cut.
        connections: usize,
        /// Partitions whose last write did not return.
        partitions: usize,
    },
}
