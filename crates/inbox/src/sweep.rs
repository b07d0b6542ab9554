//! Removing what is not shown any more, a bounded number of rows at a time.

use std::ops::Bound;

use fjall::{OwnedWriteBatch, Readable, Slice};
use models::{Offset, UserId};

use crate::InboxError;
use crate::fold::{Ground, batch, trim};
use crate::index_rows as index;
use crate::meta::{META_KEY, Progress};
use crate::rows::{self, HeadRow, KnownId};
use crate::scan::Scan;
use crate::spaces::{HEADS, IDS, INDEX};

/// How far a sweep is. It begins anew with the process, and whenever retention has cut more.
#[derive(Clone, Debug)]
pub(crate) enum Sweep {
    /// Inboxes behind this one have to be looked at.
    Users(Bound<Slice>),
    /// Ids behind this one have to be looked at.
    Ids(Bound<Slice>),
    /// All that was cut is gone.
    Done,
}

impl Default for Sweep {
    fn default() -> Self {
        Self::Users(Bound::Unbounded)
    }
}

/// Heads cost less than entries.
const HEADS_A_ROW: usize = 4;

/// The rows of one step, and where the next one begins; none: there is nothing to do.
pub(crate) fn step(
    ground: &Ground<'_>,
    sweep: &Sweep,
    progress: Progress,
    max_rows: usize,
) -> Result<Option<(OwnedWriteBatch, Sweep)>, InboxError> {
    if let Some(rows) = purge(ground, max_rows)? {
        return Ok(Some((rows, sweep.clone())));
    }
    let log_start = progress.log_start;
    if log_start == Offset(0) {
        return Ok(None);
    }
    match sweep {
        Sweep::Users(after) => {
            trim_users(ground, after, progress, max_rows * HEADS_A_ROW).map(Some)
        }
        Sweep::Ids(after) => forget_ids(ground, after, log_start, max_rows).map(Some),
        Sweep::Done => Ok(None),
    }
}

/// Rows of one inbox below its floor.
fn purge(ground: &Ground<'_>, max_rows: usize) -> Result<Option<OwnedWriteBatch>, InboxError> {
    let partition = ground.home.partition;
    let unreadable = || InboxError::UnreadableRow { partition, keyspace: INDEX };
    let (snapshot, spaces) = (ground.snapshot, ground.spaces);
    let Some(row) = snapshot.range(&spaces.index, index::purge_keys()).next() else {
        return Ok(None);
    };
    let (key, below) =
        row.into_inner().map_err(InboxError::failed(partition, "read what to sweep"))?;
    let user = index::user_of_purge_key(&key).ok_or_else(unreadable)?;
    let below = Offset(i64::from_be_bytes((&*below).try_into().map_err(|_| unreadable())?));
    let scan = Scan { partition, snapshot, spaces, user: &user };
    let mut rows = batch(ground.database, 3 * max_rows);
    let mut removed = 0;
    let mut left_below = None;
    for stored in scan.entries(Offset(0)..below).take(max_rows) {
        let stored = stored?;
        let offset = stored.offset;
        rows.remove(&spaces.entries, rows::entry_key(&user, offset));
        if stored.state.written.is_some() {
            rows.remove(&spaces.entries, rows::state_key(&user, offset));
        }
        if let Some(expires_at) = scan.header(&stored)?.expires_at {
            rows.remove(&spaces.index, index::due_key(expires_at, offset));
        }
        removed += 1;
        left_below = Some(offset);
    }
    match left_below.filter(|_| removed == max_rows) {
        Some(below) => rows.insert(&spaces.index, key, below.0.to_be_bytes()),
        None => rows.remove(&spaces.index, key),
    }
    Ok(Some(rows))
}

/// Inboxes that no record has touched since retention cut them.
fn trim_users(
    ground: &Ground<'_>,
    after: &Bound<Slice>,
    progress: Progress,
    max_heads: usize,
) -> Result<(OwnedWriteBatch, Sweep), InboxError> {
    let partition = ground.home.partition;
    let unreadable = || InboxError::UnreadableRow { partition, keyspace: HEADS };
    let range = (after.clone(), Bound::Unbounded);
    let (mut cut, mut next) = (Vec::new(), Sweep::Ids(Bound::Unbounded));
    let heads = ground.snapshot.range::<Slice, _>(&ground.spaces.heads, range);
    for (row, count) in heads.zip(1..) {
        let (key, row) = row.into_inner().map_err(InboxError::failed(partition, "read a head"))?;
        if *key != META_KEY {
            let head = HeadRow::read(&row).ok_or_else(unreadable)?;
            let user: Option<UserId> =
                std::str::from_utf8(&key).ok().and_then(|id| id.parse().ok());
            if head.floor < progress.log_start {
                cut.push(user.ok_or_else(unreadable)?);
            }
        }
        // A trimmed inbox costs more than a look at its head.
        if count >= max_heads || cut.len() * HEADS_A_ROW >= max_heads {
            next = Sweep::Users(Bound::Excluded(key));
            break;
        }
    }
    let mut rows = batch(ground.database, 8 * cut.len());
    trim(ground, &cut, progress)?.write(ground.spaces, &mut rows);
    Ok((rows, next))
}

/// Ids of what the log does not hold any more. Those of what is only deleted stay: a late copy must
/// not bring it back.
fn forget_ids(
    ground: &Ground<'_>,
    after: &Bound<Slice>,
    log_start: Offset,
    max_rows: usize,
) -> Result<(OwnedWriteBatch, Sweep), InboxError> {
    let partition = ground.home.partition;
    let unreadable = || InboxError::UnreadableRow { partition, keyspace: IDS };
    let range = (after.clone(), Bound::Unbounded);
    let mut rows = batch(ground.database, max_rows);
    let mut next = Sweep::Done;
    let ids = ground.snapshot.range::<Slice, _>(&ground.spaces.ids, range);
    for (row, count) in ids.zip(1..) {
        let (key, row) = row.into_inner().map_err(InboxError::failed(partition, "read an id"))?;
        if KnownId::read(&row).ok_or_else(unreadable)?.offset < log_start {
            rows.remove(&ground.spaces.ids, key.clone());
        }
        if count >= max_rows {
            next = Sweep::Ids(Bound::Excluded(key));
            break;
        }
    }
    Ok((rows, next))
}
