//! The topics of an installation: made, checked, and described by `$layout`.

mod layout;

pub(crate) use layout::partitions_laid_out;

use std::time::Duration;

use models::{Partition, Timestamp, TopicId, User};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Found, NewTopic};
use crate::wire::{self, Connection};
use crate::{Backoff, ClusterConfig, Error, FetchError, Partitioner, Topic};

/// How an installation's topics are named, and how they are made where they do not exist.
#[derive(Clone, Debug)]
pub struct TopicsConfig {
    /// The topic of notifications; the others' names derive from it.
    pub topic: String,
    /// Partitions of the notifications topic, where it is made. It cannot be changed later: a key's
    /// home partition depends on it.
    pub partitions_at_creation: i32,
    /// The partitioner expected; `None` takes what `$layout` says, and Java's for new topics.
    pub partitioner: Option<Partitioner>,
}

/// The topics, made and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Name of the notifications topic.
    pub notifications: String,
    /// Name of the users topic.
    pub users: String,
    /// Name of the topic of dead letters.
    pub dead_letters: String,
    /// This life of the notifications topic.
    pub topic_id: TopicId,
    /// Partitions that keys are spread over.
    pub partitions: i32,
    /// The rule that spreads them.
    pub partitioner: Partitioner,
    /// How long after it was written a record is gone from the notifications topic's files at the
    /// latest: its `retention.ms` and its `segment.ms`. None where it keeps records for good.
    pub purged_after: Option<Duration>,
}

impl Topics {
    /// The notifications topic, in the life these topics are of.
    pub fn log(&self) -> Topic {
        Topic { name: self.notifications.clone(), id: Some(self.topic_id) }
    }

    /// The partition that holds a user's inbox.
    pub fn home(&self, user_id: &models::UserId) -> Partition {
        self.partitioner.partition(user_id, self.partitions)
    }
}

/// Why the topics cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopicsError {
    /// Kafka cannot be asked, or did not do it; it may later.
    #[error(transparent)]
    Unavailable(#[from] Error),
    /// The topics are not what this installation needs. Somebody must change something.
    #[error("{0}")]
    Unsuitable(String),
}

impl From<FetchError> for TopicsError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Unavailable(error) => Self::Unavailable(error),
            // Cut or deleted while it was read: the next try begins anew.
            error @ FetchError::OutOfRange { .. } => Self::Unavailable(Error::Malformed {
                call: "read the users topic".into(),
                reason: error.to_string(),
            }),
        }
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const RETENTION_MS: u64 = 90 * DAY_MS;

/// Makes the topics that are missing, checks them, and checks or writes `$layout`.
///
/// `seed` is written together with `$layout`, in one request, where the users topic is empty.
///
/// Two processes may do this at once: a topic is made once, both write the same `$layout`, and where
/// they would write different ones, the later is refused.
///
/// # Errors
/// See [`TopicsError`].
pub async fn ensure(
    cluster: &ClusterConfig,
    config: &TopicsConfig,
    seed: &[User],
    now: Timestamp,
) -> Result<Topics, TopicsError> {
    let users = format!("{}.users", config.topic);
    let dead_letters = format!("{}.dlq", config.topic);
    let names = [config.topic.as_str(), &users, &dead_letters];
    let mut connection = wire::connect(cluster).await?;
    let found = admin::ensure_topics(&mut connection, names, |brokers| {
        let retention = RETENTION_MS.to_string();
        let day = DAY_MS.to_string();
        let base = NewTopic::replicated(brokers);
        [
            base.clone()
                .partitions(config.partitions_at_creation)
                .set("cleanup.policy", "delete")
                .set("message.timestamp.type", "CreateTime")
                .set("retention.ms", &retention)
                .set("segment.ms", &day),
            base.clone().set("cleanup.policy", "compact"),
            base.set("cleanup.policy", "delete").set("retention.ms", &retention),
        ]
    })
    .await?;
    let settings = check_settings(&mut connection, &config.topic, &users).await?;
    let [notifications, ..] = found;
    let layout =
        layout::ensure(cluster, &users, config, notifications.partitions, seed, now).await?;
    Ok(Topics {
        notifications: config.topic.clone(),
        users,
        dead_letters,
        topic_id: notifications.topic_id,
        partitions: layout.partitions,
        partitioner: layout.partitioner,
        purged_after: purged_after(&settings),
    })
}

/// What a broker may still keep of a record after its retention: the segment it is in ends with a
/// record that is up to `segment.ms` younger. A setting below zero is "for good".
fn purged_after(settings: &admin::Settings) -> Option<Duration> {
    let ms = |name: &str| settings.get(name)?.parse::<u64>().ok().map(Duration::from_millis);
    ms("retention.ms")?.checked_add(ms("segment.ms").unwrap_or_default())
}

/// As [`ensure`], again and again while Kafka cannot be asked, until `stop`: then `None`.
/// `unavailable` hears of each failed try.
///
/// # Errors
/// What trying again does not change.
pub async fn connect(
    cluster: &ClusterConfig,
    config: &TopicsConfig,
    seed: &[User],
    now: fn() -> Timestamp,
    stop: &CancellationToken,
    unavailable: impl Fn(&Error),
) -> Result<Option<Topics>, TopicsError> {
    let mut backoff = Backoff::new();
    let mut told = String::new();
    loop {
        // Boxed: the compiler gives up on the layout of futures nested this deep.
        let trying = Box::pin(ensure(cluster, config, seed, now()));
        match stop.run_until_cancelled(trying).await {
            None => return Ok(None),
            Some(Ok(topics)) => {
                tracing::info!(
                    topic = topics.notifications, topic_id = %topics.topic_id,
                    partitions = topics.partitions, partitioner = %topics.partitioner, "connected"
                );
                return Ok(Some(topics));
            }
            Some(Err(TopicsError::Unavailable(error))) if error.is_retriable() => {
                // Once a cause: waiting for Kafka may take long.
                let text = error.to_string();
                if text != told {
                    tracing::warn!(%error, "Kafka cannot be used yet, trying again until it can");
                }
                told = text;
                unavailable(&error);
            }
            Some(Err(error)) => return Err(error),
        }
        if stop.run_until_cancelled(backoff.wait()).await.is_none() {
            return Ok(None);
        }
    }
}

async fn check_settings(
    connection: &mut Connection,
    notifications: &str,
    users: &str,
) -> Result<admin::Settings, TopicsError> {
    let [of_notifications, of_users] =
        admin::describe_configs(connection, [notifications, users]).await?;
    let has = |settings: &admin::Settings, name: &str, value: &str| {
        settings.get(name).is_some_and(|set| set.split(',').any(|part| part.trim() == value))
    };
    if has(&of_notifications, "cleanup.policy", "compact") {
        return Err(TopicsError::Unsuitable(format!(
            "topic {notifications} is compacted, which would lose notifications: \
             set its cleanup.policy to delete"
        )));
    }
    if has(&of_notifications, "message.timestamp.type", "LogAppendTime") {
        return Err(TopicsError::Unsuitable(format!(
            "topic {notifications} has message.timestamp.type=LogAppendTime: set it to CreateTime"
        )));
    }
    if !has(&of_users, "cleanup.policy", "compact") {
        return Err(TopicsError::Unsuitable(format!(
            "topic {users} is not compacted, so users would be lost: \
             set its cleanup.policy to compact"
        )));
    }
    Ok(of_notifications)
}

/// What changed under a running service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Drift {
    /// The topic has another number of partitions than `$layout` says.
    #[error(
        "the notifications topic has {found} partitions, but was laid out with {expected}: records that other clients put into new ones are not read"
    )]
    Partitions {
        /// As `$layout` has it.
        expected: i32,
        /// As the cluster has it.
        found: i32,
    },
    /// The topic was deleted, and perhaps made anew.
    #[error("the notifications topic {expected} is gone{}", found.map(|id| format!(", another one, {id}, has its name")).unwrap_or_default())]
    Recreated {
        /// The life this service knows.
        expected: TopicId,
        /// The life that is there now, if any.
        found: Option<TopicId>,
    },
    /// None of the topics is there: the cluster is another one, or has lost all it had.
    #[error("none of the topics is there any more")]
    NoTopics,
}

impl Drift {
    fn is_for_good(&self) -> bool {
        match self {
            Self::Recreated { found, .. } => found.is_some(),
            Self::NoTopics => true,
            Self::Partitions { .. } => false,
        }
    }
}

/// How often a running service looks whether the topics are still what they were.
const WATCH_PERIOD: Duration = Duration::from_secs(10);

/// Looks at the topics from time to time and reports what it sees: a drift, or none. Returns when
/// `stop` is cancelled, or once what was connected to is gone for good: the topic was made anew, or no
/// topic is there at all. One that was deleted alone is for whoever deleted it to make again.
pub async fn watch(
    cluster: &ClusterConfig,
    topics: &Topics,
    stop: &CancellationToken,
    report: impl Fn(Option<&Drift>),
) {
    let mut ticks = tokio::time::interval(WATCH_PERIOD);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match drift(cluster, topics).await {
            Ok(drift) => {
                if let Some(drift) = &drift {
                    tracing::error!(%drift, "the topics changed");
                }
                report(drift.as_ref());
                if drift.as_ref().is_some_and(Drift::is_for_good) {
                    return;
                }
            }
            Err(error) => tracing::debug!(%error, "the topics cannot be looked at"),
        }
    }
}

async fn drift(cluster: &ClusterConfig, topics: &Topics) -> Result<Option<Drift>, Error> {
    let mut connection = wire::connect(cluster).await?;
    let names = [topics.notifications.as_str(), &topics.users];
    let [found, users] = admin::metadata(&mut connection, names).await?.topics;
    let expected = topics.topic_id;
    Ok(match found {
        Found::Absent if matches!(users, Found::Absent) => Some(Drift::NoTopics),
        Found::Absent => Some(Drift::Recreated { expected, found: None }),
        Found::Present(topic) if topic.topic_id != expected => {
            Some(Drift::Recreated { expected, found: Some(topic.topic_id) })
        }
        Found::Present(topic) if topic.partitions != topics.partitions => {
            Some(Drift::Partitions { expected: topics.partitions, found: topic.partitions })
        }
        Found::Present(_) | Found::NotReady => None,
    })
}
