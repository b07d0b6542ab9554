//! `kafka-notify up`: everything in one process.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use service::{Exit, Health, Tasks, TelemetryArgs, run_until_interrupted};
use tokio_util::sync::CancellationToken;

use crate::{BrokerArgs, DataArgs, start_broker};

/// `kafka-notify up`.
#[derive(clap::Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    producer: producer::ProducerArgs,
    #[command(flatten)]
    consumer: consumer::ConsumerArgs,
    #[command(flatten)]
    topics: kafka::TopicsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

pub(crate) async fn run(args: UpArgs) -> ExitCode {
    let telemetry = args.telemetry.clone();
    run_until_interrupted(&telemetry, async {
        let system = System::start(args).await?;
        Ok(move |stop| system.run_until_stopped(stop))
    })
    .await
}

/// All parts, with their addresses and folders taken.
struct System {
    data_dir: PathBuf,
    broker: Broker,
    producer: producer::Application,
    consumer: consumer::Application,
}

/// How long the services may take to stop: their own bounds are shorter.
const STOPPING: Duration = Duration::from_secs(30);

impl System {
    async fn start(args: UpArgs) -> Result<Self, Exit> {
        let data_dir = args.data.folder()?;
        let topics = args.topics.config();
        let broker = start_broker(data_dir.clone(), args.broker).await?;
        let cluster =
            |name| kafka::ClusterConfig::new(vec![reachable(broker.addr()).to_string()], name);
        let store = data_dir.join("inbox");
        let config = args.producer.config(cluster("kafka-notify-producer"), topics.clone());
        let producer = producer::Application::build(config).map_err(Exit::unusable)?;
        let producer_url = format!("http://{}", reachable(producer.address()));
        let cluster_of_consumer = cluster("kafka-notify-consumer");
        let config = args.consumer.config(producer_url, store, cluster_of_consumer, topics.clone());
        let consumer =
            consumer::Application::build(config).map_err(|error| error.into_exit("--data-dir"))?;
        // Once, here, for both services. Boxed: the compiler gives up on futures nested this deep.
        let (cluster, seed) = (cluster("kafka-notify"), models::seed_users());
        Box::pin(kafka::ensure(&cluster, &topics, &seed, service::now()))
            .await
            .map_err(|error| Exit::failed(&error.into()))?;
        Ok(Self { data_dir, broker, producer, consumer })
    }

    /// The services stop first: what they still have to write needs the broker.
    async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        let welcome = self.welcome();
        let Self { broker, producer, consumer, .. } = self;
        let health = [producer.health(), consumer.health()];
        let mut services = Tasks::new(stop.clone());
        services.spawn(producer.run_until_stopped(stop.clone()));
        services.spawn(consumer.run_until_stopped(stop.clone()));
        if stop.run_until_cancelled(all_live(health)).await.is_some() {
            tell(&welcome);
        }
        stop.cancelled().await;
        let ended = services.end(STOPPING).await;
        let stopped = broker.stop(STOPPING).await;
        ended?;
        Ok(stopped?)
    }

    fn welcome(&self) -> String {
        let producer = local(self.producer.address());
        let consumer = local(self.consumer.address());
        format!(
            "kafka-notify is up\n  \
               broker    {broker}\n  \
               producer  http://{producer}\n  \
               consumer  http://{consumer}\n  \
               data      {data_dir}\n\n\
             Try it:\n  \
               curl -X POST http://{producer}/send -d \"fromID=2&toID=1&message=Bruno started following you.\"\n  \
               curl http://{consumer}/notifications/1",
            broker = local(self.broker.addr()),
            data_dir = self.data_dir.display(),
        )
    }
}

async fn all_live(services: [Arc<Health>; 2]) {
    for health in services {
        health.live().await;
    }
}

/// To standard output; it goes on where nobody listens.
fn tell(welcome: &str) {
    let _ = writeln!(std::io::stdout(), "{welcome}");
}

/// The address as this machine reaches it, where it listens on all.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    address
}

/// The address as a person on this machine types it.
fn local(address: SocketAddr) -> String {
    let address = reachable(address);
    if address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}
