//! The query service as a program of its own.

use std::process::ExitCode;

use clap::Parser;

/// kafka-notify's query service: keeps every user's inbox and answers GET /notifications/{userID}.
#[derive(Parser)]
#[command(version)]
struct Program {
    #[command(flatten)]
    command: consumer::Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    Program::parse().command.run().await
}
