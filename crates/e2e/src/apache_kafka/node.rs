//! One node: its settings, its folder, its process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::java_tools::{JavaTools, RUNNING};
use crate::network::ask_broker;
use crate::{Finished, Process, eventually, free_port, run};

const SETTINGS: &str = include_str!("../../apache-kafka/server.properties");

/// How long a node may take to start, on a busy machine.
const STARTING: Duration = Duration::from_secs(60);

/// What a node is told.
pub(super) struct Plan {
    pub(super) id: i32,
    /// Where its broker listens.
    pub(super) listens: String,
    /// Where clients are told that it does.
    pub(super) address: String,
    /// Where its controller listens.
    pub(super) controller: String,
    /// More lines of settings; they win over those that are the same for all nodes.
    pub(super) settings: Vec<String>,
    /// Most memory for Java's objects, as `512m`.
    pub(super) heap: &'static str,
}

impl Plan {
    /// On ports of its own.
    pub(super) fn new(id: i32, heap: &'static str) -> Result<Self> {
        let listens = format!("127.0.0.1:{}", free_port()?);
        let controller = format!("127.0.0.1:{}", free_port()?);
        let address = listens.clone();
        Ok(Self { id, listens, address, controller, settings: Vec::new(), heap })
    }
}

/// A node and its data.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: i32,
    pub(super) tools: JavaTools,
    /// Where clients are told that it listens.
    pub(super) address: String,
    listens: String,
    heap: &'static str,
    process: Process,
    // Last: the node writes into it.
    folder: TempDir,
}

impl Node {
    /// Formats a new node's storage and starts it. `format` are more arguments for the former.
    pub(super) async fn start(tools: &JavaTools, plan: Plan, format: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        lay_out(tools, &plan, &folder, format).await?;
        let Plan { id, listens, address, heap, .. } = plan;
        let process = run_node(tools, heap, &folder)?;
        Ok(Self { id, tools: tools.clone(), address, listens, heap, process, folder })
    }

    /// Waits until it serves, which is after it has joined its cluster.
    pub(super) async fn answering(&mut self) -> Result<()> {
        let ended = eventually(STARTING, async || {
            let status = self.process.status()?;
            if status.is_none() {
                ask_broker(&self.listens).await?;
            }
            Ok(status)
        });
        match ended.await.with_context(|| format!("node {} does not answer", self.id))? {
            Some(status) => bail!("node {} ended: {status}\n{}", self.id, self.process.stderr()),
            None => Ok(()),
        }
    }

    pub(super) fn kill_9(&mut self) -> Result<()> {
        self.process.kill_9()
    }

    pub(super) async fn restart(&mut self) -> Result<()> {
        ensure!(self.process.status()?.is_some(), "node {} runs", self.id);
        self.process = run_node(&self.tools, self.heap, &self.folder)?;
        self.answering().await
    }

    /// Whether it ended because another process took one of its ports.
    pub(super) fn lacks_a_port(&self) -> bool {
        self.process.stderr().contains("Address already in use")
    }
}

/// Writes the settings and formats the storage.
async fn lay_out(tools: &JavaTools, plan: &Plan, folder: &TempDir, format: &[&str]) -> Result<()> {
    let Plan { id, listens, address, controller, settings, .. } = plan;
    let path = folder.path().join("server.properties");
    let settings = format!(
        "{SETTINGS}node.id={id}\nlog.dirs={}\n\
         listeners=PLAINTEXT://{listens},CONTROLLER://{controller}\n\
         advertised.listeners=PLAINTEXT://{address},CONTROLLER://{controller}\n{}\n",
        folder.path().join("data").display(),
        settings.join("\n")
    );
    fs::write(&path, settings)?;
    let mut command = tools.java("-Xmx256m");
    command.args(["kafka.tools.StorageTool", "format"]).args(format).arg("-c").arg(path);
    let formatted = run(command, "", RUNNING).await.and_then(Finished::success);
    formatted.context("the storage cannot be formatted")?;
    Ok(())
}

fn run_node(tools: &JavaTools, heap: &str, folder: &TempDir) -> Result<Process> {
    let mut command = tools.java(&format!("-Xmx{heap}"));
    command.arg("kafka.Kafka").arg(folder.path().join("server.properties"));
    Process::start("apache-kafka", command, folder.path())
}
