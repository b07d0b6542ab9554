//! How a service's process starts and ends.

use std::fmt::{self, Display};
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::TelemetryArgs;

/// Something failed while running.
const EXIT_FAILED: u8 = 1;
/// The process cannot run as it was told to: a taken port, a folder in use, a bad flag.
const EXIT_UNUSABLE: u8 = 2;

/// Why a process ends other than by being told to.
#[derive(Debug)]
pub struct Exit {
    code: u8,
    reason: String,
}

impl Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Exit {
    /// It cannot run as it was told to; the reason names the flag to change. Exit code 2.
    pub fn unusable(reason: impl Display) -> Self {
        Self { code: EXIT_UNUSABLE, reason: reason.to_string() }
    }

    /// It cannot run as it was told to, for this error; `flag` changes that. Exit code 2.
    pub fn unusable_because(error: impl Into<anyhow::Error>, flag: &str) -> Self {
        Self::unusable(format!("{:#}; choose another folder with {flag}", error.into()))
    }

    /// It failed. Exit code 1.
    pub fn failed(error: &anyhow::Error) -> Self {
        Self { code: EXIT_FAILED, reason: format!("{error:#}") }
    }
}

/// Runs a process: `start` gives what runs until its token is cancelled, which SIGINT and SIGTERM
/// do. Says on standard error why it ends with a failure.
pub async fn run_until_interrupted<S, R, F>(telemetry: &TelemetryArgs, start: S) -> ExitCode
where
    S: Future<Output = Result<R, Exit>>,
    R: FnOnce(CancellationToken) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    match run(telemetry, start).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            tell(&exit.reason);
            ExitCode::from(exit.code)
        }
    }
}

async fn run<S, R, F>(telemetry: &TelemetryArgs, start: S) -> Result<(), Exit>
where
    S: Future<Output = Result<R, Exit>>,
    R: FnOnce(CancellationToken) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    telemetry.start().map_err(Exit::unusable)?;
    let failed = |error: std::io::Error| Exit::failed(&error.into());
    let signals = [
        signal(SignalKind::interrupt()).map_err(failed)?,
        signal(SignalKind::terminate()).map_err(failed)?,
    ];
    let run = start.await?;
    let stop = CancellationToken::new();
    let watching = tokio::spawn(interrupt(signals, stop.clone()));
    let result = run(stop).await;
    watching.abort();
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result.map_err(|error| Exit::failed(&error))
}

/// The first signal stops in order, the second at once.
async fn interrupt(mut signals: [Signal; 2], stop: CancellationToken) {
    next(&mut signals).await;
    stop.cancel();
    tracing::info!("stopping; a second signal stops at once");
    next(&mut signals).await;
    tracing::warn!("stopped at once: what was in hand is cut off");
    std::process::exit(EXIT_FAILED.into());
}

async fn next([interrupt, terminate]: &mut [Signal; 2]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Says why a process ends to whoever started it, if anybody still listens.
fn tell(reason: &str) {
    let _ = writeln!(std::io::stderr(), "error: {reason}");
}
