//! What waits to be written to one partition.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use models::{Offset, Record};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::produce::{Lane, ProduceError};

/// Bytes a record costs in a request beyond key, value and headers: lengths, offset, time.
const RECORD_OVERHEAD_BYTES: usize = 48;

/// A record that waits, and who waits for it.
pub(crate) struct Pending {
    pub(crate) record: Record,
    pub(crate) size_bytes: usize,
    pub(crate) deadline: Instant,
    handover: Handover,
    reply: oneshot::Sender<Result<Offset, ProduceError>>,
}

impl Pending {
    pub(crate) fn new(
        record: Record,
        deadline: Instant,
        handover: Handover,
        reply: oneshot::Sender<Result<Offset, ProduceError>>,
    ) -> Self {
        let size_bytes = record.size_bytes() + RECORD_OVERHEAD_BYTES;
        Self { record, size_bytes, deadline, handover, reply }
    }

    /// Says that it is being sent, from now on; false where it was taken back before.
    pub(crate) fn is_sent_now(&self) -> bool {
        self.handover.send()
    }

    /// Tells whoever waits that it is too late.
    pub(crate) fn expire(self) {
        let may_be_written = !self.handover.take_back();
        self.answer(Err(ProduceError::DeadlinePassed { may_be_written }));
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.deadline <= now || self.reply.is_closed()
    }

    /// Tells whoever waits; who has gone away meanwhile is not told.
    pub(crate) fn answer(self, result: Result<Offset, ProduceError>) {
        let _ = self.reply.send(result);
    }
}

/// Who has a record: whoever waits for it can take it back until it is sent. Both ask at once, and
/// one of them is first.
#[derive(Clone, Default)]
pub(crate) struct Handover(Arc<AtomicU8>);

const WAITING: u8 = 0;
const SENT: u8 = 1;
const TAKEN_BACK: u8 = 2;

impl Handover {
    /// Whether the record may be sent; it counts as sent from then on.
    fn send(&self) -> bool {
        self.become_unless(SENT, TAKEN_BACK)
    }

    /// Whether the record is never sent.
    pub(crate) fn take_back(&self) -> bool {
        self.become_unless(TAKEN_BACK, SENT)
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn become_unless(&self, new: u8, other: u8) -> bool {
        let change = self.0.compare_exchange(WAITING, new, Ordering::AcqRel, Ordering::Acquire);
        change.map_or_else(|found| found != other, |_| true)
    }
}

/// Two bounded lanes. At the bound the newcomer loses.
pub(crate) struct Queue {
    lanes: Mutex<Lanes>,
    max_bytes: usize,
    changed: Notify,
    /// Something was taken out, for the one who waits for room.
    room: Notify,
}

#[derive(Default)]
struct Lanes {
    single: VecDeque<Pending>,
    batch: VecDeque<Pending>,
    single_bytes: usize,
    batch_bytes: usize,
    is_closed: bool,
}

/// Bytes that one request holds at most: below the megabyte that brokers take by default, and no
/// more than a record may have. Smaller, and more requests wait for each other.
const MAX_REQUEST_BYTES: usize = 900_000;

impl Queue {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { lanes: Mutex::default(), max_bytes, changed: Notify::new(), room: Notify::new() }
    }

    /// Adds a record, or answers it at once: busy, or stopped. Whoever adds it sees to its being
    /// taken: [`Queue::take_if_alone`] or [`Queue::wake`].
    pub(crate) fn push(&self, lane: Lane, pending: Pending) {
        let mut lanes = self.lock();
        if lanes.is_closed {
            drop(lanes);
            return pending.answer(Err(ProduceError::Stopped));
        }
        if !lanes.has_room(lane, pending.size_bytes, self.max_bytes) {
            drop(lanes);
            return pending.answer(Err(ProduceError::Busy));
        }
        lanes.push(lane, pending);
    }

    /// Adds of a batch's records, from the first on, as many as there is room for, and answers at
    /// once those that can never have room: larger than what a batch may hold, or stopped. The one
    /// who adds is alone in it, waits for [`Queue::room`], and comes again with the rest.
    pub(crate) fn push_while_room(&self, batch: &mut VecDeque<Pending>) {
        let mut refused = Vec::new();
        let mut lanes = self.lock();
        while let Some(next) = batch.front() {
            let is_for_good = lanes.is_closed || next.size_bytes > self.max_bytes / 2;
            if !is_for_good && !lanes.has_room(Lane::Batch, next.size_bytes, self.max_bytes) {
                break;
            }
            let Some(next) = batch.pop_front() else { break };
            if is_for_good {
                refused.push(next);
            } else {
                lanes.push(Lane::Batch, next);
            }
        }
        let is_closed = lanes.is_closed;
        drop(lanes);
        for pending in refused {
            let error = if is_closed { ProduceError::Stopped } else { ProduceError::Busy };
            pending.answer(Err(error));
        }
    }

    /// Waits until something was taken out since the last time.
    pub(crate) async fn room(&self) {
        self.room.notified().await;
    }

    /// Lets [`Queue::waits_for_writing`] look.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits until there is something; false once closed and empty.
    ///
    /// # Cancel safety
    /// Nothing is taken.
    pub(crate) async fn waits_for_writing(&self) -> bool {
        loop {
            // Register interest before looking: what is pushed in between still wakes us.
            let changed = self.changed.notified();
            {
                let lanes = self.lock();
                if !lanes.is_empty() {
                    return true;
                }
                if lanes.is_closed {
                    return false;
                }
            }
            changed.await;
        }
    }

    /// Takes what goes into the next request, if anything waits.
    pub(crate) fn take(&self) -> Option<Vec<Pending>> {
        let taken = self.lock().take_request();
        self.room.notify_one();
        (!taken.is_empty()).then_some(taken)
    }

    /// Takes this record, if it waits and no other does.
    pub(crate) fn take_if_alone(&self, handover: &Handover) -> Option<Vec<Pending>> {
        let mut lanes = self.lock();
        let next = lanes.single.front().or(lanes.batch.front())?;
        let is_alone = next.handover.is(handover) && lanes.len() == 1;
        let taken = is_alone.then(|| lanes.take_request());
        self.room.notify_one();
        taken
    }

    /// Tells those that have waited past their deadline.
    pub(crate) fn drop_expired(&self, now: Instant) {
        let expired = self.lock().take_expired(now);
        self.room.notify_one();
        for pending in expired {
            pending.expire();
        }
    }

    /// No more records: what waits is still taken.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
        self.room.notify_one();
    }

    /// Records and bytes that wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let lanes = self.lock();
        (lanes.len(), lanes.single_bytes + lanes.batch_bytes)
    }

    /// A panic while the lock is held cannot leave the lanes half-changed in a way that matters.
    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn len(&self) -> usize {
        self.single.len() + self.batch.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A batch holds at most half, so that single sends always find room.
    fn has_room(&self, lane: Lane, size_bytes: usize, max_bytes: usize) -> bool {
        let all = self.single_bytes + self.batch_bytes + size_bytes <= max_bytes;
        match lane {
            Lane::Single => all,
            Lane::Batch => all && self.batch_bytes + size_bytes <= max_bytes / 2,
        }
    }

    fn push(&mut self, lane: Lane, pending: Pending) {
        let (records, bytes) = match lane {
            Lane::Single => (&mut self.single, &mut self.single_bytes),
            Lane::Batch => (&mut self.batch, &mut self.batch_bytes),
        };
        *bytes += pending.size_bytes;
        records.push_back(pending);
    }

    /// Single sends first, then the batch: all that waits, as far as it fits.
    fn take_request(&mut self) -> Vec<Pending> {
        // Many, if they are as small as most.
        let mut taken = Vec::with_capacity(self.len().min(2_000));
        let mut size = 0;
        while let Some(next) = self.single.front().or(self.batch.front()) {
            size += next.size_bytes;
            // One record always goes, however large.
            if size > MAX_REQUEST_BYTES && !taken.is_empty() {
                break;
            }
            taken.extend(self.pop());
        }
        taken
    }

    fn pop(&mut self) -> Option<Pending> {
        let (pending, bytes) = match self.single.pop_front() {
            Some(pending) => (pending, &mut self.single_bytes),
            None => (self.batch.pop_front()?, &mut self.batch_bytes),
        };
        *bytes -= pending.size_bytes;
        Some(pending)
    }

    fn take_expired(&mut self, now: Instant) -> Vec<Pending> {
        let mut expired = Vec::new();
        for (records, bytes) in
            [(&mut self.single, &mut self.single_bytes), (&mut self.batch, &mut self.batch_bytes)]
        {
            let (over, waiting) = records.drain(..).partition(|pending| pending.is_over(now));
            *records = waiting;
            expired.extend::<VecDeque<Pending>>(over);
            *bytes = records.iter().map(|pending| pending.size_bytes).sum();
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use models::{Headers, Timestamp};

    use super::*;

    type Reply = oneshot::Receiver<Result<Offset, ProduceError>>;

    fn pending(bytes: usize) -> (Pending, Reply) {
        let record = Record {
            key: None,
            value: Some(vec![0; bytes - RECORD_OVERHEAD_BYTES].into()),
            headers: Headers::default(),
            timestamp: Timestamp::from_ms_clamped(0),
        };
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + Duration::from_secs(60);
        (Pending::new(record, deadline, Handover::default(), reply), answer)
    }

    fn push(queue: &Queue, lane: Lane, bytes: usize) -> Reply {
        let (pending, reply) = pending(bytes);
        queue.push(lane, pending);
        reply
    }

    fn taken(queue: &Queue) -> Vec<usize> {
        let taken = queue.take().unwrap();
        taken.iter().map(|pending| pending.size_bytes).collect()
    }

    #[tokio::test]
    async fn a_request_takes_all_that_waits_and_fits() {
        for (waiting, requests) in [
            (vec![1_000; 3], vec![3]),
            (vec![1_000; 20], vec![20]),
            (vec![900_001, 1_000], vec![1, 1]),
            (vec![1_000, 900_000], vec![1, 1]),
            (vec![100_000; 12], vec![9, 3]),
        ] {
            let queue = Queue::new(usize::MAX);
            let _replies: Vec<_> =
                waiting.iter().map(|bytes| push(&queue, Lane::Single, *bytes)).collect();
            for count in requests {
                assert_eq!(taken(&queue).len(), count, "{waiting:?}");
            }
            assert_eq!(queue.waiting(), (0, 0));
        }
    }

    #[tokio::test]
    async fn single_sends_overtake_a_batch_and_find_room_beside_it() {
        let queue = Queue::new(4_000);
        let mut first = push(&queue, Lane::Batch, 1_500);
        let mut over_half = push(&queue, Lane::Batch, 1_000);
        let mut single = push(&queue, Lane::Single, 2_400);
        let mut over_all = push(&queue, Lane::Single, 101);
        assert!(matches!(over_half.try_recv(), Ok(Err(ProduceError::Busy))));
        assert!(matches!(over_all.try_recv(), Ok(Err(ProduceError::Busy))));
        assert_eq!(taken(&queue), [2_400, 1_500]);
        assert!(first.try_recv().is_err() && single.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_expires_while_waiting_is_told_that_it_was_never_written() {
        let queue = Queue::new(4_000);
        let mut reply = push(&queue, Lane::Single, 1_000);
        drop(push(&queue, Lane::Batch, 1_000));
        queue.drop_expired(Instant::now());
        assert_eq!(queue.waiting(), (1, 1_000));
        queue.drop_expired(Instant::now() + Duration::from_secs(61));
        assert_eq!(queue.waiting(), (0, 0));
        let answer = reply.try_recv().unwrap();
        assert!(matches!(answer, Err(ProduceError::DeadlinePassed { may_be_written: false })));
    }

    #[tokio::test]
    async fn a_closed_queue_gives_out_what_waits_and_takes_nothing_new() {
        let queue = Queue::new(4_000);
        let _waiting = push(&queue, Lane::Single, 1_000);
        queue.close();
        let mut late = push(&queue, Lane::Single, 1_000);
        assert!(matches!(late.try_recv(), Ok(Err(ProduceError::Stopped))));
        assert_eq!(taken(&queue), [1_000]);
        assert!(!queue.waits_for_writing().await);
    }
}
