//! The topics: which there are, making and deleting them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use serde::{Deserialize, Serialize};
use tokio::task;
use uuid::Uuid;

use crate::config::Limits;
use crate::data_dir::DataDir;
use crate::error::StartError;
use crate::files::{read_json, sync_dir, write_json};
use crate::log::Log;
use crate::partition::Partition;
use crate::topic_config::{Overrides, TopicConfig};

const TOPIC: &str = "topic.json";

/// Begins the names of folders that are not topics yet, or no more. No topic's name may hold it.
const NOT_A_TOPIC: char = '~';

/// How long a deletion waits for the last write to a partition.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// A topic and its partitions.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) overrides: Overrides,
    pub(crate) config: Arc<TopicConfig>,
    pub(crate) partitions: Vec<Arc<Partition>>,
}

/// What `topic.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct TopicFile {
    id: Uuid,
    partitions: i32,
    configs: Overrides,
}

#[derive(Debug)]
pub(crate) struct Catalog {
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    /// Held while a topic is made or deleted: its folder has one writer.
    changing: tokio::sync::Mutex<()>,
    data_dir: Arc<DataDir>,
    limits: Arc<Limits>,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

impl Catalog {
    /// Opens every topic of the data folder. Blocks; must run inside a tokio runtime.
    pub(crate) fn open(data_dir: Arc<DataDir>, limits: Arc<Limits>) -> Result<Catalog, StartError> {
        let dir = data_dir.topics();
        let doing = StartError::io("read", &dir);
        let mut topics = BTreeMap::new();
        for entry in fs::read_dir(&dir).map_err(&doing)? {
            let path = entry.map_err(&doing)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.unwrap_or_default().to_owned();
            if name.starts_with(NOT_A_TOPIC) {
                fs::remove_dir_all(&path).map_err(StartError::io("remove", &path))?;
            } else if is_legal_name(&name) && path.is_dir() {
                topics.insert(name.clone(), Arc::new(open_topic(&path, name, &limits)?));
            }
        }
        Ok(Catalog {
            topics: RwLock::new(topics),
            changing: tokio::sync::Mutex::new(()),
            data_dir,
            limits,
        })
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.read().get(name).cloned()
    }

    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.read().values().find(|topic| topic.id == id).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.read().values().cloned().collect()
    }

    /// Whether `partitions` more are allowed.
    pub(crate) fn has_room_for(&self, partitions: usize) -> bool {
        let taken: usize = self.read().values().map(|topic| topic.partitions.len()).sum();
        taken.saturating_add(partitions) <= self.limits.partitions
    }

    /// Makes a topic; it is durable when this returns.
    pub(crate) async fn create(
        &self,
        name: String,
        partitions: i32,
        overrides: Overrides,
    ) -> Result<Arc<Topic>, ResponseError> {
        let _changing = self.changing.lock().await;
        if self.topic(&name).is_some() {
            return Err(ResponseError::TopicAlreadyExists);
        }
        if !self.has_room_for(usize::try_from(partitions).unwrap_or(usize::MAX)) {
            return Err(ResponseError::PolicyViolation);
        }
        let file = TopicFile { id: Uuid::new_v4(), partitions, configs: overrides };
        let dir = self.data_dir.topics();
        let limits = Arc::clone(&self.limits);
        let making = task::spawn_blocking(move || {
            make_folders(&dir, &name, &file).map_err(StartError::io("make", &dir.join(&name)))?;
            open_topic(&dir.join(&name), name, &limits)
        });
        let topic = making.await.map_err(storage_error)?.map_err(storage_error)?;
        let topic = Arc::new(topic);
        tracing::info!(topic = %topic.name, partitions, "created");
        self.write().insert(topic.name.clone(), Arc::clone(&topic));
        Ok(topic)
    }

    /// Deletes a topic; it is durable when this returns.
    pub(crate) async fn delete(&self, topic: &Topic) -> Result<(), ResponseError> {
        let _changing = self.changing.lock().await;
        let name = &topic.name;
        // Another request may have deleted it, and a third made a new one of that name.
        if self.topic(name).is_none_or(|current| current.id != topic.id) {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        self.write().remove(name);
        // The owners end first: one that rolled a segment later would write into a successor's folder.
        for partition in &topic.partitions {
            if !partition.close(CLOSE_WITHIN).await {
                tracing::error!(topic = %name, "a partition does not end; its files stay until restart");
                return Err(ResponseError::RequestTimedOut);
            }
        }
        let dir = self.data_dir.topics();
        let from = dir.join(name);
        let removing = task::spawn_blocking(move || remove_folder(&dir, &from));
        removing.await.map_err(storage_error)?.map_err(storage_error)?;
        tracing::info!(topic = %name, "deleted");
        Ok(())
    }

    /// Asks every partition to apply retention.
    pub(crate) fn retain(&self, now_ms: i64) {
        for topic in self.all() {
            for partition in &topic.partitions {
                partition.retain(now_ms);
            }
        }
    }

    /// Ends all partitions and says how many did not within the time.
    pub(crate) async fn close(&self, within: Duration) -> usize {
        let deadline = tokio::time::Instant::now() + within;
        let mut unfinished = 0;
        for topic in self.all() {
            for partition in &topic.partitions {
                let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                unfinished += usize::from(!partition.close(left).await);
            }
        }
        unfinished
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<Topic>>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Arc<Topic>>> {
        self.topics.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a topic may have this name: Apache Kafka's rule.
pub(crate) fn is_legal_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal)
}

fn storage_error(error: impl std::error::Error + 'static) -> ResponseError {
    tracing::error!(error = &error as &dyn std::error::Error, "a topic could not be changed");
    ResponseError::KafkaStorageError
}

/// The topic's folder appears whole or not at all.
fn make_folders(dir: &Path, name: &str, file: &TopicFile) -> io::Result<()> {
    let new = dir.join(format!("{NOT_A_TOPIC}new-{}", file.id));
    fs::create_dir(&new)?;
    for index in 0..file.partitions {
        let partition = new.join(index.to_string());
        fs::create_dir(&partition)?;
        Log::create(&partition)?;
    }
    write_json(&new, TOPIC, file)?;
    fs::rename(&new, dir.join(name))?;
    sync_dir(dir)
}

/// The topic's folder is gone at once, its files a little later, or at the next start.
fn remove_folder(dir: &Path, from: &Path) -> io::Result<()> {
    let gone = dir.join(format!("{NOT_A_TOPIC}gone-{}", Uuid::new_v4()));
    fs::rename(from, &gone)?;
    sync_dir(dir)?;
    fs::remove_dir_all(gone)
}

fn open_topic(dir: &Path, name: String, limits: &Limits) -> Result<Topic, StartError> {
    let path = dir.join(TOPIC);
    let file: TopicFile =
        read_json(&path)?.ok_or_else(|| StartError::damaged(&path, 0, "it is missing"))?;
    let config = Arc::new(file.configs.topic_config());
    let mut logs = Vec::new();
    for index in 0..file.partitions {
        let dir = dir.join(index.to_string());
        logs.push(Log::open(&dir, Arc::clone(&config), limits.producers_per_partition)?);
    }
    let start = |(index, log)| Arc::new(Partition::start(log, format!("{name}/{index}"), limits));
    let partitions = logs.into_iter().enumerate().map(start).collect();
    Ok(Topic { name, id: file.id, overrides: file.configs, config, partitions })
}
