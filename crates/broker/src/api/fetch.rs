//! Fetch: what there is, or a wait until there is something.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Context, code};
use crate::log::{ESTIMATE_ERROR_BYTES, LEADER_EPOCH, View};
use crate::partition::Partition;
use crate::reply::Reply;
use crate::request::Head;

/// A fetch while it waits.
struct Fetch<'a> {
    context: &'a Context,
    /// The topics with the number of partitions asked of each, in the order asked.
    topics: Vec<(TopicName, usize)>,
    wanted: Vec<Wanted>,
    min_bytes: u64,
    max_bytes: usize,
    deadline: Instant,
    /// What a test wants every partition to be answered.
    fault: Option<ResponseError>,
}

/// One partition that is asked for.
struct Wanted {
    asked: FetchPartition,
    partition: Option<Arc<Partition>>,
}

/// One partition's part of the answer.
#[derive(Debug, Default)]
struct Found {
    error: Option<ResponseError>,
    log_start: i64,
    high_watermark: i64,
    records: Bytes,
}

/// What there is at one moment.
struct Round {
    found: Vec<Found>,
    /// Bytes there are to read, up to [`ESTIMATE_ERROR_BYTES`] too many a partition.
    available: u64,
}

pub(super) async fn answer(
    context: &Context,
    head: Head,
    request: FetchRequest,
    fault: Option<ResponseError>,
) -> anyhow::Result<Reply> {
    if request.session_id != 0 {
        // Sessions are never granted (KIP-227), so none is known.
        let error = ResponseError::FetchSessionIdNotFound;
        return Reply::encode(head, &FetchResponse::default().with_error_code(error.code()));
    }
    let read_committed = request.isolation_level == 1;
    let mut fetch = Fetch::new(context, request, fault);
    let (round, memory) = fetch.wait().await;
    let response = fetch.response(round, read_committed);
    Ok(Reply::encode(head, &response)?.holding(memory))
}

impl<'a> Fetch<'a> {
    fn new(context: &'a Context, request: FetchRequest, fault: Option<ResponseError>) -> Fetch<'a> {
        let limits = &context.shared.limits;
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0);
        let max_bytes = max_bytes.min(limits.fetch_bytes);
        let min_bytes = u64::try_from(request.min_bytes).unwrap_or(0);
        let mut topics = Vec::with_capacity(request.topics.len());
        let mut wanted = Vec::new();
        for topic in request.topics {
            let known = context.shared.catalog.topic(&topic.topic);
            topics.push((topic.topic, topic.partitions.len()));
            for asked in topic.partitions {
                let partition = known.as_ref().and_then(|it| it.partition(asked.partition));
                let partition = partition.cloned();
                wanted.push(Wanted { asked, partition });
            }
        }
        Fetch {
            context,
            topics,
            wanted,
            min_bytes: min_bytes.min(max_bytes as u64),
            max_bytes,
            deadline: Instant::now() + wait.min(limits.fetch_wait),
            fault,
        }
    }

    /// Returns when there are enough bytes, when something is wrong, or when the time is over.
    async fn wait(&mut self) -> (Round, Option<OwnedSemaphorePermit>) {
        let stop = self.context.shared.stop.clone();
        let partitions = self.wanted.iter().filter_map(|wanted| wanted.partition.as_ref());
        let mut changes: Vec<_> = partitions.map(|partition| partition.changes()).collect();
        loop {
            // Register interest before the look, or a change between look and wait is missed.
            for change in &mut changes {
                change.borrow_and_update();
            }
            let mut round = self.look();
            let failed = round.found.iter().any(|found| found.error.is_some());
            let nothing_asked = self.wanted.is_empty();
            let over =
                failed || nothing_asked || Instant::now() >= self.deadline || stop.is_cancelled();
            if over || round.available >= self.min_bytes {
                let memory = self.read(&mut round).await;
                if over || self.is_enough(&round) {
                    return (round, memory);
                }
            }
            tokio::select! {
                () = any_changed(&mut changes) => {}
                () = sleep_until(self.deadline) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn look(&self) -> Round {
        let mut available = 0;
        let mut found = Vec::with_capacity(self.wanted.len());
        for wanted in &self.wanted {
            let one = self.fault.map_or_else(|| wanted.look(), Found::failed);
            if let (None, Some(partition)) = (one.error, &wanted.partition) {
                let bytes = partition.view().bytes_from(wanted.asked.fetch_offset);
                available += bytes.min(wanted.max_bytes() as u64);
            }
            found.push(one);
        }
        Round { found, available }
    }

    fn is_enough(&self, round: &Round) -> bool {
        let read: u64 = round.found.iter().map(|found| found.records.len() as u64).sum();
        // A read ends with its segment; what lies in the next one counts.
        let estimate_error = ESTIMATE_ERROR_BYTES * self.wanted.len() as u64;
        let surely = round.available.saturating_sub(estimate_error);
        read.max(surely) >= self.min_bytes
    }

    /// Reads the records of a round. Without memory for them the answer has none, and the client asks
    /// again.
    async fn read(&self, round: &mut Round) -> Option<OwnedSemaphorePermit> {
        if round.available == 0 {
            return None;
        }
        let bytes = usize::try_from(round.available).unwrap_or(usize::MAX);
        let memory = self.context.shared.grant(bytes.min(self.max_bytes)).await?;
        let mut views = Vec::with_capacity(self.wanted.len());
        for (wanted, found) in self.wanted.iter().zip(&round.found) {
            let partition = wanted.partition.as_ref().filter(|_| found.error.is_none());
            views.push(partition.map(|partition| Slice {
                view: partition.shared_view(),
                from: wanted.asked.fetch_offset,
                below: found.high_watermark,
                max_bytes: wanted.max_bytes(),
            }));
        }
        let max_bytes = self.max_bytes;
        let reading = task::spawn_blocking(move || read_all(views, max_bytes));
        for (found, records) in round.found.iter_mut().zip(reading.await.unwrap_or_default()) {
            match records {
                Ok(records) => found.records = records,
                Err(error) => found.error = Some(error),
            }
        }
        Some(memory)
    }

    fn response(self, round: Round, read_committed: bool) -> FetchResponse {
        let mut parts = self.wanted.iter().zip(round.found);
        let mut responses = Vec::with_capacity(self.topics.len());
        for (name, partitions) in self.topics {
            let of_topic = parts.by_ref().take(partitions);
            let data = of_topic.map(|(wanted, found)| {
                // No transactions: nothing is ever aborted.
                partition_data(wanted.asked.partition, found)
                    .with_aborted_transactions(read_committed.then(Vec::new))
            });
            responses.push(
                FetchableTopicResponse::default().with_partitions(data.collect()).with_topic(name),
            );
        }
        FetchResponse::default().with_responses(responses)
    }
}

impl Found {
    fn failed(error: ResponseError) -> Found {
        Found { error: Some(error), log_start: -1, high_watermark: -1, records: Bytes::new() }
    }
}

impl Wanted {
    fn max_bytes(&self) -> usize {
        usize::try_from(self.asked.partition_max_bytes).unwrap_or(0)
    }

    fn look(&self) -> Found {
        let Some(partition) = self.partition.as_ref().filter(|it| !it.is_closed()) else {
            return Found::failed(ResponseError::UnknownTopicOrPartition);
        };
        let view = partition.view();
        let (log_start, high_watermark) = (view.log_start(), view.high_watermark());
        let error = if partition.is_offline() {
            Some(ResponseError::KafkaStorageError)
        } else if self.asked.current_leader_epoch > LEADER_EPOCH {
            Some(ResponseError::UnknownLeaderEpoch)
        } else if (log_start..=high_watermark).contains(&self.asked.fetch_offset) {
            None
        } else {
            Some(ResponseError::OffsetOutOfRange)
        };
        Found { error, log_start, high_watermark, records: Bytes::new() }
    }
}

/// What is to be read of one partition.
struct Slice {
    view: Arc<View>,
    from: i64,
    below: i64,
    max_bytes: usize,
}

/// Reads in the order asked until `max_bytes` are there. The first batch of all is returned however
/// large it is, so that a reader gets on (KIP-74).
fn read_all(slices: Vec<Option<Slice>>, max_bytes: usize) -> Vec<Result<Bytes, ResponseError>> {
    let mut left = max_bytes;
    let mut nothing_yet = true;
    let mut all = Vec::with_capacity(slices.len());
    for slice in slices {
        let Some(slice) = slice else {
            all.push(Ok(Bytes::new()));
            continue;
        };
        let bytes = left.min(slice.max_bytes);
        let records = slice.view.read(slice.from, slice.below, bytes, nothing_yet);
        let records = records.map_err(|error| {
            tracing::error!(offset = slice.from, %error, "cannot read a segment");
            ResponseError::KafkaStorageError
        });
        let read = records.as_ref().map_or(0, Bytes::len);
        left = left.saturating_sub(read);
        nothing_yet &= read == 0;
        all.push(records);
    }
    all
}

fn partition_data(index: i32, found: Found) -> PartitionData {
    PartitionData::default()
        .with_partition_index(index)
        .with_error_code(code(found.error.map_or(Ok(()), Err)))
        .with_high_watermark(found.high_watermark)
        .with_last_stable_offset(found.high_watermark)
        .with_log_start_offset(found.log_start)
        .with_records(Some(found.records))
}

/// Returns when any of the partitions has changed since it was last looked at, or is gone.
async fn any_changed(changes: &mut [watch::Receiver<()>]) {
    let mut waiting: Vec<_> = changes.iter_mut().map(|it| Box::pin(it.changed())).collect();
    let any = poll_fn(|cx| {
        let mut any = Poll::Pending;
        for change in &mut waiting {
            if change.as_mut().poll(cx).is_ready() {
                any = Poll::Ready(());
            }
        }
        any
    });
    pin!(any).await;
}

impl super::Shared {
    /// Memory for `bytes`, or `None` when there is none for as long as a slow client may hold it.
    pub(crate) async fn grant(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let bytes = bytes.min(self.limits.memory_bytes);
        let granting = Arc::clone(&self.memory).acquire_many_owned(bytes);
        timeout(self.limits.write_timeout, granting).await.ok()?.ok()
    }
}
