//! Ends of a process.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

/// Something failed while running.
pub const EXIT_FAILED: u8 = 1;
/// The process cannot start as it was told to: a taken port, a folder in use, a bad flag.
pub const EXIT_UNUSABLE: u8 = 2;

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// The system does not let us wait for signals.
pub async fn interrupted() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
    }
    Ok(())
}

/// The exit code of a program that ended so.
pub fn exit_code(is_unusable: bool) -> ExitCode {
    ExitCode::from(if is_unusable { EXIT_UNUSABLE } else { EXIT_FAILED })
}
