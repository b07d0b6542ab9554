//! The publisher put together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use anyhow::Context;
use kafka::{Drift, End, FetchError, Reader, Topic, Topics, Writer, WriterMetrics};
use models::Partition;
use service::{AddressError, BodyBudget, Bound, Current, Health, Metrics, Tasks};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::directory::Directory;
use crate::http::{self, Shared};
use crate::publisher::{Publisher, Writers};

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
        let counts = WriterMetrics::default();
        metrics.register(|registry| counts.register(registry));
        let publisher = Arc::new(Current::default());
        let shared = Data::new(Shared {
            publisher: publisher.clone(),
            form: config.form,
            json: config.json,
            body_budget: BodyBudget::new(config.body_budget_bytes),
            produce_timeout: config.produce_timeout,
            batch: config.batch,
            batches: Arc::new(Semaphore::new(config.batch.at_once)),
            stop: stop.clone(),
        });
        let address = bound.address();
        let routes = move |routes: &mut _| http::routes(&shared, routes);
        let server = bound.serve(&config.server, health.clone(), metrics, routes)?;
        let listening = server.handle();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn(async move { server.await.context("the HTTP server failed") });
        tracing::info!(%address, "producer listening");

        let service = Service { config, health, counts, publisher, listening, stop };
        // Ends with an error, or when told to; either way everything else is then told to end.
        let result = service.run().await;
        service.stop.cancel();
        service.drain().await;
        result.and(tasks.end(ENDING).await)
    }
}

/// How long tasks may take to notice a stop, beyond the requests they are in.
const ENDING: Duration = Duration::from_secs(3);

struct Service {
    config: Config,
    health: Data<Health>,
    counts: WriterMetrics,
    publisher: Arc<Current<Publisher>>,
    listening: ServerHandle,
    stop: CancellationToken,
}

impl Service {
    /// Publishes, for one life of the topics after the other.
    async fn run(&self) -> anyhow::Result<()> {
        while let Some(topics) = self.connect().await? {
            self.publish(topics).await?;
        }
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<Option<Topics>> {
        let unavailable = |error: &kafka::Error| {
            self.health.set_detail("broker", Some(error.to_string()));
        };
        let Config { cluster, topics, .. } = &self.config;
        let seed = models::seed_users();
        let connecting =
            kafka::connect(cluster, topics, &seed, service::now, &self.stop, unavailable);
        let topics = connecting.await?;
        self.health.set_detail("broker", None);
        Ok(topics)
    }

    /// Publishes until the topics are made anew, a task fails, or `stop`.
    async fn publish(&self, topics: Topics) -> anyhow::Result<()> {
        let end = self.stop.child_token();
        let mut tasks = Tasks::new(end.clone());
        let Config { cluster, users, remembered, .. } = &self.config;
        let users_end = End::new(cluster.clone(), topics.users.clone(), Partition(0));
        let directory = Arc::new(Directory::new(*users, users_end));
        self.follow_directory(&topics, directory.clone(), &end, &mut tasks);
        let writers = self.start_writers(&topics, &mut tasks);
        let publisher = Publisher::new(
            cluster.clone(),
            topics.clone(),
            writers.clone(),
            directory,
            *remembered,
        );
        self.publisher.set(publisher);
        let report = |drift: Option<&Drift>| {
            self.health.set_detail("topics", drift.map(ToString::to_string));
        };
        kafka::watch(&self.config.cluster, &topics, &end, report).await;
        if self.stop.is_cancelled() {
            // Requests in hand still need the writers.
            self.drain().await;
        }
        self.publisher.clear();
        end.cancel();
        writers.close();
        tasks.end(self.config.produce_timeout + ENDING).await
    }

    fn follow_directory(
        &self,
        topics: &Topics,
        directory: Arc<Directory>,
        end: &CancellationToken,
        tasks: &mut Tasks,
    ) {
        let cluster = self.config.cluster.clone();
        let reader = Reader::new(cluster, topics.users.clone(), Partition(0));
        let (health, end) = (self.health.clone(), end.clone());
        let report = move |error: Option<&FetchError>| {
            if error.is_none() {
                health.set_live();
            }
            health.set_detail("directory", error.map(ToString::to_string));
        };
        tasks.spawn(async move {
            directory.follow(reader, &end, report).await;
            Ok(())
        });
    }

    fn start_writers(&self, topics: &Topics, tasks: &mut Tasks) -> Writers {
        let Config { cluster, writer, .. } = &self.config;
        let mut start = |topic: Topic, partition| {
            let counts = self.counts.clone();
            let (writer, task) = Writer::new(cluster.clone(), topic, partition, writer, counts);
            tasks.spawn(async move {
                task.await;
                Ok(())
            });
            writer
        };
        let partitions = (0..topics.partitions).map(Partition);
        let notifications = partitions.map(|partition| start(topics.log(), partition)).collect();
        let users = start(topics.users.clone().into(), Partition(0));
        Writers { notifications, users }
    }

    /// No new requests; those in hand end.
    async fn drain(&self) {
        self.health.set_draining();
        self.listening.stop(true).await;
    }
}
