//! What is given to a partition's writer at once, and what became of it.

use std::collections::BTreeMap;

use models::{Offset, Record, UnreadableRange};

use crate::InboxError;
use crate::spaces::Home;

/// What was read of a partition, up to `next_offset`.
#[derive(Clone, Debug)]
pub struct Batch {
    /// In ascending order. Offsets may be missing: the log has gaps.
    pub records: Vec<(Offset, Record)>,
    /// In ascending order, and apart from the records.
    pub unreadable: Vec<UnreadableRange>,
    /// The first offset that was not read.
    pub next_offset: Offset,
}

/// What became of the records given to one [`crate::PartitionInbox::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Notifications that are now in an inbox and were not before.
    pub sent: usize,
    /// Notifications that had expired when they were written: in no inbox.
    pub expired: usize,
    /// Commands that were not applied before, whether or not they changed anything.
    pub commands: usize,
    /// Copies of what was applied before, here or earlier: nothing changed.
    pub duplicates: usize,
    /// Records below the `next_offset` there was: a replay, not looked at.
    pub skipped: usize,
    /// What is in no inbox and goes to the dead-letter topic, by [`models::DeadReason::code`]. Counted
    /// whether its effect was written or lies below
    /// [`crate::PartitionInbox::set_effects_from`].
    pub dead: BTreeMap<&'static str, DeadCount>,
    /// Records that are in no inbox here and go to their home partition; counted as the dead are.
    pub relayed: usize,
    /// The first offset not applied, after this.
    pub next_offset: Offset,
}

/// How often a reason occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadCount {
    /// How often; an unreadable batch counts as one.
    pub count: usize,
    /// Where first.
    pub first: Offset,
}

impl Applied {
    pub(crate) fn nothing(next_offset: Offset) -> Self {
        Self {
            sent: 0,
            expired: 0,
            commands: 0,
            duplicates: 0,
            skipped: 0,
            dead: BTreeMap::new(),
            relayed: 0,
            next_offset,
        }
    }

    /// This and what was applied right before it.
    pub(crate) fn after(mut self, before: Self) -> Self {
        self.sent += before.sent;
        self.expired += before.expired;
        self.commands += before.commands;
        self.duplicates += before.duplicates;
        self.skipped += before.skipped;
        self.relayed += before.relayed;
        for (reason, dead) in before.dead {
            let count = self.dead.get(reason).map_or(0, |later| later.count) + dead.count;
            self.dead.insert(reason, DeadCount { count, first: dead.first });
        }
        self
    }

    pub(crate) fn count_dead(&mut self, reason: &'static str, offset: Offset) {
        let dead = self.dead.entry(reason).or_insert(DeadCount { count: 0, first: offset });
        dead.count += 1;
    }
}

impl Batch {
    /// Checks that records and unreadable ranges are in ascending order below `next_offset`, and
    /// do not overlap.
    pub(crate) fn check_order(&self, home: Home) -> Result<(), InboxError> {
        let mut least = Offset(0);
        let mut check = |first: Offset, last: Offset| {
            if first < least || last < first || last >= self.next_offset {
                return Err(InboxError::OutOfOrder { partition: home.partition, offset: first });
            }
            least = last.next();
            Ok(())
        };
        let mut ranges = self.unreadable.iter().peekable();
        for (offset, _) in &self.records {
            while let Some(range) = ranges.next_if(|range| range.first < *offset) {
                check(range.first, range.last)?;
            }
            check(*offset, *offset)?;
        }
        for range in ranges {
            check(range.first, range.last)?;
        }
        Ok(())
    }
}
