//! The jars of Apache Kafka, and its tools.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Admin;
use crate::cache::{make_once, target_folder};
use crate::{Finished, run};

/// The version that `apache-kafka/pom.xml` names.
const VERSION: &str = "4.3.1";

const POM: &str = include_str!("../../apache-kafka/pom.xml");
const LOG_SETTINGS: &str = include_str!("../../apache-kafka/log4j2.properties");

/// How long fetching the jars may take, over a slow line.
const FETCHING: Duration = Duration::from_secs(600);
/// How long a tool may run.
pub(super) const RUNNING: Duration = Duration::from_secs(90);

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
            None => target_folder()
                .context("set NOTIFY_KAFKA_CACHE")?
                .join(format!("apache-kafka-{VERSION}")),
        };
        make_once(&folder, fetch).await?;
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

    /// Administers the brokers at these addresses, `host:port,...`.
    pub fn admin(&self, brokers: &str) -> Admin {
        Admin::new(self.clone(), brokers.to_owned())
    }

    /// An id for a new cluster.
    pub(super) async fn random_id(&self) -> Result<String> {
        let ended = self.tool("kafka.tools.StorageTool", &["random-uuid"]).await?;
        Ok(ended.stdout.trim().to_owned())
    }

    pub(super) fn java(&self, heap: &str) -> Command {
        let mut logs = OsString::from("-Dlog4j2.configurationFile=file:");
        logs.push(self.folder.join("log4j2.properties"));
        let mut command = Command::new("java");
        command.arg(heap).arg("-XX:TieredStopAtLevel=1").arg(logs);
        command.arg("-cp").arg(self.folder.join("libs").join("*"));
        command
    }
}

async fn fetch(folder: &Path) -> Result<()> {
    let pom = folder.join("pom.xml");
    fs::write(&pom, POM)?;
    fs::write(folder.join("log4j2.properties"), LOG_SETTINGS)?;
    let mut output = OsString::from("-DoutputDirectory=");
    output.push(folder.join("libs"));
    let mut command = Command::new("mvn");
    command.args(["-q", "-B", "-f"]).arg(&pom).arg("dependency:copy-dependencies");
    command.arg("-DincludeScope=runtime").arg(output);
    let fetched = run(command, "", FETCHING).await.and_then(Finished::success);
    fetched.context("Apache Kafka cannot be fetched with Maven")?;
    Ok(())
}
