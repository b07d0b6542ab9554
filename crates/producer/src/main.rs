//! The publisher as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use producer::{Application, ProducerArgs};
use service::{Exit, TelemetryArgs};

/// kafka-notify's publisher: POST /send appends notifications to Kafka.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(flatten)]
    brokers: kafka::BrokersArgs,
    #[command(flatten)]
    producer: ProducerArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command { brokers, producer, topics, telemetry } = Command::parse();
    service::run_until_interrupted(&telemetry, async {
        let cluster = brokers.cluster("kafka-notify-producer");
        let application = Application::build(producer.config(cluster, topics.config()));
        let application = application.map_err(Exit::unusable)?;
        Ok(move |stop| application.run_until_stopped(stop))
    })
    .await
}
