//! The least that a durable send can do: one record, one request to Kafka, one answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use models::{Notification, NotificationId, Record, Sent, Timestamp, User, UserId};
use rskafka::client::ClientBuilder;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use tokio::time::timeout;

use super::ProduceArgs;
use super::handlers::SendForm;

/// A partition to produce to, without anything around the library's call.
#[derive(Debug)]
pub(super) struct Log {
    partition: PartitionClient,
}

/// How long Kafka may take, to be reached and for each record.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MS: i32 = 10_000;

impl Log {
    /// Connects, and makes the topic with one partition where it is missing.
    ///
    /// # Errors
    /// Kafka cannot be reached.
    pub(super) async fn connect(args: &ProduceArgs) -> anyhow::Result<Self> {
        timeout(TIMEOUT, connect(args))
            .await
            .map_err(|_| anyhow!("no answer in {TIMEOUT:?}"))
            .flatten()
            .with_context(|| format!("cannot produce to {} at {}", args.topic, args.broker))
    }

    /// Produces the record that our producer would.
    ///
    /// # Errors
    /// It is not in the log, or nobody knows.
    pub(super) async fn produce(&self, form: SendForm) -> anyhow::Result<()> {
        let record = record(form)?;
        let producing = self.partition.produce(vec![record], Compression::NoCompression);
        timeout(TIMEOUT, producing).await??;
        Ok(())
    }
}

async fn connect(args: &ProduceArgs) -> anyhow::Result<Log> {
    let client = ClientBuilder::new(vec![args.broker.to_string()]).build().await?;
    match client.controller_client()?.create_topic(&args.topic, 1, 1, TIMEOUT_MS).await {
        Ok(()) => {}
        Err(Error::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let topic = args.topic.as_str();
    let partition = client.partition_client(topic, 0, UnknownTopicHandling::Retry).await?;
    Ok(Log { partition })
}

fn record(form: SendForm) -> anyhow::Result<rskafka::record::Record> {
    let user = |id, name: &str| User { id: UserId::from_integer(id), name: name.to_owned() };
    let (from, to) = (user(form.from_id, "Bruno"), user(form.to_id, "Emma"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let record = Record::of_sent(&Sent {
        id: NotificationId::new(),
        created_at: Timestamp::from_ms_clamped(i64::try_from(now.as_millis())?),
        notification: Notification::plain(from, to, form.message),
        fingerprint: None,
    })?;
    let text = |name| String::from_utf8_lossy(name).into_owned();
    let headers = record.headers.iter().map(|(name, value)| (text(name), value.to_vec()));
    Ok(rskafka::record::Record {
        key: record.key.map(Into::into),
        value: record.value.map(Into::into),
        headers: headers.collect(),
        timestamp: record.timestamp.to_datetime(),
    })
}
