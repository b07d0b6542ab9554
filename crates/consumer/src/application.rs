//! The query service put together.

use std::error::Error as _;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context;
use inbox::{InboxError, Store};
use kafka::{Drift, Reader, Topics, WriterMetrics};
use models::Partition;
use service::{AddressError, BodyBudget, Bound, Current, Exit, Health, Metrics, Tasks};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::config::Config;
use crate::ends::EndOfLog;
use crate::forward::Forwarder;
use crate::http::{self, Shared};
use crate::inboxes::{Inboxes, PartitionView};
use crate::live::{Hub, Turns};
use crate::metrics::ConsumerMetrics;
use crate::outgoing::Outgoing;
use crate::partition::{Follower, Room, State, Status};
use crate::reads::Reads;
use crate::views::Log;

/// The query service as a value: bound to its address and holding its store, not running yet.
pub struct Application {
    config: Config,
    bound: Bound,
    health: Data<Health>,
    store: Store,
}

/// The query service cannot run as it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is taken, or is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] InboxError),
    /// A damaged store cannot be moved out of the way.
    #[error("the damaged store in {} cannot be set aside: {source}", path.display())]
    SetAside {
        /// The store's folder.
        path: PathBuf,
        /// What the disk said.
        source: std::io::Error,
    },
}

impl BuildError {
    /// The end of a process that cannot run; `store_flag` is what sets the store's folder.
    pub fn into_exit(self, store_flag: &str) -> Exit {
        match self {
            Self::Address(error) => Exit::unusable(error),
            Self::Store(_) | Self::SetAside { .. } => Exit::unusable_because(self, store_flag),
        }
    }
}

impl Application {
    /// Listens on the configured address and opens the store.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(config: Config) -> Result<Self, BuildError> {
        let bound = Bound::new(&config.address, "--consumer-addr")?;
        let store = open_store(&config)?;
        Ok(Self { config, bound, health: Data::new(Health::default()), store })
    }

    /// Whether it may be sent requests.
    pub fn health(&self) -> Arc<Health> {
        self.health.clone().into_inner()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Runs until `stop`, then finishes the batches in hand and syncs the store.
    ///
    /// # Errors
    /// The topics cannot be used, the store failed, or something did not end in time.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { config, bound, health, store } = self;
        let metrics = Data::new(Metrics::new());
        let (counts, writer_counts) = (ConsumerMetrics::default(), WriterMetrics::default());
        metrics.register(|registry| {
            counts.register(registry);
            writer_counts.register(registry);
        });
        let inboxes = Arc::new(Current::default());
        let address = bound.address();
        let streams = Turns::new(config.max_streams, counts.streams.clone());
        let shared = shared(&config, inboxes.clone(), address, streams.clone(), stop.clone())?;
        let shared = Data::new(shared);
        let routes = move |routes: &mut _| http::routes(&shared, routes);
        let server = bound.serve(&config.server, health.clone(), metrics, routes)?;
        let listening = server.handle();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn(async move { server.await.context("the HTTP server failed") });
        let persisting = persist_often(store.clone(), config.persist_period, stop.clone());
        tasks.spawn(persisting);
        tracing::info!(%address, "consumer listening");

        let service =
            Service { config, store, health, counts, writer_counts, inboxes, streams, stop };
        // Ends with an error, or when told to; either way everything else is then told to end.
        let result = service.run().await;
        service.stop.cancel();
        service.health.set_draining();
        listening.stop(true).await;
        let ended = tasks.end(ENDING).await;
        let synced = persist(service.store).await.context("the inbox store cannot be synced");
        result.and(ended).and(synced)
    }
}

/// What the handlers share.
fn shared(
    config: &Config,
    inboxes: Arc<Current<Inboxes>>,
    address: SocketAddr,
    streams: Turns,
    stop: CancellationToken,
) -> anyhow::Result<Shared> {
    let forwarder = Forwarder::new(&config.producer_url, config.forward_timeout)
        .context("the HTTP client cannot be made")?;
    Ok(Shared {
        inboxes,
        owner: format!("http://{address}"),
        commands: BodyBudget::new(config.command_bytes),
        sends: BodyBudget::new(config.forwarded_bytes),
        body_timeout: config.body_timeout,
        forwarder,
        exports: Arc::new(Semaphore::new(config.max_exports)),
        streams,
        stream_timeout: config.command_timeout,
        stop,
        cors_origins: config.server.cors_origins.clone(),
    })
}

/// The store is a view: one that cannot be read is set aside and grows back from the log.
fn open_store(config: &Config) -> Result<Store, BuildError> {
    let path = &config.store_dir;
    match Store::open(path, &config.store) {
        Err(error @ InboxError::Damaged { .. }) => {
            let aside = path.with_extension(format!("damaged-{}", service::now().as_ms()));
            tracing::error!(
                %error, cause = error.source().map(ToString::to_string), aside = %aside.display(),
                "the store is damaged: set aside, to be folded anew from the log"
            );
            std::fs::rename(path, &aside)
                .map_err(|source| BuildError::SetAside { path: path.clone(), source })?;
            Ok(Store::open(path, &config.store)?)
        }
        opened => Ok(opened?),
    }
}

/// Partitions that store at once. The store takes one write at a time, so that more of them would only
/// hold memory while they wait.
const STORES_AT_ONCE: usize = 1;

/// How long tasks may take to end: a batch in hand, and requests.
const ENDING: Duration = Duration::from_secs(8);

struct Service {
    config: Config,
    store: Store,
    health: Data<Health>,
    counts: ConsumerMetrics,
    writer_counts: WriterMetrics,
    inboxes: Arc<Current<Inboxes>>,
    streams: Turns,
    stop: CancellationToken,
}

impl Service {
    /// Keeps inboxes, for one life of the topics after the other.
    async fn run(&self) -> anyhow::Result<()> {
        while let Some(topics) = self.connect().await? {
            self.follow(topics).await?;
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

    /// Follows all partitions until the topics are made anew, a task fails, or `stop`.
    async fn follow(&self, topics: Topics) -> anyhow::Result<()> {
        let end = self.stop.child_token();
        let mut tasks = Tasks::new(end.clone());
        let cluster = &self.config.cluster;
        let outgoing = Outgoing::start(cluster, &topics, &self.writer_counts, &mut tasks);
        let views = self.follow_partitions(&topics, &outgoing, &end, &mut tasks)?;
        let Config { restore_wait, stale_after, command_timeout, .. } = self.config;
        self.inboxes.set(Inboxes {
            topics: topics.clone(),
            partitions: views.clone(),
            outgoing: outgoing.clone(),
            metrics: self.counts.clone(),
            restore_wait,
            stale_after,
            command_timeout,
            reads: Reads::new(),
        });
        tasks.spawn(report_live(views.clone(), self.health.clone(), end.clone()));
        tasks.spawn(close_streams(views.clone(), self.streams.clone(), end.clone()));
        tasks.spawn(report_stale(views, stale_after, self.health.clone(), end.clone()));
        let report = |drift: Option<&Drift>| {
            self.health.set_detail("topics", drift.map(ToString::to_string));
        };
        kafka::watch(cluster, &topics, &end, report).await;
        // On a stop requests in hand are still answered from what there is.
        if !self.stop.is_cancelled() {
            self.inboxes.clear();
        }
        end.cancel();
        outgoing.close();
        tasks.end(ENDING).await
    }

    fn follow_partitions(
        &self,
        topics: &Topics,
        outgoing: &Arc<Outgoing>,
        end: &CancellationToken,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Vec<PartitionView>> {
        let mut views = Vec::new();
        let room = Room::new(self.config.fetched_bytes);
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let turns = Arc::new(Semaphore::new(processors));
        let store_turns = Arc::new(Semaphore::new(STORES_AT_ONCE));
        for partition in (0..topics.partitions).map(Partition) {
            let inbox = self.store.partition(partition, topics.topic_id)?;
            let (sender, status) = watch::channel(Status::starting(inbox.next_offset()));
            let (state_sender, state) = watch::channel(State::Restoring);
            let cluster = &self.config.cluster;
            let end_of_log = EndOfLog::new(cluster.clone(), topics.log(), partition);
            let end_of_log = Arc::new(end_of_log);
            let hub = self.hub(Log { topic_id: topics.topic_id, partition });
            let reader = inbox.reader();
            views.push(PartitionView { reader, status, state, end_of_log, hub: hub.clone() });
            let follower = Follower {
                partition,
                reader: Reader::new(cluster.clone(), topics.log(), partition),
                inbox,
                outgoing: outgoing.clone(),
                status: sender,
                state: state_sender,
                metrics: self.counts.of(partition),
                visible_seconds: self.counts.visible_seconds.clone(),
                hub,
                room: room.clone(),
                turns: turns.clone(),
                store_turns: store_turns.clone(),
                expiry_period: self.config.expiry_period,
                retention_period: self.config.retention_period,
                end: end.clone(),
            };
            tasks.spawn(follower.run().instrument(tracing::info_span!("partition", %partition)));
        }
        Ok(views)
    }

    fn hub(&self, log: Log) -> Arc<Hub> {
        let push_seconds = self.counts.push_seconds.clone();
        Arc::new(Hub::new(log, self.config.max_streams_per_user, push_seconds))
    }
}

/// Says so once every partition is live for the first time.
async fn report_live(
    views: Vec<PartitionView>,
    health: Data<Health>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    for mut view in views {
        let is_live = view.state.wait_for(|state| *state == State::Live);
        match stop.run_until_cancelled(is_live).await {
            Some(Ok(_)) => {}
            // Stopped, or the partition's task ended, which stops the service.
            Some(Err(_)) | None => return Ok(()),
        }
    }
    health.set_live();
    tracing::info!("all partitions are live");
    Ok(())
}

/// Ends the streams at once, whatever else is waited for.
async fn close_streams(
    views: Vec<PartitionView>,
    streams: Turns,
    end: CancellationToken,
) -> anyhow::Result<()> {
    end.cancelled().await;
    let within = streams.back_within();
    for view in views {
        view.hub.close(within);
    }
    Ok(())
}

/// Says for how long the log could not be read.
async fn report_stale(
    views: Vec<PartitionView>,
    stale_after: Duration,
    health: Data<Health>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let age = views.iter().map(|view| view.status.borrow().fetched_at.elapsed()).max();
        let stale = age.filter(|age| *age > stale_after);
        health.set_detail("log", stale.map(|age| format!("not read for {} s", age.as_secs())));
    }
    Ok(())
}

async fn persist_often(
    store: Store,
    period: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        persist(store.clone()).await?;
    }
    Ok(())
}

async fn persist(store: Store) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || store.persist()).await??;
    Ok(())
}
