//! Notifications whose time has come.

use fjall::Readable;
use models::{NotificationId, Offset, Partition, Timestamp, UserId};

use crate::InboxError;
use crate::index_rows as index;
use crate::scan::Scan;
use crate::shared::View;
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

pub(crate) fn due(
    partition: Partition,
    view: &View,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Due>, InboxError> {
    let mut found = Vec::new();
    let log_start = view.progress.map_or(Offset(0), |progress| progress.log_start);
    let unreadable = || InboxError::UnreadableRow { partition, keyspace: INDEX };
    for row in view.snapshot.range(&view.spaces.index, index::due_keys_to(now)).take(MAX_ROWS) {
        if found.len() == limit {
            break;
        }
        let (key, user) =
            row.into_inner().map_err(InboxError::failed(partition, "read what is due"))?;
        let offset = index::offset_of_due_key(&key).ok_or_else(unreadable)?;
        let user_id: Option<UserId> =
            std::str::from_utf8(&user).ok().and_then(|id| id.parse().ok());
        let user_id = user_id.ok_or_else(unreadable)?;
        let scan =
            Scan { partition, snapshot: &view.snapshot, spaces: &view.spaces, user: &user_id };
        if offset < log_start.max(scan.head()?.floor) {
            continue;
        }
        if let Some(stored) = scan.entry(offset)? {
            let id = scan.header(&stored)?.id;
            found.push(Due { user_id, id, offset });
        }
    }
    Ok(found)
}
