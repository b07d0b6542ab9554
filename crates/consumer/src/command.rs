//! The query service as a command, of its own program and of `kafka-notify`.

use std::process::ExitCode;

use service::{Exit, TelemetryArgs, run_until_interrupted};

use crate::{Application, ConsumerArgs, ProducerUrlArgs, StoreArgs};

/// The flags of the query service alone.
#[derive(Clone, Debug, clap::Args)]
pub struct Command {
    #[command(flatten)]
    brokers: kafka::BrokersArgs,
    #[command(flatten)]
    consumer: ConsumerArgs,
    #[command(flatten)]
    producer: ProducerUrlArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

impl Command {
    /// Runs until SIGINT or SIGTERM.
    pub async fn run(self) -> ExitCode {
        let Self { brokers, consumer, producer, store, topics, telemetry } = self;
        run_until_interrupted(&telemetry, async {
            let store = store.folder().map_err(Exit::unusable)?;
            let cluster = brokers.cluster("kafka-notify-consumer");
            let config = consumer.config(producer.producer_url, store, cluster, topics.config());
            let application =
                Application::build(config).map_err(|error| error.into_exit("--store-dir"))?;
            Ok(move |stop| application.run_until_stopped(stop))
        })
        .await
    }
}
