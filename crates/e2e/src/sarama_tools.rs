//! Two programs in Go that use Kafka as the tutorial's do, with the library sarama.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cache::{make_once, target_folder};
use crate::{Finished, run};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools");

/// What the programs are built from: they are built anew when it changes.
const SOURCES: [&str; 5] = [
    include_str!("../tools/go.mod"),
    include_str!("../tools/go.sum"),
    include_str!("../tools/go-consumer/main.go"),
    include_str!("../tools/go-producer/main.go"),
    include_str!("../tools/notification/notification.go"),
];

/// How long building may take, with sarama fetched over a slow line.
const BUILDING: Duration = Duration::from_secs(600);

/// How long a program may run; the consumer itself gives up after 30 s.
const RUNNING: Duration = Duration::from_secs(60);

/// The programs `go-producer` and `go-consumer`.
#[derive(Clone, Debug)]
pub struct SaramaTools {
    folder: PathBuf,
}

impl SaramaTools {
    /// The programs, built if this is the first time. They are kept in cargo's target folder.
    ///
    /// # Errors
    /// Go is missing, or sarama cannot be fetched.
    pub async fn built() -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        SOURCES.hash(&mut hasher);
        let folder = target_folder()?.join(format!("sarama-tools-{:016x}", hasher.finish()));
        make_once(&folder, build).await?;
        Ok(Self { folder })
    }

    /// Sends a notification, or several whose messages end in their numbers, from 1. The partition
    /// and the offset that each got.
    ///
    /// # Errors
    /// They were not all sent.
    pub async fn produce(
        &self,
        brokers: &str,
        (from, to): (u32, u32),
        message: &str,
        count: usize,
    ) -> Result<Vec<(i32, i64)>> {
        self.produce_with(brokers, (from, to), message, count, &[]).await
    }

    /// As [`SaramaTools::produce`], in a transaction that is committed or aborted.
    ///
    /// # Errors
    /// They were not all sent.
    pub async fn produce_in_transaction(
        &self,
        brokers: &str,
        users: (u32, u32),
        message: &str,
        count: usize,
        is_committed: bool,
    ) -> Result<Vec<(i32, i64)>> {
        let end = if is_committed { "commit" } else { "abort" };
        self.produce_with(brokers, users, message, count, &["-transaction", end]).await
    }

    async fn produce_with(
        &self,
        brokers: &str,
        (from, to): (u32, u32),
        message: &str,
        count: usize,
        more: &[&str],
    ) -> Result<Vec<(i32, i64)>> {
        let (from, to, count) = (from.to_string(), to.to_string(), count.to_string());
        let mut arguments = vec!["-from", &from, "-to", &to, "-message", message];
        arguments.extend(["-count", &count]);
        arguments.extend(more);
        let ended = self.run("go-producer", brokers, &arguments).await?.success()?;
        let place = |line: &str| {
            let (partition, offset) = line.split_once(' ')?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        };
        let places: Option<Vec<_>> = ended.stdout.lines().map(place).collect();
        places.with_context(|| format!("no places: {ended:?}"))
    }

    /// Reads all notifications that the tutorial's consumer would show, at least `count`: a line of
    /// JSON each on standard output. Exit code 1: it would have shown a blank one. What it skipped is
    /// on standard error.
    ///
    /// # Errors
    /// It cannot be started, or did not end in time.
    pub async fn consume(&self, brokers: &str, count: usize) -> Result<Finished> {
        self.run("go-consumer", brokers, &["-count", &count.to_string()]).await
    }

    async fn run(&self, program: &str, brokers: &str, arguments: &[&str]) -> Result<Finished> {
        let mut command = Command::new(self.folder.join(program));
        command.args(["-broker", brokers]).args(arguments);
        run(command, "", RUNNING).await.with_context(|| program.to_owned())
    }
}

async fn build(folder: &Path) -> Result<()> {
    let mut command = Command::new("go");
    // What git says of the sources is not needed, and fails where git does.
    command.current_dir(FOLDER).args(["build", "-buildvcs=false", "-o"]);
    command.arg(folder).args(["./go-producer", "./go-consumer"]);
    let built = run(command, "", BUILDING).await.and_then(Finished::success);
    built.context("the programs in Go cannot be built")?;
    Ok(())
}
