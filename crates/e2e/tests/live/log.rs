//! What is written to the log, and what it must be told as.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use e2e::{Part, System};
use kafka::{ClusterConfig, Lane, Topics, TopicsConfig, Writer, WriterConfig, WriterMetrics};
use models::{
    Change, Changed, Notification, NotificationId, Offset, Partition, Record, Selection, Sent,
    Timestamp, User, UserId,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::random::Random;
use crate::subscriber::{THE_END, Told};

/// The topic, which anybody may write to.
pub(crate) struct Log {
    topics: Topics,
    writers: Vec<Writer>,
}

/// What happens to one user.
pub(crate) struct Story {
    user: User,
    random: Random,
    /// By the offset.
    events: BTreeMap<i64, Written>,
    /// What was sent and is not deleted.
    there: Vec<NotificationId>,
}

enum Written {
    Sent(NotificationId),
    /// The ids that it deletes.
    Changed(Vec<NotificationId>),
}

impl Log {
    pub(crate) async fn open(broker: &str) -> Result<Self> {
        let cluster = ClusterConfig::new(vec![broker.to_owned()], "e2e");
        let config = TopicsConfig {
            topic: "notifications".into(),
            partitions_at_creation: 6,
            partitioner: None,
        };
        let topics = kafka::ensure(&cluster, &config, &models::seed_users(), now()).await?;
        let mut writers = Vec::new();
        for partition in (0..topics.partitions).map(Partition) {
            let (config, metrics) = (WriterConfig::default(), WriterMetrics::default());
            let (writer, task) =
                Writer::new(cluster.clone(), topics.log(), partition, &config, metrics);
            tokio::spawn(task);
            writers.push(writer);
        }
        Ok(Self { topics, writers })
    }

    async fn append(&self, user_id: &UserId, record: Record) -> Result<i64> {
        let home = usize::try_from(self.topics.home(user_id).0)?;
        let writer = self.writers.get(home).context("a writer")?;
        let deadline = Instant::now() + Duration::from_secs(30);
        let Offset(offset) = writer.produce(record, Lane::Batch, deadline).await?;
        Ok(offset)
    }
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_ms_clamped(i64::try_from(since_1970.as_millis()).unwrap())
}

impl Story {
    pub(crate) fn new(user: &str, random: Random) -> Self {
        let user = User { id: user.parse().unwrap(), name: user.to_owned() };
        Self { user, random, events: BTreeMap::new(), there: Vec::new() }
    }

    pub(crate) fn user(&self) -> &str {
        self.user.id.as_str()
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// So many sends, reads and deletes more.
    pub(crate) async fn go_on(&mut self, log: &Log, events: usize) -> Result<()> {
        for _ in 0..events {
            match self.random.below(10) {
                0..6 => self.send(log, format!("number {}", self.events.len())).await?,
                6 | 7 => self.change(log, Change::Read(true)).await?,
                8 => {
                    let change = [Change::Read(false), Change::Archived(true)];
                    let change = change[self.random.below(2)];
                    self.change(log, change).await?;
                }
                _ => self.change(log, Change::Deleted).await?,
            }
        }
        Ok(())
    }

    /// A last event, which is told to everybody.
    pub(crate) async fn end(&mut self, log: &Log) -> Result<()> {
        self.send(log, THE_END.to_owned()).await
    }

    async fn send(&mut self, log: &Log, text: String) -> Result<()> {
        let (id, created_at, fingerprint) = (NotificationId::new(), now(), None);
        let notification = Notification::plain(self.user.clone(), self.user.clone(), text);
        let record = Record::of_sent(&Sent { id, created_at, notification, fingerprint })?;
        let offset = log.append(&self.user.id, record).await?;
        self.events.insert(offset, Written::Sent(id));
        self.there.push(id);
        Ok(())
    }

    async fn change(&mut self, log: &Log, change: Change) -> Result<()> {
        let is_all = change != Change::Deleted && self.random.below(20) == 0;
        let (mut meant, mut deleted) = (Vec::new(), Vec::new());
        for _ in 0..=self.random.below(3) {
            if !self.there.is_empty() {
                let at = self.random.below(self.there.len());
                meant.push(self.there[at]);
                if change == Change::Deleted {
                    deleted.push(self.there.swap_remove(at));
                }
            }
        }
        let selection =
            if is_all { Selection::Before(Offset(i64::MAX)) } else { Selection::Ids(meant) };
        let changed = Changed {
            id: NotificationId::new(),
            user_id: self.user.id.clone(),
            changed_at: now(),
            selection,
            change,
            reason: None,
            fingerprint: None,
        };
        let offset = log.append(&self.user.id, Record::of_changed(&changed)?).await?;
        self.events.insert(offset, Written::Changed(deleted));
        Ok(())
    }

    /// The stream told each event once and in order, but for what was deleted by the time that it came
    /// back; and it comes to what the page shows.
    pub(crate) async fn check(&self, told: &Told, system: &System) -> Result<()> {
        ensure!(told.events.is_sorted_by(|a, b| a < b), "twice, or not in order");
        if told.gaps == 0 {
            let mut deleted = BTreeMap::new();
            for (offset, event) in &self.events {
                if let Written::Changed(ids) = event {
                    deleted.extend(ids.iter().map(|id| (*id, *offset)));
                }
            }
            for (offset, event) in &self.events {
                if told.events.binary_search(offset).is_ok() {
                    continue;
                }
                let Written::Sent(id) = event else { anyhow::bail!("{offset} is not told") };
                ensure!(deleted.contains_key(id), "{offset} is not told, and still there");
                let next = told.events.partition_point(|told| told < offset);
                let after = told.events.get(next).context("an end")?;
                let came_back = told.begins.iter().any(|begin| begin <= offset && *after >= *begin);
                ensure!(came_back, "{offset} is not told, though it was connected");
            }
        }
        for offset in &told.events {
            ensure!(self.events.contains_key(offset), "{offset} never happened");
        }
        ensure!(told.notifications() == self.page(system).await?, "another state than the page's");
        Ok(())
    }

    async fn page(&self, system: &System) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path =
                format!("/v1/users/{}/notifications?status=all&limit=200{cursor}", self.user.id);
            let page: Value = serde_json::from_str(&system.get(Part::Consumer, &path).await?.body)?;
            all.extend(page["notifications"].as_array().context("notifications")?.iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { return Ok(all) };
            cursor = format!("&cursor={next}");
        }
    }
}
