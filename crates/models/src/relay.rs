//! Records in a partition that is not their recipient's.

use crate::cloud_event::CloudEvent;
use crate::record::{header, own_attributes};
use crate::{Fnv1a, NotificationId, Place, Record, TYPE_SENT};

impl Record {
    /// What is appended to its home for a record that stands elsewhere. It says the same there:
    /// its id and its time are those it has at its own place, so that relaying it twice shows it
    /// once.
    ///
    /// A CloudEvent is kept as it is. A plain record has its id from its place, and so becomes a
    /// CloudEvent that carries it. After an election that lost records another record may stand at
    /// that place; a fingerprint of the content tells the two apart, so that the second is a conflict
    /// and not taken for a copy of the first.
    #[must_use]
    pub fn relayed(mut self, place: Place) -> Self {
        if !CloudEvent::is_one(&self) {
            let id = NotificationId::of_place(place);
            self = self.with_content_fingerprint();
            for (name, value) in own_attributes(id, TYPE_SENT, self.timestamp).iter() {
                self.headers.set(name, value);
            }
        }
        let from = format!("{}/{}", place.partition, place.offset);
        self.headers.set(header::RELAYED_FROM, from);
        self
    }

    fn with_content_fingerprint(self) -> Self {
        let mut hash = Fnv1a::default();
        hash.add(&self.timestamp.as_ms().to_be_bytes());
        for part in [&self.key, &self.value] {
            hash.add(part.as_deref().unwrap_or_default());
        }
        self.with_fingerprint(&format!("{:016x}", hash.finish()))
    }
}
