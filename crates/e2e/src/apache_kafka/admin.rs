//! Topics, settings, quotas and leaders.

use anyhow::{Context, Result, ensure};

use super::{JavaTools, kcat};
use crate::Finished;

/// Administers brokers with the tools of Apache Kafka. Each call starts Java, which takes a second or
/// two.
#[derive(Clone, Debug)]
pub struct Admin {
    tools: JavaTools,
    brokers: String,
}

/// Who has a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// The node that leads, if one does.
    pub leader: Option<i32>,
    /// The nodes that have everything that was acknowledged, in no order.
    pub in_sync: Vec<i32>,
}

impl Admin {
    pub(super) fn new(tools: JavaTools, brokers: String) -> Self {
        Self { tools, brokers }
    }

    /// Creates a topic; settings are as `retention.ms=1000`.
    ///
    /// # Errors
    /// It was not created.
    pub async fn create_topic(
        &self,
        topic: &str,
        partitions: u32,
        replicas: u32,
        settings: &[&str],
    ) -> Result<()> {
        let (partitions, replicas) = (partitions.to_string(), replicas.to_string());
        let mut arguments = vec!["--create", "--topic", topic, "--partitions", &partitions];
        arguments.extend(["--replication-factor", &replicas]);
        for setting in settings {
            arguments.extend(["--config", setting]);
        }
        self.run("org.apache.kafka.tools.TopicCommand", &arguments).await?;
        Ok(())
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// It was not deleted.
    pub async fn delete_topic(&self, topic: &str) -> Result<()> {
        let arguments = ["--delete", "--topic", topic];
        self.run("org.apache.kafka.tools.TopicCommand", &arguments).await?;
        Ok(())
    }

    /// Changes settings of a topic, as `retention.ms=1000`.
    ///
    /// # Errors
    /// They were not changed.
    pub async fn alter_topic(&self, topic: &str, settings: &[&str]) -> Result<()> {
        let settings = settings.join(",");
        let alter = ["--alter", "--add-config", &settings, "--entity-type", "topics"];
        self.configure(&[&alter[..], &["--entity-name", topic]].concat()).await
    }

    /// Sets quotas, as `producer_byte_rate=1024` (bytes a second), of a client id; without one, of
    /// every client that has none of its own.
    ///
    /// # Errors
    /// They were not set.
    pub async fn set_quotas(&self, client_id: Option<&str>, quotas: &[&str]) -> Result<()> {
        self.alter_quotas("--add-config", client_id, quotas).await
    }

    /// Takes quotas away by their names, as `producer_byte_rate`.
    ///
    /// # Errors
    /// They were not taken away.
    pub async fn remove_quotas(&self, client_id: Option<&str>, names: &[&str]) -> Result<()> {
        self.alter_quotas("--delete-config", client_id, names).await
    }

    /// Makes a replica the leader that lacks what the former leader had, if no better one is alive.
    ///
    /// # Errors
    /// There was no election.
    pub async fn elect_unclean_leader(&self, topic: &str, partition: i32) -> Result<()> {
        let partition = partition.to_string();
        let arguments = ["--election-type", "UNCLEAN", "--topic", topic, "--partition", &partition];
        let elected = self.run("org.apache.kafka.tools.LeaderElectionCommand", &arguments).await?;
        // Where a leader is alive it says so, and ends well.
        ensure!(elected.stdout.contains("Successfully completed"), "{elected:?}");
        Ok(())
    }

    /// Who has a partition now. Asked with kcat, which is quick.
    ///
    /// # Errors
    /// No broker answers, or none knows the partition.
    pub async fn partition(&self, topic: &str, partition: i32) -> Result<PartitionState> {
        let listed = kcat(&self.brokers, &["-L", "-t", topic], "").await?.stdout;
        state(&listed, partition).with_context(|| format!("{topic} {partition}: {listed}"))
    }

    async fn alter_quotas(
        &self,
        how: &str,
        client_id: Option<&str>,
        quotas: &[&str],
    ) -> Result<()> {
        let quotas = quotas.join(",");
        let mut arguments = vec!["--alter", how, &quotas, "--entity-type", "clients"];
        match client_id {
            Some(client_id) => arguments.extend(["--entity-name", client_id]),
            None => arguments.push("--entity-default"),
        }
        self.configure(&arguments).await
    }

    async fn configure(&self, arguments: &[&str]) -> Result<()> {
        self.run("kafka.admin.ConfigCommand", arguments).await?;
        Ok(())
    }

    async fn run(&self, main_class: &str, arguments: &[&str]) -> Result<Finished> {
        let arguments = [&["--bootstrap-server", &self.brokers], arguments].concat();
        self.tools.tool(main_class, &arguments).await
    }
}

/// Reads kcat's `partition 0, leader 2, replicas: 1,2,3, isrs: 2,3`, after which may come an error.
fn state(listed: &str, partition: i32) -> Option<PartitionState> {
    let start = format!("partition {partition}, leader ");
    let line = listed.lines().find_map(|line| line.trim().strip_prefix(&start))?;
    let (leader, rest) = line.split_once(", ")?;
    let (_, in_sync) = rest.split_once("isrs: ")?;
    let in_sync = in_sync.split_once(", ").map_or(in_sync, |(nodes, _error)| nodes);
    let in_sync = in_sync.split(',').filter_map(|node| node.parse().ok()).collect();
    let leader = leader.parse().ok().filter(|leader| *leader >= 0);
    Some(PartitionState { leader, in_sync })
}
