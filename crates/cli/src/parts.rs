//! Each part alone.

use std::process::ExitCode;

use service::{Exit, TelemetryArgs, run_until_interrupted};
use tokio_util::sync::CancellationToken;

use crate::{BrokerArgs, DataArgs, build_consumer, start_broker};

/// `kafka-notify broker`.
#[derive(clap::Args)]
pub(crate) struct BrokerCommand {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

/// `kafka-notify producer`.
#[derive(clap::Args)]
pub(crate) struct ProducerCommand {
    #[command(flatten)]
    brokers: kafka::BrokersArgs,
    #[command(flatten)]
    producer: producer::ProducerArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

/// `kafka-notify consumer`.
#[derive(clap::Args)]
pub(crate) struct ConsumerCommand {
    #[command(flatten)]
    brokers: kafka::BrokersArgs,
    #[command(flatten)]
    consumer: consumer::ConsumerArgs,
    #[command(flatten)]
    store: consumer::StoreArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

impl BrokerCommand {
    pub(crate) async fn run(self) -> ExitCode {
        let Self { data, broker, telemetry } = self;
        run_until_interrupted(&telemetry, async {
            let broker = start_broker(data.folder()?, broker).await?;
            Ok(async move |stop: CancellationToken| Ok(broker.run_until(stop).await?))
        })
        .await
    }
}

impl ProducerCommand {
    pub(crate) async fn run(self) -> ExitCode {
        let Self { brokers, producer, topics, telemetry } = self;
        run_until_interrupted(&telemetry, async {
            let cluster = brokers.cluster("kafka-notify-producer");
            let config = producer.config(cluster, topics.config());
            let application = producer::Application::build(config).map_err(Exit::unusable)?;
            Ok(move |stop| application.run_until_stopped(stop))
        })
        .await
    }
}

impl ConsumerCommand {
    pub(crate) async fn run(self) -> ExitCode {
        let Self { brokers, consumer, store, topics, telemetry } = self;
        run_until_interrupted(&telemetry, async {
            let store = store.folder().map_err(Exit::unusable)?;
            let cluster = brokers.cluster("kafka-notify-consumer");
            let config = consumer.config(store, cluster, topics.config());
            let application = build_consumer(config, "--store-dir")?;
            Ok(move |stop| application.run_until_stopped(stop))
        })
        .await
    }
}
