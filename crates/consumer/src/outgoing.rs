//! What leaves an inbox: dead letters, relays of misplaced records, and how far that went.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use inbox::{DrainProgress, Effect, LastRecord};
use kafka::{
    Begun, ClusterConfig, Error, GroupOffsets, Lane, ProduceError, Topics, Writer, WriterConfig,
    WriterMetrics,
};
use models::{DeadLetter, Offset, Partition, Place, Record, TopicId, UserId};
use service::Tasks;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How long one dead letter or relay may wait for the log before it is handed over again.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The ways out of all partitions.
pub(crate) struct Outgoing {
    topics: Topics,
    homes: Vec<Writer>,
    dead_letters: Writer,
    offsets: Mutex<GroupOffsets>,
    turns: Semaphore,
}

/// Partitions that hand effects over at once. Larger, and together they outgrow a writer's queue,
/// which refuses some and so puts them out of order; smaller, and they wait for each other.
const TURNS: usize = 4;

/// Which records of a partition belong there.
pub(crate) struct Homes {
    topics: Topics,
    partition: Partition,
}

impl Homes {
    /// Whether the user's inbox is looked for in this partition.
    pub(crate) fn is_home(&self, user_id: &UserId) -> bool {
        self.topics.home(user_id) == self.partition
    }
}

/// How far the effects of a partition's records were delivered, and of which log: what is committed
/// to Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) next_offset: Offset,
    pub(crate) last_record: LastRecord,
}

impl Outgoing {
    /// Opens the ways out; `tasks` gets their work, which ends after [`Self::close`].
    pub(crate) fn start(
        cluster: &ClusterConfig,
        topics: &Topics,
        counts: &WriterMetrics,
        tasks: &mut Tasks,
    ) -> Arc<Self> {
        let mut writer = |topic: kafka::Topic, partition| {
            let (config, counts) = (WriterConfig::default(), counts.clone());
            let (writer, task) = Writer::new(cluster.clone(), topic, partition, &config, counts);
            tasks.spawn(async move {
                task.await;
                Ok(())
            });
            writer
        };
        let homes = (0..topics.partitions).map(|p| writer(topics.log(), Partition(p))).collect();
        let dead_letters = writer(topics.dead_letters.clone().into(), Partition(0));
        // What lag tools call the consumer group.
        let group = format!("kafka-notify.{}", topics.notifications);
        let offsets = GroupOffsets::new(cluster.clone(), group, topics.notifications.clone());
        Arc::new(Self {
            topics: topics.clone(),
            homes,
            dead_letters,
            offsets: Mutex::new(offsets),
            turns: Semaphore::new(TURNS),
        })
    }

    /// Waits until this partition may hand effects over, for as long as it keeps what it gets.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    pub(crate) fn homes(&self, partition: Partition) -> Homes {
        Homes { topics: self.topics.clone(), partition }
    }

    /// Hands an effect of the record at this place to the log.
    ///
    /// # Errors
    /// It has to be handed over again; it may have been delivered all the same.
    pub(crate) async fn deliver(
        &self,
        partition: Partition,
        offset: Offset,
        effect: Effect,
    ) -> Result<(), ProduceError> {
        let place = self.place(partition, offset);
        match effect {
            Effect::DeadLetter { record, last, reason, detail } => {
                let letter = DeadLetter {
                    topic: &self.topics.notifications,
                    place,
                    reason: &reason,
                    detail: &detail,
                };
                self.bury(match record {
                    Some(record) => letter.of_record(record, service::now()),
                    None => letter.of_batch(last, service::now()),
                })
                .await
            }
            Effect::Relay { record } => self.relay(place, record).await,
        }
    }

    /// What the broker refuses whole is buried without its content; what it refuses even so is said
    /// here and nowhere else, so that it does not hold up all behind it for ever.
    async fn bury(&self, letter: Record) -> Result<(), ProduceError> {
        let without_content = Record { value: None, key: None, ..letter.clone() };
        match produce(&self.dead_letters, letter).await {
            Err(ProduceError::Refused(_)) => {}
            result => return result,
        }
        match produce(&self.dead_letters, without_content).await {
            Err(ProduceError::Refused(code)) => {
                tracing::error!(%code, "a dead letter is refused by the broker, and given up");
                Ok(())
            }
            result => result,
        }
    }

    /// Hands a command, or the end of a notification that expired, to its inbox's partition.
    ///
    /// # Errors
    /// There is no such partition. What becomes of the record is its outcome.
    pub(crate) fn begin(
        &self,
        home: Partition,
        record: Record,
        deadline: Instant,
    ) -> Result<Begun, ProduceError> {
        let writer = self.home(home).ok_or(ProduceError::Stopped)?;
        Ok(writer.begin(record, Lane::Single, deadline))
    }

    /// A record's place in this life of the topic.
    pub(crate) fn place(&self, partition: Partition, offset: Offset) -> Place {
        Place { topic_id: self.topics.topic_id, partition, offset }
    }

    fn home(&self, partition: Partition) -> Option<&Writer> {
        self.homes.get(usize::try_from(partition.0).ok()?)
    }

    async fn relay(&self, place: Place, record: Record) -> Result<(), ProduceError> {
        let home = record.user_id().ok().map(|user_id| self.topics.home(&user_id));
        let writer = home.and_then(|home| self.home(home));
        // The fold relays only what has a user id as its key.
        let writer = writer.ok_or(ProduceError::Stopped)?;
        match produce(writer, record.clone()).await {
            Err(ProduceError::Refused(code)) => {
                let letter = DeadLetter {
                    topic: &self.topics.notifications,
                    place,
                    reason: "relay_refused",
                    detail: &format!("the broker refuses to append it to its home: {code}"),
                };
                self.bury(letter.of_record(record, service::now())).await
            }
            result => result,
        }
    }

    /// No more of anything; what waits is still written.
    pub(crate) fn close(&self) {
        for writer in self.homes.iter().chain([&self.dead_letters]) {
            writer.close();
        }
    }

    /// How far the effects of this life of the topic were delivered, as far as Kafka knows.
    ///
    /// # Errors
    /// Kafka could not be asked.
    pub(crate) async fn delivered(&self, partition: Partition) -> Result<Option<Delivered>, Error> {
        let found = self.offsets.lock().await.fetch(&[partition]).await?;
        let Some((next_offset, metadata)) = found.into_iter().flatten().next() else {
            return Ok(None);
        };
        let Ok(Metadata { topic_id, last_record }) = metadata.parse() else {
            tracing::warn!(%partition, %next_offset, "the committed offset is not this program's");
            return Ok(None);
        };
        let is_this_life = topic_id == self.topics.topic_id;
        Ok(is_this_life.then_some(Delivered { next_offset, last_record }))
    }

    /// Tells Kafka how far the effects were delivered.
    ///
    /// # Errors
    /// Kafka could not be told.
    pub(crate) async fn commit(
        &self,
        partition: Partition,
        delivered: Delivered,
    ) -> Result<(), Error> {
        let Delivered { next_offset, last_record } = delivered;
        let metadata = Metadata { topic_id: self.topics.topic_id, last_record }.to_string();
        self.offsets.lock().await.commit(&[(partition, next_offset, metadata)]).await
    }
}

async fn produce(writer: &Writer, record: Record) -> Result<(), ProduceError> {
    writer.produce(record, Lane::Batch, Instant::now() + TIMEOUT).await.map(drop)
}

impl Delivered {
    /// What can be committed: only what names the record by which the log is known again.
    pub(crate) fn of(progress: DrainProgress) -> Option<Self> {
        let last_record = progress.last_record?;
        Some(Self { next_offset: progress.next_offset, last_record })
    }
}

/// What is committed beside an offset: `<topic id> <offset of the last record below> <its hash>`.
#[derive(Debug, PartialEq, Eq)]
struct Metadata {
    topic_id: TopicId,
    last_record: LastRecord,
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LastRecord { offset, hash } = self.last_record;
        write!(f, "{} {offset} {hash}", self.topic_id)
    }
}

/// Somebody else wrote it.
#[derive(Debug)]
struct NotOurs;

impl FromStr for Metadata {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let mut parts = text.split(' ');
        let (Some(topic_id), Some(offset), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotOurs);
        };
        Ok(Self {
            topic_id: topic_id.parse().map_err(|_| NotOurs)?,
            last_record: LastRecord {
                offset: Offset(offset.parse().map_err(|_| NotOurs)?),
                hash: hash.parse().map_err(|_| NotOurs)?,
            },
        })
    }
}
