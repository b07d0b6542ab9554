//! The publisher as a program of its own.

use std::process::ExitCode;

use clap::Parser;

/// kafka-notify's publisher: POST /send appends notifications to Kafka.
#[derive(Parser)]
#[command(version)]
struct Program {
    #[command(flatten)]
    command: producer::Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    Program::parse().command.run().await
}
