//! Fetch and ListOffsets: what the library reads wrongly, or not at all.

use std::time::Duration;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest};
use models::Offset;
use tokio::time::Instant;

use super::Leader;
use crate::batch::walk;
use crate::fetched::Fetched;
use crate::wire::refused;
use crate::{Error, admin};

/// From version 13 on a fetch names topics by id, which not every topic may have.
const MAX_VERSION: i16 = 12;

/// Names of the two ends, in ListOffsets.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

impl Leader {
    /// Fetches what is there from `offset` on, whoever wrote it, committed or not: what a reader
    /// finds must not depend on where it began.
    ///
    /// # Errors
    /// `OffsetOutOfRange` is an [`Error::Answer`].
    pub(crate) async fn fetch(
        &mut self,
        offset: Offset,
        max_bytes: i32,
        wait: Duration,
    ) -> Result<Fetched, Error> {
        let call = format!("fetch {}-{} at {offset}", self.topic.name, self.partition);
        let timeout = self.timeout + wait;
        let began = Instant::now();
        let request = self.fetch_request(offset, max_bytes, wait);
        loop {
            self.pause.wait().await;
            let answer = self.connection.call_within(&request, MAX_VERSION, timeout).await?;
            refused(&call, answer.error_code, None)?;
            self.pause.throttled(answer.throttle_time_ms);
            let throttled = answer.throttle_time_ms > 0;
            match self.partition_of(answer) {
                Some(found) => return fetched(&call, offset, found),
                // A broker that throttles leaves everything out (KIP-219).
                None if throttled && began.elapsed() < timeout => {}
                None if throttled => return Err(Error::Timeout { call, after: began.elapsed() }),
                None => {
                    let reason = "the partition is not in it".to_owned();
                    return Err(Error::Malformed { call, reason });
                }
            }
        }
    }

    /// The first offset held, and the one behind the last that is committed to all replicas.
    pub(crate) async fn bounds(&mut self) -> Result<(Offset, Offset), Error> {
        Ok((self.list_offset(EARLIEST).await?, self.list_offset(LATEST).await?))
    }

    /// The offset behind the last record that is committed to all replicas.
    pub(crate) async fn end(&mut self) -> Result<Offset, Error> {
        self.list_offset(LATEST).await
    }

    async fn list_offset(&mut self, end: i64) -> Result<Offset, Error> {
        let call = format!("list offsets of {}-{}", self.topic.name, self.partition);
        let partition = ListOffsetsPartition::default()
            .with_partition_index(self.partition.0)
            .with_timestamp(end);
        let topic = ListOffsetsTopic::default()
            .with_name(admin::topic_name(&self.topic.name))
            .with_partitions(vec![partition]);
        let request =
            ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let answer = self.connection.call(&request).await?;
        let mut topics = answer.topics.iter().filter(|it| it.name.as_str() == self.topic.name);
        let partitions = topics.next().map(|it| it.partitions.as_slice()).unwrap_or_default();
        let Some(found) = partitions.iter().find(|it| it.partition_index == self.partition.0)
        else {
            let reason = "the partition is not in it".to_owned();
            return Err(Error::Malformed { call, reason });
        };
        refused(&call, found.error_code, None)?;
        Ok(Offset(found.offset))
    }

    fn fetch_request(&self, offset: Offset, max_bytes: i32, wait: Duration) -> FetchRequest {
        let partition = FetchPartition::default()
            .with_partition(self.partition.0)
            .with_fetch_offset(offset.0)
            .with_partition_max_bytes(max_bytes);
        let topic = FetchTopic::default()
            .with_topic(admin::topic_name(&self.topic.name))
            .with_partitions(vec![partition]);
        FetchRequest::default()
            .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(1)
            .with_max_bytes(max_bytes)
            .with_topics(vec![topic])
    }

    fn partition_of(&self, answer: FetchResponse) -> Option<PartitionData> {
        let is_it = |it: &PartitionData| it.partition_index == self.partition.0;
        let topic = answer.responses.into_iter().find(|it| it.topic.as_str() == self.topic.name)?;
        topic.partitions.into_iter().find(is_it)
    }
}

fn fetched(call: &str, offset: Offset, found: PartitionData) -> Result<Fetched, Error> {
    refused(call, found.error_code, None)?;
    let bytes = found.records.unwrap_or_default();
    let walked = walk(&bytes, offset)
        .map_err(|reason| Error::Malformed { call: call.to_owned(), reason })?;
    Ok(Fetched {
        records: walked.records,
        unreadable: walked.unreadable,
        next_offset: walked.next_offset,
        high_watermark: Offset(found.high_watermark),
    })
}
