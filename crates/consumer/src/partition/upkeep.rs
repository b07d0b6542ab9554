//! SEAM: what the inbox will offer. Replaced by its own methods.

use inbox::{InboxError, PartitionInbox, PartitionReader};
use models::{NotificationId, Offset, Timestamp, UserId};

pub(super) struct Due {
    pub(super) user_id: UserId,
    pub(super) id: NotificationId,
    pub(super) offset: Offset,
}

pub(super) trait Upkeep {
    fn retain(&mut self, first_offset: Offset) -> Result<(), InboxError>;
    fn sweep(&mut self, max_rows: usize) -> Result<bool, InboxError>;
}

impl Upkeep for PartitionInbox {
    fn retain(&mut self, _first_offset: Offset) -> Result<(), InboxError> {
        Ok(())
    }

    fn sweep(&mut self, _max_rows: usize) -> Result<bool, InboxError> {
        Ok(false)
    }
}

pub(super) trait DueReader {
    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, InboxError>;
}

impl DueReader for PartitionReader {
    fn due(&self, _now: Timestamp, _limit: usize) -> Result<Vec<Due>, InboxError> {
        Ok(Vec::new())
    }
}
