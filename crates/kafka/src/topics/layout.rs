//! `$layout`: what all processes of an installation must agree on, kept in the users topic.

use models::{DirectoryChange, Headers, LAYOUT_KEY, Offset, Partition, Record, Timestamp, User};
use serde::{Deserialize, Serialize};

use super::{TopicsConfig, TopicsError};
use crate::leader::Leader;
use crate::{ClusterConfig, Error, Partitioner, Reader, Wait};

/// The version of records and topics that this program writes and reads.
const FORMAT: u32 = 1;

/// Bytes a fetch of the users topic asks for.
const FETCH_BYTES: i32 = 4 * 1024 * 1024;

/// The value of the record `$layout`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    format: u32,
    pub(super) partitions: i32,
    pub(super) partitioner: Partitioner,
}

impl Layout {
    fn to_record(&self, timestamp: Timestamp) -> Result<Record, serde_json::Error> {
        Ok(Record {
            key: Some(LAYOUT_KEY.into()),
            value: Some(serde_json::to_vec(self)?.into()),
            headers: Headers::default(),
            timestamp,
        })
    }
}

/// Reads `$layout`, writes it where there is none, and checks it.
pub(super) async fn ensure(
    cluster: &ClusterConfig,
    users_topic: &str,
    config: &TopicsConfig,
    partitions: i32,
    seed: &[User],
    now: Timestamp,
) -> Result<Layout, TopicsError> {
    let found = read(cluster, users_topic).await?;
    let layout = match found.layout {
        Some(layout) => layout,
        None => {
            let partitioner = config.partitioner.unwrap_or_default();
            let layout = Layout { format: FORMAT, partitions, partitioner };
            let seed = if found.is_empty { seed } else { &[] };
            write(cluster, users_topic, &layout, seed, now).await?;
            // Another process may have written one too, and a different one.
            read(cluster, users_topic).await?.layout.unwrap_or(layout)
        }
    };
    check(&layout, config, partitions)?;
    Ok(layout)
}

/// The number of partitions that `$layout` has; none where there is no such record. It is checked as
/// at a start, and nothing is written.
pub(crate) async fn partitions_laid_out(
    cluster: &ClusterConfig,
    users_topic: &str,
    config: &TopicsConfig,
    partitions: i32,
) -> Result<Option<i32>, TopicsError> {
    let Some(layout) = read(cluster, users_topic).await?.layout else { return Ok(None) };
    check(&layout, config, partitions)?;
    Ok(Some(layout.partitions))
}

struct UsersTopic {
    layout: Option<Layout>,
    is_empty: bool,
}

impl UsersTopic {
    /// Whoever wrote a differing layout second finds both, and stops before it wrote anything else.
    fn meet(&mut self, layout: Layout, users_topic: &str) -> Result<(), TopicsError> {
        match self.layout.replace(layout) {
            Some(earlier) if Some(&earlier) != self.layout.as_ref() => {
                Err(TopicsError::Unsuitable(format!(
                    "topic {users_topic} has two different {LAYOUT_KEY} records: processes with \
                     different settings were started at once; make the topics anew"
                )))
            }
            _ => Ok(()),
        }
    }
}

async fn read(cluster: &ClusterConfig, users_topic: &str) -> Result<UsersTopic, TopicsError> {
    let mut reader = Reader::new(cluster.clone(), users_topic, Partition(0));
    let (mut offset, end) = reader.bounds().await?;
    let mut found = UsersTopic { layout: None, is_empty: end == Offset(0) };
    while offset < end {
        let fetched = reader.fetch(offset, FETCH_BYTES, Wait::No).await?;
        for (_, record) in &fetched.records {
            if record.key.as_deref() == Some(LAYOUT_KEY.as_bytes()) {
                found.meet(decode(record, users_topic)?, users_topic)?;
            }
        }
        // Nothing came although the end lies ahead: all the rest was compacted away.
        if fetched.next_offset == offset {
            break;
        }
        offset = fetched.next_offset;
    }
    Ok(found)
}

fn decode(record: &Record, users_topic: &str) -> Result<Layout, TopicsError> {
    let value = record.value.as_deref().unwrap_or_default();
    serde_json::from_slice(value).map_err(|error| {
        TopicsError::Unsuitable(format!(
            "the record {LAYOUT_KEY} of topic {users_topic} cannot be read: {error}"
        ))
    })
}

/// Writes the layout and the first users in one request: a broker keeps all of it or nothing.
async fn write(
    cluster: &ClusterConfig,
    users_topic: &str,
    layout: &Layout,
    seed: &[User],
    now: Timestamp,
) -> Result<(), Error> {
    let malformed = |error: serde_json::Error| Error::Malformed {
        call: format!("write {LAYOUT_KEY} to {users_topic}"),
        reason: error.to_string(),
    };
    let mut records = vec![layout.to_record(now).map_err(malformed)?];
    for user in seed {
        let change = DirectoryChange::Present(user.clone());
        records.push(change.to_record(now).map_err(malformed)?);
    }
    let mut leader = Leader::connect(cluster, &users_topic.into(), Partition(0)).await?;
    leader.produce(records.iter(), cluster.request_timeout).await?;
    tracing::info!(topic = users_topic, users = seed.len(), "layout written");
    Ok(())
}

fn check(layout: &Layout, config: &TopicsConfig, partitions: i32) -> Result<(), TopicsError> {
    let Layout { format, partitions: laid_out, partitioner } = layout;
    let topic = &config.topic;
    let refuse = |reason: String| Err(TopicsError::Unsuitable(reason));
    if *format != FORMAT {
        return refuse(format!(
            "the topics of {topic} have format {format}, this program knows {FORMAT}: use another version"
        ));
    }
    if *laid_out != partitions {
        return refuse(format!(
            "topic {topic} has {partitions} partitions, but was laid out with {laid_out}: \
             users' inboxes would move; make the topic anew with {laid_out} partitions"
        ));
    }
    match config.partitioner {
        Some(wanted) if wanted != *partitioner => refuse(format!(
            "the topics of {topic} were laid out with the partitioner {partitioner}, not {wanted}: \
             change --partitioner"
        )),
        _ => Ok(()),
    }
}
