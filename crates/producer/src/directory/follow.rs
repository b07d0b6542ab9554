//! Reading the users topic.

use std::sync::PoisonError;

use kafka::{Backoff, FetchError, Fetched, Reader, Wait};
use models::{DirectoryChange, Offset, Record};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::created::Created;
use super::{Directory, State};

/// Bytes a fetch of the users topic asks for. Larger, and reading a large directory takes ten times
/// that memory on top; smaller, and it takes more requests.
const FETCH_BYTES: i32 = 1024 * 1024;

/// Changes applied under one lock: those who look up wait no longer than that takes.
const CHANGES_AT_ONCE: usize = 1_000;

impl Directory {
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
                    if self.advance(fetched).await {
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
                    self.progress.send_if_modified(|progress| {
                        let was_live = progress.state == State::Live;
                        if was_live {
                            progress.state = State::Stale;
                        }
                        was_live
                    });
                    changed(Some(&error));
                    stop.run_until_cancelled(backoff.wait()).await;
                }
            }
        }
    }

    fn is_live(&self) -> bool {
        self.progress.borrow().state == State::Live
    }

    /// Applies what was fetched, and tells whether that made the directory up to date.
    async fn advance(&self, fetched: Fetched) -> bool {
        let (next_offset, is_end) = (fetched.next_offset, fetched.is_end());
        self.apply(fetched.records).await;
        let mut became_live = false;
        self.progress.send_modify(|progress| {
            progress.next_offset = next_offset;
            if is_end {
                became_live = progress.state != State::Live;
                progress.state = State::Live;
                progress.fresh_at = Instant::now();
            }
        });
        became_live
    }

    async fn apply(&self, records: Vec<(Offset, Record)>) {
        let mut records = records.into_iter();
        while records.len() > 0 {
            let slice = records.by_ref().take(CHANGES_AT_ONCE);
            let decode = |(offset, record)| Some((offset, DirectoryChange::decode(&record)?));
            let changes: Vec<_> = slice.filter_map(decode).collect();
            self.change(changes);
            // A large directory takes seconds to read: others have work as well.
            tokio::task::yield_now().await;
        }
    }

    fn change(&self, changes: Vec<(Offset, DirectoryChange)>) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        for (offset, change) in changes {
            match change {
                DirectoryChange::Present(user) => {
                    let is_new = names.insert(user);
                    created.note(offset, is_new);
                }
                DirectoryChange::Removed(id) => names.remove(&id),
            }
        }
    }

    /// The topic is another one than was read so far.
    fn start_anew(&self) {
        self.progress.send_modify(|progress| {
            (progress.state, progress.next_offset) = (State::Restoring, Offset(0));
        });
        self.names.write().unwrap_or_else(PoisonError::into_inner).clear();
        *self.created.lock().unwrap_or_else(PoisonError::into_inner) = Created::default();
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
