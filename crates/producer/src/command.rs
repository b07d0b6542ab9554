//! The publisher as a command, of its own program and of `kafka-notify`.

use std::process::ExitCode;

use service::{Exit, TelemetryArgs, run_until_interrupted};

use crate::{Application, ProducerArgs};

/// The flags of the publisher alone.
#[derive(Clone, Debug, clap::Args)]
pub struct Command {
    #[command(flatten)]
    brokers: kafka::BrokersArgs,
    #[command(flatten)]
    producer: ProducerArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

impl Command {
    /// Runs until SIGINT or SIGTERM.
    pub async fn run(self) -> ExitCode {
        let Self { brokers, producer, topics, telemetry } = self;
        run_until_interrupted(&telemetry, async {
            let cluster = brokers.cluster("kafka-notify-producer");
            let config = producer.config(cluster, topics.config());
            let application = Application::build(config).map_err(Exit::unusable)?;
            Ok(move |stop| application.run_until_stopped(stop))
        })
        .await
    }
}
