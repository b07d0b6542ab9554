//! How a service's process starts and ends.

use std::fmt::Display;
use std::future::Future;
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

impl Exit {
    /// It cannot run as it was told to; the reason names the flag to change. Exit code 2.
    pub fn unusable(reason: impl Display) -> Self {
        Self { code: EXIT_UNUSABLE, reason: reason.to_string() }
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
    result.map_err(|error| Exit::failed(&error))
}

async fn interrupt(signals: [Signal; 2], stop: CancellationToken) {
    let [mut interrupt, mut terminate] = signals;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
}

#[allow(clippy::print_stderr)] // The last words of a process are for whoever started it.
fn tell(reason: &str) {
    eprintln!("error: {reason}");
}
