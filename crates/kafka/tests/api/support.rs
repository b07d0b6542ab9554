//! A broker to test against, and verbs.

use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use broker::Config;
use kafka::{
    ClusterConfig, FetchError, Fetched, Lane, Reader, Wait, Writer, WriterConfig, WriterMetrics,
};
use models::{Headers, Offset, Partition, Record, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::wire::Wire;

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const MIB: i32 = 1024 * 1024;

pub(crate) fn soon() -> Instant {
    Instant::now() + LONG
}

/// A broker on an address it keeps, with verbs.
pub(crate) struct TestBroker(test_broker::TestBroker);

impl Deref for TestBroker {
    type Target = test_broker::TestBroker;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for TestBroker {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl TestBroker {
    pub(crate) async fn start() -> Self {
        Self(test_broker::TestBroker::start().await)
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self(test_broker::TestBroker::start_with(change).await)
    }

    /// With a topic of one partition.
    pub(crate) async fn with_topic(topic: &str, settings: &[(&str, &str)]) -> Self {
        let broker = Self::start().await;
        // The records of these tests are older than what a broker keeps by default.
        let settings = [&[("retention.ms", "-1")], settings].concat();
        broker.wire().await.create_topic(topic, 1, &settings).await;
        broker
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.address()).await
    }

    pub(crate) fn reader(&self, topic: &str) -> Reader {
        Reader::new(self.cluster(), topic, Partition(0))
    }

    /// A running writer to partition 0, and its task.
    pub(crate) fn writer(&self, topic: &str) -> (Writer, JoinHandle<()>) {
        writer(self.cluster(), topic, WriterConfig::default())
    }

    /// Appends texts, one request each.
    pub(crate) async fn append(&self, topic: &str, texts: &[&str]) {
        let records: Vec<_> = texts.iter().map(|it| record(it)).collect();
        self.append_records(topic, records).await;
    }

    pub(crate) async fn append_records(&self, topic: &str, records: Vec<Record>) {
        let (writer, _task) = self.writer(topic);
        for record in records {
            writer.produce(record, Lane::Single, soon()).await.unwrap();
        }
    }

    /// All records of partition 0, by their texts.
    pub(crate) async fn texts(&self, topic: &str) -> Vec<String> {
        self.records(topic).await.iter().map(|(_, record)| text_of(record)).collect()
    }

    pub(crate) async fn records(&self, topic: &str) -> Vec<(Offset, Record)> {
        let mut reader = self.reader(topic);
        let (mut offset, end) = reader.bounds().await.unwrap();
        let mut records = Vec::new();
        while offset < end {
            let Fetched { records: more, next_offset, .. } =
                reader.fetch(offset, MIB, Wait::No).await.unwrap();
            assert!(next_offset > offset, "nothing at {offset} of {end}");
            records.extend(more);
            offset = next_offset;
        }
        records
    }
}

pub(crate) fn cluster(addr: &str) -> ClusterConfig {
    ClusterConfig::new(vec![addr.to_owned()], "test")
}

/// A running writer to partition 0, and its task.
pub(crate) fn writer(
    cluster: ClusterConfig,
    topic: &str,
    config: WriterConfig,
) -> (Writer, JoinHandle<()>) {
    let (writer, task) =
        Writer::new(cluster, topic, Partition(0), &config, WriterMetrics::default());
    (writer, tokio::spawn(task))
}

pub(crate) fn record(text: &str) -> Record {
    Record {
        key: None,
        value: Some(text.to_owned().into()),
        headers: Headers::default(),
        timestamp: Timestamp::from_ms_clamped(1_700_000_000_000),
    }
}

pub(crate) fn record_of(bytes: usize) -> Record {
    Record { value: Some(vec![b'x'; bytes].into()), ..record("") }
}

pub(crate) fn text_of(record: &Record) -> String {
    String::from_utf8(record.value.clone().unwrap().into()).unwrap()
}

pub(crate) type Begun<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Polls a future once, in the order of these calls: what it does before its first wait is done.
///
/// # Errors
/// It did not wait: its result.
pub(crate) async fn begin<T>(
    future: impl Future<Output = T> + Send + 'static,
) -> Result<Begun<T>, T> {
    let mut future: Begun<T> = Box::pin(future);
    let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    match polled {
        Poll::Pending => Ok(future),
        Poll::Ready(result) => Err(result),
    }
}

/// Fetches until something comes, trying again while the broker is away.
pub(crate) async fn fetched_eventually(reader: &mut Reader, offset: Offset) -> Fetched {
    let deadline = soon();
    loop {
        match reader.fetch(offset, MIB, Wait::ForRecords).await {
            Ok(fetched) if !fetched.records.is_empty() => return fetched,
            Ok(_) => {}
            Err(FetchError::Unavailable(error)) => assert!(error.is_retriable(), "{error}"),
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < deadline, "nothing came");
        tokio::task::yield_now().await;
    }
}

/// Asks until it is so.
pub(crate) async fn eventually(deadline: Instant, mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time");
        tokio::task::yield_now().await;
    }
}
