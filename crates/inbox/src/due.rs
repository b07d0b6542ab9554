//! Notifications whose time has come.

use fjall::Readable;
use models::{NotificationId, Offset, Timestamp, UserId};

use crate::InboxError;
use crate::entry_row::EntryHeader;
use crate::index_rows as index;
use crate::overlay::{Overlay, Sight};
use crate::scan::Scan;
use crate::shared::Shared;
use crate::spaces::INDEX;

/// A notification whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Whose inbox it is in.
    pub user_id: UserId,
    /// Its id.
    pub id: NotificationId,
    /// Its place.
    pub offset: Offset,
}

/// Rows that are looked at. What was swept away since leaves rows that lead nowhere, until the sweep
/// comes to them.
const MAX_ROWS: usize = 10_000;

pub(crate) fn due(shared: &Shared, now: Timestamp, limit: usize) -> Result<Vec<Due>, InboxError> {
    let partition = shared.partition;
    let keys = index::due_keys_to(now);
    let (view, pending) = shared.view(|unstored| unstored.index(keys.clone()))?;
    let mut found = Vec::new();
    let log_start = view.progress.map_or(Offset(0), |progress| progress.log_start);
    let unreadable = || InboxError::UnreadableRow { partition, keyspace: INDEX };
    let stored = view.snapshot.range(&view.spaces.index, keys);
    for row in index::with(stored, pending).take(MAX_ROWS) {
        if found.len() == limit {
            break;
        }
        let (key, user) = row.map_err(InboxError::failed(partition, "read what is due"))?;
        let offset = index::offset_of_due_key(&key).ok_or_else(unreadable)?;
        let user_id: Option<UserId> =
            std::str::from_utf8(&user).ok().and_then(|id| id.parse().ok());
        let user_id = user_id.ok_or_else(unreadable)?;
        // As it is by now: what ended meanwhile is not due any more.
        let (view, overlay) = shared.view(|unstored| unstored.overlay(&user_id))?;
        let scan =
            Scan { partition, snapshot: &view.snapshot, spaces: &view.spaces, user: &user_id };
        let overlay = Overlay::or_stored(overlay, scan)?;
        if offset < log_start.max(overlay.head.floor) {
            continue;
        }
        if let Some(stored) = (Sight { scan, overlay: &overlay }).entry(offset)? {
            let EntryHeader { id, expires_at, .. } = scan.header(&stored)?;
            // By now the log may be another one, with something else there.
            if expires_at.is_some_and(|at| at <= now) {
                found.push(Due { user_id, id, offset });
            }
        }
    }
    Ok(found)
}
