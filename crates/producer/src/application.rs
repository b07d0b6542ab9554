//! The publisher put together.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context;
use kafka::{Drift, Reader, Topics, Writer, WriterMetrics};
use models::Partition;
use service::{AddressError, BodyBudget, Bound, Health, Metrics, Tasks};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::directory::Directory;
use crate::http::{self, Shared};
use crate::publisher::Publisher;

/// The publisher as a value: bound to its address, not running yet.
pub struct Application {
    config: Config,
    bound: Bound,
    health: Data<Health>,
}

impl Application {
    /// Listens on the configured address; connections wait until it runs.
    ///
    /// # Errors
    /// The address is taken, or is none.
    pub fn build(config: Config) -> Result<Self, AddressError> {
        let bound = Bound::new(&config.address, "--producer-addr")?;
        Ok(Self { config, bound, health: Data::new(Health::default()) })
    }

    /// Whether it may be sent requests.
    pub fn health(&self) -> Arc<Health> {
        self.health.clone().into_inner()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Runs until `stop`, then lets requests and writes in hand end.
    ///
    /// # Errors
    /// The topics cannot be used, or something did not end in time.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { config, bound, health } = self;
        let metrics = Data::new(Metrics::new());
        let publisher = Arc::new(OnceLock::new());
        let shared = Data::new(Shared {
            publisher: publisher.clone(),
            body_limits: config.body,
            body_budget: BodyBudget::new(config.body_budget_bytes),
            produce_timeout: config.produce_timeout,
        });
        let address = bound.address();
        let routes = move |routes: &mut _| http::routes(&shared, routes);
        let server = bound.serve(&config.server, health.clone(), metrics.clone(), routes)?;
        let listening = server.handle();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn(async move { server.await.context("the HTTP server failed") });
        tracing::info!(%address, "producer listening");

        // Ends with an error, or when told to; either way everything else is then told to end.
        let result = serve(&config, &stop, &health, &metrics, &publisher, &mut tasks).await;
        stop.cancel();
        health.set_draining();
        listening.stop(true).await;
        if let Some(publisher) = publisher.get() {
            publisher.close();
        }
        let ended = tasks.end(config.produce_timeout + ENDING).await;
        result.and(ended)
    }
}

/// How long tasks may take to notice a stop, beyond the requests they are in.
const ENDING: Duration = Duration::from_secs(3);

async fn serve(
    config: &Config,
    stop: &CancellationToken,
    health: &Data<Health>,
    metrics: &Metrics,
    publisher: &OnceLock<Publisher>,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let unavailable = |error: &kafka::Error| {
        health.set_detail("broker", Some(error.to_string()));
    };
    let seed = models::seed_users();
    let connecting =
        kafka::connect(&config.cluster, &config.topics, &seed, service::now, stop, unavailable);
    let Some(topics) = connecting.await? else { return Ok(()) };
    health.set_detail("broker", None);
    let directory = Arc::new(Directory::default());
    follow_directory(config, &topics, directory.clone(), health.clone(), stop, tasks);
    let writers = start_writers(config, &topics, metrics, tasks);
    // Set once, here.
    let _ = publisher.set(Publisher::new(topics.clone(), writers, directory));
    kafka::watch(&config.cluster, &topics, stop, |drift| report(health, drift)).await?;
    Ok(())
}

fn follow_directory(
    config: &Config,
    topics: &Topics,
    directory: Arc<Directory>,
    health: Data<Health>,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) {
    let reader = Reader::new(config.cluster.clone(), topics.users.clone(), Partition(0));
    let stop = stop.clone();
    tasks.spawn(async move {
        directory
            .follow(reader, &stop, |error| match error {
                None => {
                    health.set_live();
                    health.set_detail("directory", None);
                }
                Some(error) => {
                    health.set_detail("directory", Some(error.to_string()));
                }
            })
            .await;
        Ok(())
    });
}

fn start_writers(
    config: &Config,
    topics: &Topics,
    metrics: &Metrics,
    tasks: &mut Tasks,
) -> Vec<Writer> {
    let counts = WriterMetrics::default();
    metrics.register(|registry| counts.register(registry));
    let mut writers = Vec::new();
    for partition in (0..topics.partitions).map(Partition) {
        let (writer, task) = Writer::new(
            config.cluster.clone(),
            topics.log(),
            partition,
            &config.writer,
            counts.clone(),
        );
        tasks.spawn(async move {
            task.await;
            Ok(())
        });
        writers.push(writer);
    }
    writers
}

fn report(health: &Health, drift: Option<&Drift>) {
    health.set_detail("topics", drift.map(ToString::to_string));
}
