//! Apache Kafka as processes: a node, its tools, and kcat.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::network::ask_broker;
use crate::{Finished, Process, eventually, free_port, run};

/// The version that `apache-kafka/pom.xml` names.
const VERSION: &str = "4.3.1";

const POM: &str = include_str!("../apache-kafka/pom.xml");
const LOG_SETTINGS: &str = include_str!("../apache-kafka/log4j2.properties");
const SERVER_SETTINGS: &str = include_str!("../apache-kafka/server.properties");

/// How long fetching the jars may take, over a slow line.
const FETCHING: Duration = Duration::from_secs(600);
/// How long a node may take to start, on a busy machine.
const STARTING: Duration = Duration::from_secs(60);
/// How long a tool may run.
const RUNNING: Duration = Duration::from_secs(90);

/// The jars of Apache Kafka, from which its programs are started.
#[derive(Clone, Debug)]
pub struct JavaTools {
    folder: PathBuf,
}

impl JavaTools {
    /// The jars, fetched with Maven if this is the first time.
    ///
    /// They are kept in `NOTIFY_KAFKA_CACHE`, by default in cargo's target folder.
    ///
    /// # Errors
    /// They cannot be fetched.
    pub async fn fetched() -> Result<Self> {
        let folder = match std::env::var_os("NOTIFY_KAFKA_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => target_folder()?.join(format!("apache-kafka-{VERSION}")),
        };
        if !folder.is_dir() {
            fetch(&folder).await?;
        }
        Ok(Self { folder })
    }

    /// Runs a program of Apache Kafka to its end.
    ///
    /// # Errors
    /// It cannot be started, did not end in time, or failed.
    pub async fn tool(&self, main_class: &str, arguments: &[&str]) -> Result<Finished> {
        self.feed(main_class, arguments, "").await
    }

    /// As [`JavaTools::tool`], with `input` as its standard input.
    ///
    /// # Errors
    /// As there.
    pub async fn feed(
        &self,
        main_class: &str,
        arguments: &[&str],
        input: &str,
    ) -> Result<Finished> {
        let mut command = self.java("-Xmx256m");
        command.arg(main_class).args(arguments);
        let ended = run(command, input, RUNNING).await.and_then(Finished::success);
        ended.with_context(|| format!("{main_class} {}", arguments.join(" ")))
    }

    fn java(&self, heap: &str) -> Command {
        let mut logs = OsString::from("-Dlog4j2.configurationFile=file:");
        logs.push(self.folder.join("log4j2.properties"));
        let mut command = Command::new("java");
        command.arg(heap).arg("-XX:TieredStopAtLevel=1").arg(logs);
        command.arg("-cp").arg(self.folder.join("libs").join("*"));
        command
    }
}

/// Fetches beside the folder and then gives the whole its name: the folder is there complete or not
/// at all, and of several test processes that do this at once the first one wins.
async fn fetch(folder: &Path) -> Result<()> {
    let parent = folder.parent().context("the cache folder is no root")?;
    fs::create_dir_all(parent)?;
    let fetching = tempfile::Builder::new().prefix(".apache-kafka-").tempdir_in(parent)?;
    let pom = fetching.path().join("pom.xml");
    fs::write(&pom, POM)?;
    fs::write(fetching.path().join("log4j2.properties"), LOG_SETTINGS)?;
    let mut output = OsString::from("-DoutputDirectory=");
    output.push(fetching.path().join("libs"));
    let mut command = Command::new("mvn");
    command.args(["-q", "-B", "-f"]).arg(&pom).arg("dependency:copy-dependencies");
    command.arg("-DincludeScope=runtime").arg(output);
    let fetched = run(command, "", FETCHING).await.and_then(Finished::success);
    fetched.context("Apache Kafka cannot be fetched with Maven")?;
    match fs::rename(fetching.path(), folder) {
        Err(_) if folder.is_dir() => Ok(()),
        renamed => renamed.with_context(|| format!("cannot make {}", folder.display())),
    }
}

/// The folder that cargo builds into, which it marks (Cache Directory Tagging Specification).
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map(Path::to_owned).context("no target folder above this test; set NOTIFY_KAFKA_CACHE")
}

/// One node of Apache Kafka, broker and controller, with its data in a folder of its own.
#[derive(Debug)]
pub struct ApacheKafka {
    tools: JavaTools,
    address: String,
    node: Process,
    // Last: the node writes into it.
    folder: TempDir,
}

/// How often a node is laid out anew because another process took one of its ports meanwhile.
const LAYOUTS: u32 = 3;

impl ApacheKafka {
    /// A new node that answers.
    ///
    /// # Errors
    /// Java or the jars are missing, or it did not start.
    pub async fn start() -> Result<Self> {
        let tools = JavaTools::fetched().await?;
        let mut layout = 1;
        loop {
            let folder = tempfile::tempdir()?;
            let address = lay_out(&tools, folder.path()).await?;
            let node = start_node(&tools, folder.path())?;
            let mut kafka = Self { tools: tools.clone(), address, node, folder };
            match kafka.answering().await {
                Ok(()) => return Ok(kafka),
                Err(error) if layout == LAYOUTS || !kafka.lacks_a_port() => return Err(error),
                Err(_) => layout += 1,
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its tools.
    pub fn tools(&self) -> &JavaTools {
        &self.tools
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
    /// It did not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.node = start_node(&self.tools, self.folder.path())?;
        self.answering().await
    }

    async fn answering(&mut self) -> Result<()> {
        let ended = eventually(STARTING, async || {
            let status = self.node.status()?;
            if status.is_none() {
                ask_broker(&self.address).await?;
            }
            Ok(status)
        });
        match ended.await.context("Apache Kafka does not answer")? {
            Some(status) => bail!("Apache Kafka ended: {status}\n{}", self.node.stderr()),
            None => Ok(()),
        }
    }

    fn lacks_a_port(&self) -> bool {
        self.node.stderr().contains("Address already in use")
    }
}

/// Writes the settings and formats the storage.
async fn lay_out(tools: &JavaTools, folder: &Path) -> Result<String> {
    let (broker, controller) = (free_port()?, free_port()?);
    let address = format!("127.0.0.1:{broker}");
    let listeners = format!("PLAINTEXT://{address},CONTROLLER://127.0.0.1:{controller}");
    let settings = format!(
        "{SERVER_SETTINGS}listeners={listeners}\nadvertised.listeners={listeners}\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n",
        folder.join("data").display()
    );
    let path = folder.join("server.properties");
    fs::write(&path, settings)?;
    let mut command = tools.java("-Xmx256m");
    let cluster_id = tools.tool("kafka.tools.StorageTool", &["random-uuid"]).await?.stdout;
    command.args(["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id.trim()]);
    command.arg("-c").arg(path);
    run(command, "", RUNNING).await?.success().context("the storage cannot be formatted")?;
    Ok(address)
}

fn start_node(tools: &JavaTools, folder: &Path) -> Result<Process> {
    let mut command = tools.java("-Xmx512m");
    command.arg("kafka.Kafka").arg(folder.join("server.properties"));
    Process::start("apache-kafka", command, folder)
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
    let ended = run(command, input, RUNNING).await.and_then(Finished::success);
    ended.with_context(|| format!("kcat -b {broker} {}", arguments.join(" ")))
}
