//! Apache Kafka as processes: one node or a cluster, its tools, and kcat.

mod admin;
mod cluster;
mod java_tools;
mod node;

use std::process::Command;

use anyhow::{Context, Result};

use crate::{ChaosProxy, Finished, run};
use node::{Node, Plan};

pub use admin::{Admin, PartitionState};
pub use cluster::ApacheKafkaCluster;
pub use java_tools::JavaTools;

/// How often a node is laid out anew because another process took one of its ports meanwhile.
const LAYOUTS: u32 = 3;

/// One node of Apache Kafka, broker and controller, with its data in a folder of its own.
#[derive(Debug)]
pub struct ApacheKafka {
    node: Node,
}

impl ApacheKafka {
    /// A new node that answers.
    ///
    /// # Errors
    /// Java or the jars are missing, or it did not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// As [`ApacheKafka::start`], with more lines of `server.properties`, as `message.max.bytes=1000`.
    ///
    /// # Errors
    /// As there.
    pub async fn start_with(settings: &[&str]) -> Result<Self> {
        let mut layout = 1;
        loop {
            let mut kafka = Self::launched(plan(settings)?).await?;
            match kafka.node.answering().await {
                Ok(()) => return Ok(kafka),
                Err(error) if layout == LAYOUTS || !kafka.node.lacks_a_port() => return Err(error),
                Err(_) => layout += 1,
            }
        }
    }

    /// As [`ApacheKafka::start_with`], with a proxy before it, which it advertises: its clients, the
    /// tools too, come through the proxy.
    ///
    /// # Errors
    /// As there.
    pub async fn behind_proxy(settings: &[&str]) -> Result<(Self, ChaosProxy)> {
        let mut plan = plan(settings)?;
        let proxy = ChaosProxy::start(&plan.listens).await?;
        plan.address = proxy.address();
        let mut kafka = Self::launched(plan).await?;
        kafka.node.answering().await?;
        Ok((kafka, proxy))
    }

    async fn launched(plan: Plan) -> Result<Self> {
        let tools = JavaTools::fetched().await?;
        let id = tools.random_id().await?;
        let node = Node::start(&tools, plan, &["--standalone", "-t", &id]).await?;
        Ok(Self { node })
    }

    /// Where clients reach it: its own address, or its proxy's.
    pub fn address(&self) -> &str {
        &self.node.address
    }

    /// Its tools.
    pub fn tools(&self) -> &JavaTools {
        &self.node.tools
    }

    /// Administers it.
    pub fn admin(&self) -> Admin {
        self.tools().admin(self.address())
    }

    /// Kills the node with SIGKILL.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill_9(&mut self) -> Result<()> {
        self.node.kill_9()
    }

    /// Starts the node again, on what it left on the disk.
    ///
    /// # Errors
    /// It runs, or did not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.node.restart().await
    }
}

/// A node that is its own cluster.
fn plan(settings: &[&str]) -> Result<Plan> {
    let mut plan = Plan::new(1, "512m")?;
    plan.settings.push(format!("controller.quorum.bootstrap.servers={}", plan.controller));
    plan.settings.extend(settings.iter().map(|&line| line.to_owned()));
    Ok(plan)
}

/// Runs kcat to its end, with `input` as its standard input.
///
/// # Errors
/// It cannot be started, did not end in time, or failed.
pub async fn kcat(broker: &str, arguments: &[&str], input: &str) -> Result<Finished> {
    let mut command = Command::new("kcat");
    // Settings of the person who runs the tests are not part of them.
    command.env("HOME", std::env::temp_dir()).env_remove("KCAT_CONFIG");
    command.args(["-b", broker]).args(arguments);
    let ended = run(command, input, java_tools::RUNNING).await.and_then(Finished::success);
    ended.with_context(|| format!("kcat -b {broker} {}", arguments.join(" ")))
}
