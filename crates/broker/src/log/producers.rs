//! Idempotent producers (KIP-98): which sequence each may write next.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::error::ResponseError;

use crate::log::batch::Header;

/// Batches remembered a producer, as in Apache Kafka: a Java producer has at most five in flight.
const REMEMBERED: usize = 5;

#[derive(Debug)]
pub(crate) struct Producers {
    known: HashMap<i64, Producer>,
    limit: usize,
    clock: u64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
    used: u64,
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

/// What is to be done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is in the log already, at this offset.
    Duplicate(i64),
    Refuse(ResponseError),
}

impl Producers {
    /// Remembers at most `limit` producers.
    pub(crate) fn new(limit: usize) -> Producers {
        Producers { known: HashMap::new(), limit, clock: 0 }
    }

    pub(crate) fn judge(&self, header: &Header) -> Verdict {
        // An unknown producer may start anywhere: retention may have taken its earlier batches.
        let Some(producer) = self.known.get(&header.producer_id) else {
            return Verdict::Append;
        };
        if header.producer_epoch < producer.epoch {
            return Verdict::Refuse(ResponseError::InvalidProducerEpoch);
        }
        if header.producer_epoch > producer.epoch {
            return expect_sequence(header, 0);
        }
        let last_sequence = last_sequence(header);
        let seen = producer.batches.iter().find(|batch| {
            batch.first_sequence == header.base_sequence && batch.last_sequence == last_sequence
        });
        if let Some(batch) = seen {
            return Verdict::Duplicate(batch.base_offset);
        }
        let last = producer.batches.back().map(|batch| batch.last_sequence);
        expect_sequence(header, last.map_or(0, |last| advance(last, 1)))
    }

    /// Takes note of a batch that was appended at `base_offset`.
    pub(crate) fn record(&mut self, header: &Header, base_offset: i64) {
        if header.producer_id < 0 {
            return;
        }
        self.make_room_for(header.producer_id);
        self.clock += 1;
        let producer = self.known.entry(header.producer_id).or_insert(Producer {
            epoch: header.producer_epoch,
            batches: VecDeque::with_capacity(REMEMBERED),
            used: 0,
        });
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset,
        });
        producer.used = self.clock;
    }

    /// At the limit the producer that has been silent longest loses: a repeat of its last batches would
    /// be appended again.
    fn make_room_for(&mut self, producer_id: i64) {
        if self.known.len() < self.limit || self.known.contains_key(&producer_id) {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, producer)| producer.used);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.known.remove(&id);
            tracing::warn!(producer_id = id, "forgot the oldest idempotent producer");
        }
    }
}

fn expect_sequence(header: &Header, sequence: i32) -> Verdict {
    if header.base_sequence == sequence {
        Verdict::Append
    } else {
        Verdict::Refuse(ResponseError::OutOfOrderSequenceNumber)
    }
}

fn last_sequence(header: &Header) -> i32 {
    advance(header.base_sequence, header.last_offset_delta)
}

/// Sequences go from `i32::MAX` to 0.
fn advance(sequence: i32, by: i32) -> i32 {
    sequence.wrapping_add(by) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Append, Duplicate, Refuse};
    use super::*;
    use crate::log::batch::samples::{Sample, batch};

    const GAP: Verdict = Refuse(ResponseError::OutOfOrderSequenceNumber);
    const STALE: Verdict = Refuse(ResponseError::InvalidProducerEpoch);

    fn header(id: i64, epoch: i16, sequence: i32, records: i32) -> Header {
        let bytes = batch(Sample { records, producer: (id, epoch, sequence), ..Sample::default() });
        Header::parse(&bytes).unwrap()
    }

    struct Log(Producers, i64);

    impl Log {
        fn offer(&mut self, header: Header) -> Verdict {
            let verdict = self.0.judge(&header);
            if verdict == Append {
                self.0.record(&header, self.1);
                self.1 += i64::from(header.last_offset_delta) + 1;
            }
            verdict
        }
    }

    fn log(limit: usize) -> Log {
        Log(Producers::new(limit), 0)
    }

    #[test]
    fn sequences_are_followed_and_repeats_are_found() {
        let mut log = log(10);
        assert_eq!(log.offer(header(7, 0, 0, 2)), Append);
        assert_eq!(log.offer(header(7, 0, 2, 3)), Append);
        assert_eq!(log.offer(header(7, 0, 0, 2)), Duplicate(0));
        assert_eq!(log.offer(header(7, 0, 2, 3)), Duplicate(2));
        assert_eq!(log.offer(header(7, 0, 2, 2)), GAP);
        assert_eq!(log.offer(header(7, 0, 6, 1)), GAP);
        assert_eq!(log.offer(header(8, 3, 55, 1)), Append);
        for sequence in 5..10 {
            assert_eq!(log.offer(header(7, 0, sequence, 1)), Append);
        }
        assert_eq!(log.offer(header(7, 0, 2, 3)), GAP, "only five are remembered");
    }

    #[test]
    fn a_new_epoch_starts_at_zero_and_fences_the_old_one() {
        let mut log = log(10);
        assert_eq!(log.offer(header(7, 1, 0, 1)), Append);
        assert_eq!(log.offer(header(7, 2, 1, 1)), GAP);
        assert_eq!(log.offer(header(7, 2, 0, 1)), Append);
        assert_eq!(log.offer(header(7, 1, 1, 1)), STALE);
        assert_eq!(log.offer(header(7, 2, 0, 1)), Duplicate(1));
    }

    #[test]
    fn sequences_wrap() {
        let mut log = log(10);
        assert_eq!(log.offer(header(7, 0, i32::MAX - 1, 3)), Append);
        assert_eq!(log.offer(header(7, 0, 0, 1)), GAP);
        assert_eq!(log.offer(header(7, 0, 1, 1)), Append);
        assert_eq!(log.offer(header(7, 0, i32::MAX - 1, 3)), Duplicate(0));
    }

    #[test]
    fn the_longest_silent_producer_is_forgotten() {
        let mut log = log(2);
        assert_eq!(log.offer(header(1, 0, 0, 1)), Append);
        assert_eq!(log.offer(header(2, 0, 0, 1)), Append);
        assert_eq!(log.offer(header(1, 0, 1, 1)), Append);
        assert_eq!(log.offer(header(3, 0, 0, 1)), Append);
        assert_eq!(log.offer(header(1, 0, 3, 1)), GAP, "1 is known");
        assert_eq!(log.offer(header(2, 0, 9, 1)), Append, "2 is not");
    }
}
