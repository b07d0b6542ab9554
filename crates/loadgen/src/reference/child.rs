//! The reference as a child of the load that it is compared under.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::ProduceArgs;
use crate::process::Watched;
use crate::target::Target;

/// A reference server that runs; it ends with this value, and with this process.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    target: Target,
    /// The child runs as long as this is open.
    stdin: Option<ChildStdin>,
}

/// How long it may take to listen: longer than it waits for Kafka.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may take to end before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

impl Child {
    /// One for `/send`.
    pub(crate) fn publishing() -> anyhow::Result<Self> {
        Self::start(&[])
    }

    /// One for `/send` that produces to Kafka.
    pub(crate) fn producing(args: &ProduceArgs) -> anyhow::Result<Self> {
        let broker = args.broker.to_string();
        Self::start(&["--produces", "--broker", &broker, "--topic", &args.topic])
    }

    /// One for `/notifications`, with so many in each answer.
    pub(crate) fn querying(notifications: u32, message_bytes: u32) -> anyhow::Result<Self> {
        let (notifications, bytes) = (notifications.to_string(), message_bytes.to_string());
        Self::start(&["--notifications", &notifications, "--message-bytes", &bytes])
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// The process.
    pub(crate) fn watched(&self) -> Watched {
        Watched { name: "reference".to_owned(), pid: self.process.id() }
    }

    fn start(args: &[&str]) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["reference-server", "--port", "0"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the reference")?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        match stdout.context("no output").and_then(first_line) {
            Ok(target) => Ok(Self { process, target, stdin }),
            Err(error) => {
                stop(&mut process);
                Err(error.context("the reference did not start"))
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let deadline = Instant::now() + STOP_TIMEOUT;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        stop(&mut self.process);
    }
}

/// Ends it if it has not ended; there is nobody to tell that it cannot be.
fn stop(process: &mut std::process::Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// The first line it writes: its address.
fn first_line(stdout: ChildStdout) -> anyhow::Result<Target> {
    let (line, lines) = sync_channel(1);
    // Reading has no timeout of its own. The thread ends when the child does, at the latest.
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = BufReader::new(stdout).read_line(&mut text);
        drop(line.send(read.map(|_| text)));
    });
    Ok(lines.recv_timeout(START_TIMEOUT).context("no address")??.trim().parse()?)
}
