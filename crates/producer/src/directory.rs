//! The users directory: the compacted users topic, in memory.

mod confirm;
mod created;
mod follow;
mod known;

use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use confirm::Confirmation;
use created::Created;
use kafka::End;
use known::Known;
use models::{Offset, User, UserId};
use tokio::sync::watch;
use tokio::time::Instant;

/// Which users there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Users {
    /// Those of the users topic.
    #[default]
    Directory,
    /// Whoever has a valid id; a user that the users topic does not name has its id as name.
    Open,
}

/// Who exists, as far as the users topic was read.
///
/// A million users of 40 bytes take some 100 MB, mostly what their ids and names are.
pub(crate) struct Directory {
    names: RwLock<Known>,
    created: Mutex<Created>,
    progress: watch::Sender<Progress>,
    confirmation: Confirmation,
    users: Users,
}

/// How far the users topic was read.
#[derive(Clone, Copy, Debug)]
struct Progress {
    state: State,
    /// The first offset not yet applied.
    next_offset: Offset,
    /// When a fetch last reached the end.
    fresh_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has not been read to its end: who is found may have been removed, who is not may exist.
    Restoring,
    /// The last fetch reached the end.
    Live,
    /// It was live; the log cannot be read at the moment.
    Stale,
}

/// The directory is not up to date, and did not become so in time.
#[derive(Debug, thiserror::Error)]
#[error("the users directory is not up to date, because Kafka cannot be read; try again")]
pub(crate) struct Behind;

/// The users known now, held still.
pub(crate) struct Names<'a> {
    names: RwLockReadGuard<'a, Known>,
    users: Users,
}

impl Names<'_> {
    /// The user with this id.
    pub(crate) fn user(&self, id: &UserId) -> Option<User> {
        let name = match (self.names.name(id), self.users) {
            (Some(name), _) => name,
            (None, Users::Open) => id.as_str().into(),
            (None, Users::Directory) => return None,
        };
        Some(User { id: id.clone(), name })
    }
}

impl Directory {
    /// Nothing was read yet. `end` tells where the users topic ends.
    pub(crate) fn new(users: Users, end: End) -> Self {
        let progress =
            Progress { state: State::Restoring, next_offset: Offset(0), fresh_at: Instant::now() };
        Self {
            names: RwLock::default(),
            created: Mutex::default(),
            progress: watch::Sender::new(progress),
            confirmation: Confirmation::new(end),
            users,
        }
    }

    /// Looks things up: `find` gives back what it cannot find, with the id that is missing. That is
    /// looked for again once the directory has all that the users topic had when it was asked for.
    ///
    /// # Errors
    /// For each of what was asked: see [`NotFound`].
    pub(crate) async fn look_up<T, U>(
        &self,
        asked: Vec<T>,
        deadline: Instant,
        find: impl Fn(&Names<'_>, T) -> Result<U, Missing<T>>,
    ) -> Vec<Result<U, NotFound>> {
        let mut found = Vec::with_capacity(asked.len());
        let mut missing = Vec::new();
        if self.progress.borrow().state == State::Restoring {
            missing.extend(asked.into_iter().enumerate());
            found.resize_with(missing.len(), || Err(NotFound::Unknown));
        } else {
            let names = self.names();
            for (index, asked) in asked.into_iter().enumerate() {
                found.push(find(&names, asked).map_err(|it| {
                    missing.push((index, *it.asked));
                    NotFound::Unknown
                }));
            }
        }
        if missing.is_empty() || self.catch_up(deadline).await.is_err() {
            return found;
        }
        let names = self.names();
        for (index, asked) in missing {
            let again = find(&names, asked).map_err(|it| NotFound::Absent(it.id));
            if let Some(place) = found.get_mut(index) {
                *place = again;
            }
        }
        found
    }

    /// Up to `limit` users in the order of their ids, from behind `after` on, and whether there are
    /// more.
    pub(crate) fn page(&self, after: Option<&UserId>, limit: usize) -> (Vec<User>, bool) {
        let names = self.names();
        let mut rest = names.names.from(after);
        let users = rest.by_ref().take(limit).collect();
        (users, rest.next().is_some())
    }

    /// Waits until the directory has been read to its end once.
    ///
    /// # Errors
    /// It was not before the deadline.
    pub(crate) async fn restored(&self, deadline: Instant) -> Result<(), Behind> {
        self.until(deadline, |progress| progress.state != State::Restoring).await
    }

    /// Waits until it has applied this record, and tells whether that made a user who was not there.
    ///
    /// # Errors
    /// It had not before the deadline.
    pub(crate) async fn applied(&self, offset: Offset, deadline: Instant) -> Result<bool, Behind> {
        self.until(deadline, |progress| progress.next_offset > offset).await?;
        Ok(self.created.lock().unwrap_or_else(PoisonError::into_inner).has(offset))
    }

    /// How old what it says may be; none where it follows the users topic.
    pub(crate) fn staleness(&self) -> Option<Duration> {
        let Progress { state, fresh_at, .. } = *self.progress.borrow();
        (state != State::Live).then(|| fresh_at.elapsed())
    }

    /// Waits until it has applied all that the users topic has now.
    async fn catch_up(&self, deadline: Instant) -> Result<(), Behind> {
        let asking = self.confirmation.end_from(Instant::now());
        let end = tokio::time::timeout_at(deadline, asking).await.map_err(|_| Behind)??;
        self.until(deadline, |progress| progress.next_offset >= end).await
    }

    async fn until(
        &self,
        deadline: Instant,
        is_so: impl FnMut(&Progress) -> bool,
    ) -> Result<(), Behind> {
        let mut progress = self.progress.subscribe();
        // The sender is ours, so the wait only ends with the value.
        match tokio::time::timeout_at(deadline, progress.wait_for(is_so)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Behind),
        }
    }

    fn names(&self) -> Names<'_> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        Names { names, users: self.users }
    }
}

/// Whom a look-up did not find, and what was asked.
pub(crate) struct Missing<T> {
    id: UserId,
    asked: Box<T>,
}

impl<T> Missing<T> {
    pub(crate) fn new(id: UserId, asked: T) -> Self {
        Self { id, asked: Box::new(asked) }
    }
}

/// Why somebody was not found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// There is no such user.
    Absent(UserId),
    /// The user may exist: the directory did not become up to date in time.
    Unknown,
}
