//! Produce: for requests of a size at which the library stalls, and for brokers that throttle it.

use std::time::Duration;

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use models::{Offset, Record};

use super::Leader;
use crate::batch::encode;
use crate::wire::refused;
use crate::{Error, admin};

/// From version 13 on a produce names topics by id, which not every topic may have.
const MAX_VERSION: i16 = 12;

/// All replicas that are in sync.
const ACKS_ALL: i16 = -1;

/// What became of records that were appended.
#[derive(Debug)]
pub(crate) struct Produced {
    /// The first one's offset.
    pub(crate) base_offset: Offset,
    /// Whether the broker wants to be left alone for a while, which [`Leader::rested`] waits for.
    pub(crate) throttled: bool,
}

impl Leader {
    /// Waits until the broker wants to be asked again.
    pub(crate) async fn rested(&mut self) {
        self.pause.wait().await;
    }

    /// Appends records in one batch: all of them or, where a broker answers with an error, none.
    pub(crate) async fn produce<'a>(
        &mut self,
        records: impl ExactSizeIterator<Item = &'a Record> + Clone,
        timeout: Duration,
    ) -> Result<Produced, Error> {
        let call = format!("produce to {}-{}", self.topic.name, self.partition);
        let malformed =
            |reason: &str| Error::Malformed { call: call.clone(), reason: reason.into() };
        let batch = encode(records).ok_or_else(|| malformed("nothing to send, or too much"))?;
        let partition =
            PartitionProduceData::default().with_index(self.partition.0).with_records(Some(batch));
        let topic = TopicProduceData::default()
            .with_name(admin::topic_name(&self.topic.name))
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(ACKS_ALL)
            .with_timeout_ms(i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX))
            .with_topic_data(vec![topic]);
        let answer = self.connection.call_within(&request, MAX_VERSION, timeout).await?;
        self.pause.throttled(answer.throttle_time_ms);
        let throttled = answer.throttle_time_ms > 0;
        let found = self.answered(answer);
        let found = found.ok_or_else(|| malformed("the partition is not in it"))?;
        refused(&call, found.error_code, found.error_message)?;
        Ok(Produced { base_offset: Offset(found.base_offset), throttled })
    }

    fn answered(&self, answer: ProduceResponse) -> Option<PartitionProduceResponse> {
        let is_it = |it: &PartitionProduceResponse| it.index == self.partition.0;
        let topic = answer.responses.into_iter().find(|it| it.name.as_str() == self.topic.name)?;
        topic.partition_responses.into_iter().find(is_it)
    }
}
