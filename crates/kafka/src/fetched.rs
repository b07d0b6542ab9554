//! What a fetch brings.

use models::{Offset, Record, UnreadableRange};

/// What a fetch brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Records with their offsets, ascending; none where nothing came in time. Records of
    /// transactions that were aborted are among them.
    pub records: Vec<(Offset, Record)>,
    /// What lies between them, arrived as it was written, and cannot be read: passed over.
    pub unreadable: Vec<UnreadableRange>,
    /// Where to fetch next.
    pub next_offset: Offset,
    /// The end of what is committed: having read up to here is having read all there was.
    pub high_watermark: Offset,
}

impl Fetched {
    /// Whether everything there was has been read.
    pub fn is_end(&self) -> bool {
        self.next_offset >= self.high_watermark
    }
}
