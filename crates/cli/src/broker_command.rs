//! `kafka-notify broker`.

use std::process::ExitCode;

use service::{TelemetryArgs, run_until_interrupted};
use tokio_util::sync::CancellationToken;

use crate::{BrokerArgs, DataArgs, start_broker};

/// The flags of the broker alone.
#[derive(clap::Args)]
pub(crate) struct BrokerCommand {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    broker: BrokerArgs,
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
