//! `kafka-notify doctor`: looks at everything and changes nothing.

mod brokers;
mod report;
mod services;
mod settings;

use crate::client::Client;
use crate::client_args::{ClientArgs, ConsumerUrl, ProducerUrl};
use crate::failure::{EXIT_CODES, Ending, Failure};

use report::Report;

const HOW: &str = "\
It prints one line for each thing it looks at: ok, warning or error, and what to do about it. It
exits with 0 where there is no error, and with 1 where there is one. Nothing is changed.";

/// What to look at.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{HOW}\n\n{EXIT_CODES}"))]
pub(crate) struct DoctorCommand {
    #[command(flatten)]
    brokers: kafka::BrokersArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    consumer: ConsumerUrl,
    #[command(flatten)]
    producer: ProducerUrl,
}

impl DoctorCommand {
    pub(crate) async fn run(self) -> Result<Ending, Failure> {
        let client = Client::new(&self.client)?;
        let mut report = Report::new(self.client.json);
        let cluster = self.brokers.cluster("kafka-notify-doctor");
        brokers::look(&cluster, &self.topics.config(), &mut report).await?;
        services::look_at_producer(&client, &self.producer.producer, &mut report).await?;
        services::look_at_consumer(&client, &self.consumer.consumer, &mut report).await?;
        report.end()
    }
}
