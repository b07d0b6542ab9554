//! The users directory: the compacted users topic, in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{PoisonError, RwLock};

use kafka::{Backoff, FetchError, Fetched, Reader, Wait};
use models::{DirectoryChange, Offset, User, UserId};
use tokio_util::sync::CancellationToken;

/// Bytes a fetch of the users topic asks for.
const FETCH_BYTES: i32 = 4 * 1024 * 1024;

/// Who exists, as far as the users topic was read.
#[derive(Default)]
pub(crate) struct Directory {
    names: RwLock<HashMap<UserId, Box<str>>>,
    state: AtomicU8,
}

/// The directory has not been read to its end.
const RESTORING: u8 = 0;
/// The last fetch reached the end.
const LIVE: u8 = 1;
/// It was live; the log cannot be read at the moment.
const STALE: u8 = 2;

/// What the directory knows of an id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The user.
    Found(User),
    /// There is no such user.
    Absent,
    /// The user may exist: the directory is not up to date.
    Unknown,
}

impl Directory {
    /// Looks a user up.
    pub(crate) fn look_up(&self, id: &UserId) -> Lookup {
        // The state first: a user added after a live answer is not missed by a later state.
        let is_live = self.is_live();
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        match names.get(id) {
            Some(name) => Lookup::Found(User { id: id.clone(), name: name.as_ref().into() }),
            None if is_live => Lookup::Absent,
            None => Lookup::Unknown,
        }
    }

    /// Reads the users topic from its start and then follows it, until `stop`. `changed` is called
    /// when the directory became up to date, or ceased to be.
    pub(crate) async fn follow(
        &self,
        mut reader: Reader,
        stop: &CancellationToken,
        changed: impl Fn(Option<&FetchError>),
    ) {
        let mut backoff = Backoff::new();
        let mut offset = None;
        let mut is_failing = false;
        while !stop.is_cancelled() {
            let wait = if self.is_live() { Wait::ForRecords } else { Wait::No };
            let fetching = fetch(&mut reader, offset, wait);
            let Some(result) = stop.run_until_cancelled(fetching).await else { return };
            match result {
                Ok(fetched) => {
                    backoff.reset();
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("users are read again");
                    }
                    offset = Some(fetched.next_offset);
                    let is_end = fetched.is_end();
                    self.apply(fetched);
                    if is_end && self.state.swap(LIVE, Ordering::AcqRel) != LIVE {
                        changed(None);
                    }
                }
                Err(error) => {
                    if matches!(error, FetchError::OutOfRange { .. }) {
                        self.start_anew();
                        offset = None;
                    }
                    if !is_failing {
                        tracing::warn!(%error, "users cannot be read, trying again until they can");
                    }
                    is_failing = true;
                    let _ = self.state.compare_exchange(
                        LIVE,
                        STALE,
                        Ordering::AcqRel,
                        Ordering::Acquire,
                    );
                    changed(Some(&error));
                    stop.run_until_cancelled(backoff.wait()).await;
                }
            }
        }
    }

    fn is_live(&self) -> bool {
        self.state.load(Ordering::Acquire) == LIVE
    }

    fn apply(&self, fetched: Fetched) {
        let changes =
            fetched.records.iter().filter_map(|(_, record)| DirectoryChange::decode(record));
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change {
                DirectoryChange::Present(user) => names.insert(user.id, user.name.into()),
                DirectoryChange::Removed(id) => names.remove(&id),
            };
        }
    }

    /// The topic is another one than was read so far.
    fn start_anew(&self) {
        self.state.store(RESTORING, Ordering::Release);
        self.names.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn fetch(
    reader: &mut Reader,
    offset: Option<Offset>,
    wait: Wait,
) -> Result<Fetched, FetchError> {
    let offset = match offset {
        Some(offset) => offset,
        None => reader.bounds().await?.0,
    };
    reader.fetch(offset, FETCH_BYTES, wait).await
}
