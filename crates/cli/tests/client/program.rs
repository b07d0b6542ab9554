//! The program under test.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::server::Server;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs of the program that share a state folder.
pub(crate) struct Program {
    home: TempDir,
    url: String,
}

impl Program {
    /// Its runs talk to this server as producer and as consumer.
    pub(crate) fn at(server: &Server) -> Self {
        Self::at_url(&server.url())
    }

    pub(crate) fn at_url(url: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: url.to_owned() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-notify"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home())
            .env("NOTIFY_URL", &self.url)
            .env("NOTIFY_PRODUCER_URL", &self.url)
            .env("NOTIFY_TIMEOUT", "20")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Runs to the end. It ends by itself: all its waits have deadlines.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        end(self.spawn(args)).await
    }

    pub(crate) async fn run_with_input(&self, args: &[&str], input: &str) -> Ended {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
        // A program that does not read it all closes the pipe.
        thread::spawn(move || _ = stdin.write_all(input.as_bytes()));
        end(child).await
    }
}

pub(crate) async fn end(child: Child) -> Ended {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    Ended {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}
