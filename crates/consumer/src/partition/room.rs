//! Memory for what was fetched and is not applied yet, of all partitions together.

use std::sync::Arc;

use kafka::Fetched;
use models::Record;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for what was fetched and is not applied yet: while many partitions catch up, some wait with
/// fetching until others have applied what they hold.
#[derive(Clone)]
pub(crate) struct Room {
    kib: Arc<Semaphore>,
    all_kib: u32,
}

/// Room that is taken, until it is dropped.
#[derive(Default)]
pub(super) struct Taken(Option<OwnedSemaphorePermit>);

/// What a record takes in memory beyond its bytes.
const RECORD_BYTES: usize = 200;

/// What takes less needs no room: at the end of the log each partition holds a few records, and none
/// of them waits for another partition that catches up.
const SMALL_BYTES: usize = 64 * 1024;

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        let all_kib = kib(bytes).max(1);
        Self { kib: Arc::new(Semaphore::new(all_kib as usize)), all_kib }
    }

    /// Waits for room for a fetch that may bring so many bytes from the log.
    ///
    /// # Cancel safety
    /// Nothing is taken.
    pub(super) async fn for_fetch(&self, bytes: usize) -> Taken {
        // Records of two hundred bytes take twice as much in memory.
        self.take(kib(bytes.saturating_mul(2))).await
    }

    /// Exchanges what was taken before for what was fetched.
    pub(super) async fn for_fetched(&self, taken: Taken, fetched: &Fetched) -> Taken {
        let bytes = in_memory(fetched);
        if bytes < SMALL_BYTES {
            return Taken::default();
        }
        let needed = kib(bytes).min(self.all_kib);
        match taken.0 {
            None => self.take(needed).await,
            Some(mut taken) => {
                let surplus = taken.num_permits().saturating_sub(needed as usize);
                drop(taken.split(surplus));
                Taken(Some(taken))
            }
        }
    }

    async fn take(&self, kib: u32) -> Taken {
        let kib = kib.min(self.all_kib);
        // It is never closed.
        Taken(self.kib.clone().acquire_many_owned(kib).await.ok())
    }
}

fn in_memory(fetched: &Fetched) -> usize {
    let of = |record: &Record| record.size_bytes() + RECORD_BYTES;
    fetched.records.iter().map(|(_, record)| of(record)).sum()
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(MAX_KIB)
}

/// More than any process has, and less than a semaphore counts.
const MAX_KIB: u32 = 1 << 28;

#[cfg(test)]
mod tests {
    use models::{Headers, Offset, Timestamp};

    use super::*;

    fn fetched(records: usize, bytes: usize) -> Fetched {
        let record = Record {
            key: None,
            value: Some(vec![0; bytes].into()),
            headers: Headers::default(),
            timestamp: Timestamp::from_ms_clamped(0),
        };
        let records = (0..).map(Offset).zip(std::iter::repeat_n(record, records)).collect();
        let (unreadable, next_offset) = (Vec::new(), Offset(0));
        Fetched { records, unreadable, next_offset, high_watermark: next_offset }
    }

    #[tokio::test]
    async fn who_fetches_waits_for_those_who_hold_and_gives_back_what_it_does_not_need() {
        let room = Room::new(3 * 1024 * 1024);
        let first = room.for_fetch(1024 * 1024).await;
        let mut second = Box::pin(room.for_fetch(1024 * 1024));
        assert!(futures_util::poll!(&mut second).is_pending());
        // It takes 306 KiB in memory: the rest is there for others.
        let first = room.for_fetched(first, &fetched(256, 1024)).await;
        let second = second.await;
        assert_eq!(room.kib.available_permits(), 718);
        drop((first, second));
        assert_eq!(room.kib.available_permits(), 3072);
    }

    #[tokio::test]
    async fn a_few_records_need_no_room_and_more_than_all_is_all() {
        let room = Room::new(1024 * 1024);
        let all = room.for_fetch(100 * 1024 * 1024).await;
        let few = room.for_fetched(Taken::default(), &fetched(10, 100)).await;
        assert!(few.0.is_none());
        let still = room.for_fetched(all, &fetched(2_000, 4_096)).await;
        assert_eq!(room.kib.available_permits(), 0);
        drop(still);
        assert_eq!(room.kib.available_permits(), 1024);
    }
}
