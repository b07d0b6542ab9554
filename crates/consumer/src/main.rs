//! The query service as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use consumer::{Application, ConsumerArgs, StoreArgs};
use service::{Exit, TelemetryArgs};

/// kafka-notify's query service: keeps every user's inbox and answers GET /notifications/{userID}.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(flatten)]
    brokers: kafka::BrokersArgs,
    #[command(flatten)]
    consumer: ConsumerArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command { brokers, consumer, store, topics, telemetry } = Command::parse();
    service::run_until_interrupted(&telemetry, async {
        let store = store.folder().map_err(Exit::unusable)?;
        let cluster = brokers.cluster("kafka-notify-consumer");
        let application = Application::build(consumer.config(store, cluster, topics.config()));
        let application = application.map_err(|error| error.into_exit("--store-dir"))?;
        Ok(move |stop| application.run_until_stopped(stop))
    })
    .await
}
