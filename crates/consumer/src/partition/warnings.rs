//! Telling of records that are in no inbox here.

use std::collections::BTreeMap;
use std::time::Duration;

use inbox::Applied;
use tokio::time::Instant;

/// What was not told yet. A client that uses another partitioner writes such a record with every
/// message, and a line for each would bury all other lines.
#[derive(Default)]
pub(super) struct Warnings {
    untold: BTreeMap<&'static str, u64>,
    told_at: Option<Instant>,
}

/// Time between two lines of a kind. Longer, and a mistake is noticed late; shorter, and the log is
/// full of it.
const PERIOD: Duration = Duration::from_secs(10);

const MISPLACED: &str = "misplaced";

impl Warnings {
    /// Tells of what a batch came to, or keeps it for the next time.
    pub(super) fn of(&mut self, applied: &Applied) {
        let dead = applied.dead.iter().map(|(reason, dead)| (*reason, dead.count));
        for (reason, count) in dead.chain([(MISPLACED, applied.relayed)]) {
            if count > 0 {
                *self.untold.entry(reason).or_default() += count as u64;
            }
        }
        if self.untold.is_empty() || self.told_at.is_some_and(|at| at.elapsed() < PERIOD) {
            return;
        }
        self.told_at = Some(Instant::now());
        let next_offset = applied.next_offset.0;
        for (reason, records) in std::mem::take(&mut self.untold) {
            if reason == MISPLACED {
                tracing::warn!(
                    records,
                    next_offset,
                    "records in a partition that is not their recipient's: they go to theirs, if they did not before; whoever wrote them uses another partitioner"
                );
            } else {
                tracing::warn!(
                    records,
                    next_offset,
                    reason,
                    "records in no inbox: they are dead letters"
                );
            }
        }
    }
}
