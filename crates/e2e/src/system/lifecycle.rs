//! The life of a system's processes.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Part, System};
use crate::{Finished, Process, eventually};

/// How long a part may take to be ready, on a busy machine.
const STARTING: Duration = Duration::from_secs(30);

impl System {
    pub(super) async fn start_all(&mut self, parts: &[Part]) -> Result<()> {
        for part in parts {
            self.start(*part)?;
        }
        for part in parts {
            self.ready(*part).await?;
        }
        Ok(())
    }

    pub(super) fn lacks_a_port(&self) -> bool {
        self.processes.values().any(|process| process.stderr().contains("in use"))
    }

    /// Starts a part and does not wait for it.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub fn start(&mut self, part: Part) -> Result<()> {
        self.start_with(part, &[])
    }

    /// As [`System::start`], with more arguments.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub fn start_with(&mut self, part: Part, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(part);
        command.args(arguments);
        let name = format!("{part:?}").to_lowercase();
        // A former one ends here, before the new one needs its address.
        self.processes.remove(&part);
        let process = Process::start(&name, command, self.folder.path())?;
        self.processes.insert(part, process);
        Ok(())
    }

    /// Waits until a part is ready.
    ///
    /// # Errors
    /// It ended instead, or is not ready in time.
    pub async fn ready(&mut self, part: Part) -> Result<()> {
        let readiness = self.readiness(part);
        let process = self.process(part)?;
        let ended = eventually(STARTING, async || {
            let status = process.status()?;
            if status.is_none() {
                readiness.ask().await?;
            }
            Ok(status)
        });
        match ended.await.with_context(|| format!("{part:?} is not ready"))? {
            Some(status) => bail!("{part:?} ended: {status}\n{}", self.process(part)?.stderr()),
            None => Ok(()),
        }
    }

    /// Kills a part with SIGKILL.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill_9(&mut self, part: Part) -> Result<()> {
        let process = self.process(part)?;
        ensure!(process.status()?.is_none(), "{part:?} has ended before");
        process.kill_9()
    }

    /// Asks a part to end and waits until it has.
    ///
    /// # Errors
    /// It did not `within` this time, or not with exit code 0.
    pub async fn stop(&mut self, part: Part, within: Duration) -> Result<Finished> {
        let process = self.process(part)?;
        process.terminate()?;
        process.end(within).await?.success()
    }

    /// Starts a part that was killed or stopped, and waits until it is ready.
    ///
    /// # Errors
    /// It did not start.
    pub async fn restart(&mut self, part: Part) -> Result<()> {
        self.start(part)?;
        self.ready(part).await
    }

    /// A part's process, running or ended.
    ///
    /// # Errors
    /// It was never started.
    pub fn process(&mut self, part: Part) -> Result<&mut Process> {
        self.processes.get_mut(&part).with_context(|| format!("{part:?} was not started"))
    }
}
