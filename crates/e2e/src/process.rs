//! Processes: started, watched, ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::eventually;

/// A process that was started, and what it writes. It does not outlive this value.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Lines of each output that are printed when a process is done with.
const LINES_SHOWN: usize = 60;

impl Process {
    /// Starts a command; what it writes goes to files in `logs`.
    ///
    /// # Errors
    /// The program is not there, or a file cannot be written.
    pub fn start(name: &str, mut command: Command, logs: &Path) -> Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let stdout = logs.join(format!("{name}-{number}.out"));
        let stderr = logs.join(format!("{name}-{number}.err"));
        command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
        let child = command.spawn().with_context(|| {
            format!("cannot start {:?}: it has to be installed", command.get_program())
        })?;
        Ok(Self { name: name.to_owned(), child, stdout, stderr })
    }

    /// The system's number of it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Ends it at once, whatever it is doing: SIGKILL.
    ///
    /// # Errors
    /// The system did not do it.
    pub fn kill_9(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end: SIGTERM.
    ///
    /// # Errors
    /// It has ended before, or the system did not do it.
    pub fn terminate(&mut self) -> Result<()> {
        ensure!(self.status()?.is_none(), "{} has ended before", self.name);
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status()?;
        ensure!(sent.success(), "kill -TERM {pid}: {sent}");
        Ok(())
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It did not `within` this time.
    pub async fn end(&mut self, within: Duration) -> Result<Finished> {
        let status = eventually(within, async || match self.status()? {
            Some(status) => Ok(status),
            None => bail!("{} runs", self.name),
        });
        let status = status.await?;
        Ok(Finished { status, stdout: self.stdout(), stderr: self.stderr() })
    }
}

impl Drop for Process {
    #[allow(clippy::print_stderr)] // The test runner shows it where the test failed.
    fn drop(&mut self) {
        let status = match self.status() {
            Ok(Some(status)) => status.to_string(),
            _ => "ran until now".to_owned(),
        };
        // Ended by itself: nothing to do.
        let _ = self.kill_9();
        eprintln!("--- {} ({status})", self.name);
        for (output, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
            let lines: Vec<_> = text.lines().collect();
            let hidden = lines.len().saturating_sub(LINES_SHOWN);
            for line in lines.iter().skip(hidden) {
                eprintln!("{output}| {line}");
            }
        }
    }
}

impl Finished {
    /// The same, if it ended well.
    ///
    /// # Errors
    /// It did not; what it wrote.
    pub fn success(self) -> Result<Self> {
        let Self { status, stdout, stderr } = &self;
        ensure!(status.success(), "{status}\nstdout: {stdout}\nstderr: {stderr}");
        Ok(self)
    }
}

/// Runs a command to its end, with `input` as its standard input.
///
/// # Errors
/// It cannot be started, or did not end `within` this time.
pub async fn run(mut command: Command, input: &str, within: Duration) -> Result<Finished> {
    let folder = tempfile::tempdir()?;
    let stdin = folder.path().join("stdin");
    fs::write(&stdin, input)?;
    command.stdin(Stdio::from(File::open(stdin)?));
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    Process::start(&name, command, folder.path())?.end(within).await
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
