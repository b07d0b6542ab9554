//! What the log holds.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use e2e::System;
use kafka::{ClusterConfig, Reader, Wait};
use models::{Event, NotificationId, Offset, Partition, Place, Position};

use super::sender::Sender;

/// The notifications topic, read from its start.
pub(super) struct Log {
    /// Each sender's messages, without copies.
    pub(super) messages: BTreeMap<usize, Vec<String>>,
    /// Records whose event stands before them.
    pub(super) copies: usize,
    ids: HashMap<(Partition, Offset), NotificationId>,
}

const PARTITIONS: i32 = 6;

impl Log {
    pub(super) async fn read(system: &System, senders: &[Sender]) -> Result<Self> {
        let messages = senders.iter().map(|sender| (sender.user, Vec::new())).collect();
        let mut log = Self { messages, copies: 0, ids: HashMap::new() };
        let (_, _, position) = senders[0].accepted().next().context("nothing was accepted")?;
        for partition in (0..PARTITIONS).map(Partition) {
            let place = Place { topic_id: position.topic_id, partition, offset: Offset(0) };
            log.read_partition(system, place).await?;
        }
        Ok(log)
    }

    /// Whether the record right before this position says this event.
    pub(super) fn has(&self, id: NotificationId, position: Position) -> bool {
        let offset = Offset(position.next_offset.0 - 1);
        self.ids.get(&(position.partition, offset)) == Some(&id)
    }

    async fn read_partition(&mut self, system: &System, mut place: Place) -> Result<()> {
        let cluster = ClusterConfig::new(vec![system.addresses.broker.clone()], "test");
        let mut reader = Reader::new(cluster, "notifications", place.partition);
        let mut seen = HashSet::new();
        loop {
            let fetched = reader.fetch(place.offset, 1 << 20, Wait::No).await?;
            for (offset, record) in &fetched.records {
                place.offset = *offset;
                let Event::Sent(sent) = Event::decode(record, place)? else { continue };
                self.ids.insert((place.partition, *offset), sent.id);
                if !seen.insert(sent.id) {
                    self.copies += 1;
                    continue;
                }
                let user = sent.notification.to.id.as_str().parse()?;
                if let Some(messages) = self.messages.get_mut(&user) {
                    messages.push(sent.notification.message);
                }
            }
            place.offset = fetched.next_offset;
            if fetched.is_end() {
                return Ok(());
            }
        }
    }
}
