//! Batches that grow while another one is written.

use inbox::Batch;
use kafka::Fetched;
use models::Offset;

use super::room::Taken;

/// What is applied at once, and where the log ended when it was fetched.
pub(super) struct Growing {
    pub(super) batch: Batch,
    pub(super) high_watermark: Option<Offset>,
    /// The room it takes, until it is applied.
    pub(super) taken: Vec<Taken>,
}

impl Growing {
    pub(super) fn empty(next_offset: Offset) -> Self {
        let batch = Batch { records: Vec::new(), unreadable: Vec::new(), next_offset };
        Self { batch, high_watermark: None, taken: Vec::new() }
    }

    pub(super) fn of(fetched: Fetched, taken: Taken) -> Self {
        let mut growing = Self::empty(fetched.next_offset);
        growing.add(fetched, taken);
        growing
    }

    pub(super) fn add(&mut self, fetched: Fetched, taken: Taken) {
        let Fetched { records, unreadable, next_offset, high_watermark } = fetched;
        self.batch.records.extend(records);
        self.batch.unreadable.extend(unreadable);
        self.batch.next_offset = next_offset;
        self.high_watermark = Some(high_watermark);
        self.taken.push(taken);
    }
}
