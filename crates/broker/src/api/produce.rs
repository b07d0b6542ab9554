//! Produce, in two steps: queue the batches, then wait for the disk. Between the steps the connection
//! reads on, so that pipelined requests share a sync.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{
    LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Context, str_bytes};
use crate::catalog::Topic;
use crate::faults::Fault;
use crate::log::{Batch, Invalid, Outcome};
use crate::reply::Reply;
use crate::request::Head;

/// The time a produce has at least: clients that want no wait for replicas say 0, and a sync takes a
/// while all the same.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// A produce request whose batches are queued.
#[derive(Debug)]
pub(crate) struct Pending {
    head: Head,
    wants_response: bool,
    deadline: Instant,
    topics: Vec<PendingTopic>,
    throttle_ms: i32,
}

#[derive(Debug)]
struct PendingTopic {
    name: TopicName,
    topic: Option<std::sync::Arc<Topic>>,
    partitions: Vec<(i32, Queued)>,
}

/// Where the answer comes from, or why there will be none.
type Queued = Result<oneshot::Receiver<Outcome>, Invalid>;

impl Context {
    /// Queues what a produce request brings. Returns at the latest when the request's time is over.
    pub(crate) async fn produce(
        &self,
        head: Head,
        request: ProduceRequest,
        fault: Fault,
    ) -> Pending {
        let wait = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let wait = wait.max(LEAST_WAIT).min(self.shared.limits.produce_wait);
        let deadline = Instant::now() + wait;
        let refusal = fault.error.map(on_purpose).or_else(|| refusal(&request));
        let mut topics = Vec::with_capacity(request.topic_data.len());
        for data in request.topic_data {
            let topic = self.shared.catalog.topic(&data.name);
            let mut partitions = Vec::with_capacity(data.partition_data.len());
            for partition in data.partition_data {
                let index = partition.index;
                let queued = match refusal {
                    Some(refusal) => Err(refusal),
                    None => queue(topic.as_deref(), index, partition.records, deadline).await,
                };
                partitions.push((index, queued));
            }
            topics.push(PendingTopic { name: data.name, topic, partitions });
        }
        let (wants_response, throttle_ms) = (request.acks != 0, fault.throttle_ms);
        Pending { head, wants_response, deadline, topics, throttle_ms }
    }
}

fn on_purpose(error: ResponseError) -> Invalid {
    Invalid { error, reason: "a test asked for this error" }
}

fn refusal(request: &ProduceRequest) -> Option<Invalid> {
    if request.transactional_id.is_some() {
        return Some(Invalid {
            error: ResponseError::TransactionalIdAuthorizationFailed,
            reason: "transactions are not supported",
        });
    }
    // One node: what one replica has, all have.
    (!(-1..=1).contains(&request.acks)).then_some(Invalid {
        error: ResponseError::InvalidRequiredAcks,
        reason: "acks must be -1, 0 or 1",
    })
}

async fn queue(
    topic: Option<&Topic>,
    index: i32,
    records: Option<Bytes>,
    deadline: Instant,
) -> Queued {
    let unknown = Invalid {
        error: ResponseError::UnknownTopicOrPartition,
        reason: "there is no such topic or partition",
    };
    let topic = topic.ok_or(unknown)?;
    let partition = topic.partition(index).ok_or(unknown)?;
    let batch = Batch::check(records.unwrap_or_default(), topic.config.max_message_bytes)?;
    let queued = partition.append(batch, deadline).await;
    queued.map_err(|error| Invalid { error, reason: "the record batch was not queued" })
}

impl Pending {
    /// Waits for the disk and encodes the response.
    pub(crate) async fn reply(self) -> anyhow::Result<Reply> {
        let (head, wants_response) = (self.head, self.wants_response);
        let response = self.response().await;
        if wants_response {
            return Reply::encode(head, &response);
        }
        let partitions = response.responses.iter().flat_map(|it| &it.partition_responses);
        let failed = partitions.filter(|it| it.error_code != 0).count();
        if failed > 0 {
            tracing::warn!(failed, "a produce that wants no response failed");
            return Ok(Reply::Close);
        }
        Ok(Reply::Nothing)
    }

    async fn response(self) -> ProduceResponse {
        let mut responses = Vec::with_capacity(self.topics.len());
        for PendingTopic { name, topic, partitions } in self.topics {
            let mut partition_responses = Vec::with_capacity(partitions.len());
            for (index, queued) in partitions {
                let outcome = outcome(queued, self.deadline).await;
                let view = topic.as_ref().and_then(|topic| topic.partition(index));
                let log_start = view.map_or(-1, |partition| partition.view().log_start());
                partition_responses.push(partition_response(index, outcome, log_start));
            }
            responses.push(
                TopicProduceResponse::default()
                    .with_name(name)
                    .with_partition_responses(partition_responses),
            );
        }
        ProduceResponse::default().with_responses(responses).with_throttle_time_ms(self.throttle_ms)
    }
}

async fn outcome(queued: Queued, deadline: Instant) -> Result<i64, Invalid> {
    let answered = match timeout_at(deadline, queued?).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(ResponseError::NotLeaderOrFollower),
        // The batch may still be appended; a producer with an id may repeat it without harm.
        Err(_) => Err(ResponseError::RequestTimedOut),
    };
    answered.map_err(|error| Invalid { error, reason: "the record batch was not appended" })
}

fn partition_response(
    index: i32,
    outcome: Result<i64, Invalid>,
    log_start: i64,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default()
        .with_index(index)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(log_start)
        .with_current_leader(LeaderIdAndEpoch::default());
    match outcome {
        Ok(base_offset) => response.with_base_offset(base_offset),
        Err(Invalid { error, reason }) => response
            .with_base_offset(-1)
            .with_error_code(error.code())
            .with_error_message(Some(str_bytes(reason))),
    }
}
