//! A broker that can go and come back.

use std::time::Duration;

use broker::Broker;
use kafka::{ClusterConfig, Lane, Topics, TopicsConfig, Writer, WriterConfig, WriterMetrics};
use models::{Offset, Partition, Record};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::app::{LONG, PARTITIONS, now, soon};

/// An address that nobody else is given while the broker that listens there is down.
fn reserve() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    // The broker, which sets it too, can then listen beside a socket that does not.
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

/// A broker on an address it keeps.
pub(crate) struct TestBroker {
    config: broker::Config,
    running: Option<Broker>,
    _reserved: TcpSocket,
    dir: TempDir,
}

impl TestBroker {
    pub(crate) async fn start() -> Self {
        let mut broker = Self::not_running();
        broker.start_again().await;
        broker
    }

    /// Its address is taken, and it does not run.
    pub(crate) fn not_running() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (reserved, address) = reserve();
        let config = broker::Config::new(dir.path(), address);
        Self { config, running: None, _reserved: reserved, dir }
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop(LONG).await.unwrap();
    }

    pub(crate) async fn start_again(&mut self) {
        self.running = Some(Broker::start(self.config.clone()).await.unwrap());
    }

    /// From now on it keeps no more than the newest records: segments are small, and it deletes all
    /// but the last ones.
    pub(crate) async fn cuts_early(&mut self) {
        self.stop().await;
        let path = self.dir.path().join("topics/notifications/topic.json");
        let text = std::fs::read(&path).unwrap();
        let mut topic: Value = serde_json::from_slice(&text).unwrap();
        topic["configs"]["segment.bytes"] = "1024".into();
        topic["configs"]["retention.bytes"] = "1".into();
        std::fs::write(&path, topic.to_string()).unwrap();
        self.config.limits.retention_interval = Duration::from_millis(50);
        self.start_again().await;
    }

    pub(crate) fn faults(&self) -> broker::Faults {
        self.running.as_ref().unwrap().faults().clone()
    }

    /// Another broker, with all it has, takes the place of this one.
    pub(crate) async fn replace(&mut self, mut other: Self) {
        other.stop().await;
        self.stop().await;
        std::mem::swap(&mut self.dir, &mut other.dir);
        self.config.data_dir = self.dir.path().to_owned();
        self.start_again().await;
    }

    pub(crate) fn cluster(&self) -> ClusterConfig {
        ClusterConfig::new(vec![self.config.listen.clone()], "test")
    }

    pub(crate) async fn topics(&self) -> Topics {
        let cluster = self.cluster();
        kafka::ensure(&cluster, &topics(), &models::seed_users(), now()).await.unwrap()
    }

    /// Appends records to a partition, in this order.
    pub(crate) async fn append(&self, partition: Partition, records: Vec<Record>) -> Vec<Offset> {
        let (config, metrics) = (WriterConfig::default(), WriterMetrics::default());
        let topic = "notifications";
        let (writer, task) = Writer::new(self.cluster(), topic, partition, &config, metrics);
        let task = tokio::spawn(task);
        let mut produced = Vec::new();
        for records in records.chunks(500) {
            let sends = records.iter().map(|record| {
                let (writer, record) = (writer.clone(), record.clone());
                tokio::spawn(async move { writer.produce(record, Lane::Single, soon()).await })
            });
            for send in sends.collect::<Vec<_>>() {
                produced.push(send.await.unwrap().unwrap());
            }
        }
        writer.close();
        task.await.unwrap();
        assert!(produced.is_sorted(), "in this order");
        produced
    }
}

pub(crate) fn topics() -> TopicsConfig {
    TopicsConfig {
        topic: "notifications".into(),
        partitions_at_creation: PARTITIONS,
        partitioner: None,
    }
}
