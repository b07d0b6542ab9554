//! The program `broker`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use broker::{Args, Broker, Config};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// The address or the data folder is taken: a flag changes that.
const IN_USE: u8 = 2;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let stop = stop_on_signal()?;
    let broker = match Broker::start(Config::from(Args::parse())).await {
        Ok(broker) => broker,
        Err(error) => {
            let Some(advice) = error.advice() else {
                return Err(error).context("the broker did not start");
            };
            writeln!(std::io::stderr(), "{advice}")?;
            return Ok(ExitCode::from(IN_USE));
        }
    };
    broker.run_until(stop).await?;
    Ok(ExitCode::SUCCESS)
}

fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopping.cancel();
    });
    Ok(stop)
}
