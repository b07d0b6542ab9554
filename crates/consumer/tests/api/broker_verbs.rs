//! A broker, with verbs.

use std::time::Duration;

use kafka::{Lane, Reader, Topics, TopicsConfig, Writer, WriterConfig, WriterMetrics};
use models::{Offset, Partition, Record};
use serde_json::Value;
use test_broker::TestBroker;

use crate::app::{PARTITIONS, now, soon};

/// What these tests do with a broker.
pub(crate) trait BrokerVerbs {
    /// From now on it keeps no more than the newest records: segments are small, and it deletes all
    /// but the last ones.
    async fn cuts_early(&mut self);

    async fn topics(&self) -> Topics;

    /// Someone who reads a partition.
    async fn reader(&self, partition: Partition) -> Reader;

    /// Appends records to a partition, in this order.
    async fn append(&self, partition: Partition, records: Vec<Record>) -> Vec<Offset>;
}

impl BrokerVerbs for TestBroker {
    async fn cuts_early(&mut self) {
        self.stop().await;
        let path = self.config_mut().data_dir.join("topics/notifications/topic.json");
        let text = std::fs::read(&path).unwrap();
        let mut topic: Value = serde_json::from_slice(&text).unwrap();
        topic["configs"]["segment.bytes"] = "1024".into();
        topic["configs"]["retention.bytes"] = "1".into();
        std::fs::write(&path, topic.to_string()).unwrap();
        self.config_mut().limits.retention_interval = Duration::from_millis(50);
        self.start_again().await;
    }

    async fn topics(&self) -> Topics {
        let cluster = self.cluster();
        kafka::ensure(&cluster, &topics(), &models::seed_users(), now()).await.unwrap()
    }

    async fn reader(&self, partition: Partition) -> Reader {
        let mut reader = Reader::new(self.cluster(), self.topics().await.log(), partition);
        reader.connect().await.unwrap();
        reader
    }

    async fn append(&self, partition: Partition, records: Vec<Record>) -> Vec<Offset> {
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
