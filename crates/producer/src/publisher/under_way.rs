//! Records on their way to the log.

use std::collections::VecDeque;

use kafka::{Begun, ProduceError};
use models::{NotificationId, Partition, Place, Position, Record, TopicId, UserId};

use super::Draft;

/// Records to hand over, by partition.
pub(crate) struct Lots {
    pub(super) records: Vec<Vec<Record>>,
}

/// Whose record was added to the lots.
pub(crate) struct Ticket {
    to: UserId,
    id: NotificationId,
    partition: Partition,
}

/// Records that were handed over, by partition, in the order in which they were added.
pub(crate) struct UnderWay {
    topic_id: TopicId,
    begun: Vec<VecDeque<Begun>>,
}

/// What became of the notification to one recipient.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) to: UserId,
    pub(crate) id: NotificationId,
    pub(crate) result: Result<Position, ProduceError>,
}

impl Lots {
    pub(super) fn new(partitions: usize) -> Self {
        Self { records: (0..partitions).map(|_| Vec::new()).collect() }
    }

    /// Adds a record. Tickets are to be delivered in the order in which they were given out.
    pub(crate) fn add(&mut self, draft: Draft) -> Ticket {
        let Draft { to, id, partition, record } = draft;
        if let Some(records) = index(partition).and_then(|it| self.records.get_mut(it)) {
            records.push(record);
        }
        Ticket { to, id, partition }
    }
}

impl UnderWay {
    pub(super) fn new(topic_id: TopicId, begun: Vec<VecDeque<Begun>>) -> Self {
        Self { topic_id, begun }
    }

    /// Waits for the records of these tickets.
    pub(crate) async fn deliver(&mut self, tickets: Vec<Ticket>) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(tickets.len());
        for Ticket { to, id, partition } in tickets {
            let result = self.next(partition).await;
            deliveries.push(Delivery { to, id, result });
        }
        deliveries
    }

    async fn next(&mut self, partition: Partition) -> Result<Position, ProduceError> {
        let begun = index(partition).and_then(|it| self.begun.get_mut(it)?.pop_front());
        let offset = begun.ok_or(ProduceError::Stopped)?.outcome().await?;
        Ok(Position::after(Place { topic_id: self.topic_id, partition, offset }))
    }
}

fn index(partition: Partition) -> Option<usize> {
    usize::try_from(partition.0).ok()
}
