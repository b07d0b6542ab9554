//! Several nodes.

use anyhow::{Context, Result};

use super::node::{Node, Plan};
use super::{Admin, JavaTools, LAYOUTS};

/// Some nodes of Apache Kafka, each broker and controller, numbered from 1. Topics have a replica on
/// each node, of which one may be missing.
#[derive(Debug)]
pub struct ApacheKafkaCluster {
    nodes: Vec<Node>,
}

impl ApacheKafkaCluster {
    /// A new cluster that answers. Fewer than three nodes do not outlive one of them.
    ///
    /// # Errors
    /// Java or the jars are missing, or it did not start.
    pub async fn start(nodes: u16) -> Result<Self> {
        let tools = JavaTools::fetched().await?;
        let mut layout = 1;
        loop {
            let mut cluster = Self::launched(&tools, nodes).await?;
            match cluster.answering().await {
                Ok(()) => return Ok(cluster),
                Err(error) if layout == LAYOUTS || !cluster.lacks_a_port() => return Err(error),
                Err(_) => layout += 1,
            }
        }
    }

    async fn launched(tools: &JavaTools, count: u16) -> Result<Self> {
        let id = tools.random_id().await?;
        let mut nodes = Vec::new();
        for plan in plans(count)? {
            nodes.push(Node::start(tools, plan, &["-t", &id]).await?);
        }
        Ok(Self { nodes })
    }

    async fn answering(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.answering().await?;
        }
        Ok(())
    }

    fn lacks_a_port(&self) -> bool {
        self.nodes.iter().any(Node::lacks_a_port)
    }

    /// Where all nodes listen, `host:port,...`.
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| node.address.as_str()).collect();
        addresses.join(",")
    }

    /// Administers it.
    ///
    /// # Errors
    /// It has no nodes.
    pub fn admin(&self) -> Result<Admin> {
        Ok(self.tools()?.admin(&self.addresses()))
    }

    /// Its tools.
    ///
    /// # Errors
    /// It has no nodes.
    pub fn tools(&self) -> Result<&JavaTools> {
        Ok(&self.nodes.first().context("no nodes")?.tools)
    }

    /// Kills a node with SIGKILL.
    ///
    /// # Errors
    /// There is no such node, or it does not run.
    pub fn kill_9(&mut self, node: i32) -> Result<()> {
        self.node(node)?.kill_9()
    }

    /// Starts a node again, on what it left on the disk.
    ///
    /// # Errors
    /// There is no such node, it runs, or it did not start.
    pub async fn restart(&mut self, node: i32) -> Result<()> {
        self.node(node)?.restart().await
    }

    fn node(&mut self, id: i32) -> Result<&mut Node> {
        let mut nodes = self.nodes.iter_mut();
        nodes.find(|node| node.id == id).with_context(|| format!("there is no node {id}"))
    }
}

/// Nodes that vote for each other.
fn plans(count: u16) -> Result<Vec<Plan>> {
    let mut plans = Vec::new();
    for id in 1..=count {
        plans.push(Plan::new(id.into(), "384m")?);
    }
    let voters: Vec<_> =
        plans.iter().map(|plan| format!("{}@{}", plan.id, plan.controller)).collect();
    let voters = voters.join(",");
    let in_sync = count.saturating_sub(1).max(1);
    for plan in &mut plans {
        plan.settings = vec![
            format!("controller.quorum.voters={voters}"),
            format!("default.replication.factor={count}"),
            format!("min.insync.replicas={in_sync}"),
            format!("offsets.topic.replication.factor={count}"),
            format!("transaction.state.log.replication.factor={count}"),
            format!("transaction.state.log.min.isr={in_sync}"),
            format!("share.coordinator.state.topic.replication.factor={count}"),
            format!("share.coordinator.state.topic.min.isr={in_sync}"),
        ];
    }
    Ok(plans)
}
