//! A system: its processes, where they listen, and what can be asked of it.

mod backup;
mod client;
mod command;
mod lifecycle;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;

use crate::{ChaosProxy, Http, Process, free_port};

pub use backup::Backup;
pub use client::Client;

/// A process of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything in one process.
    Up,
    /// The embedded broker alone.
    Broker,
    /// The producer alone.
    Producer,
    /// Another producer, with an address of its own.
    SecondProducer,
    /// The consumer alone.
    Consumer,
    /// Another consumer, with a store and an address of its own.
    SecondConsumer,
}

/// Where the parts listen, `host:port`.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The broker, as clients reach it: an address of Apache Kafka or of a proxy where that is used.
    pub broker: String,
    /// The producer.
    pub producer: String,
    /// The second producer.
    pub second_producer: String,
    /// The consumer.
    pub consumer: String,
    /// The second consumer.
    pub second_consumer: String,
}

/// A system under test: a data folder, addresses, and the processes that run.
#[derive(Debug)]
pub struct System {
    program: PathBuf,
    /// Where its parts listen.
    pub addresses: Addresses,
    /// The data folder of `up` and of the broker.
    pub data_dir: PathBuf,
    /// Folder of the consumer's store, where that is a process of its own; the second consumer's
    /// lies beside it.
    pub store_dir: PathBuf,
    /// Where the embedded broker listens, if clients reach it through a proxy.
    behind_proxy: Option<String>,
    http: Http,
    processes: BTreeMap<Part, Process>,
    // Last: the processes write into it.
    folder: TempDir,
}

/// How often a system is laid out anew because another process took one of its ports meanwhile.
const LAYOUTS: u32 = 3;

const PARTS: [Part; 3] = [Part::Broker, Part::Producer, Part::Consumer];

impl System {
    /// `kafka-notify up`, ready.
    ///
    /// # Errors
    /// It did not start.
    pub async fn up(program: &str) -> Result<Self> {
        Self::started(program, &[Part::Up]).await
    }

    /// Broker, producer and consumer as three processes, ready.
    ///
    /// # Errors
    /// They did not start.
    pub async fn parts(program: &str) -> Result<Self> {
        Self::started(program, &PARTS).await
    }

    /// As [`System::parts`], with a proxy before the broker.
    ///
    /// # Errors
    /// They did not start.
    pub async fn parts_behind_proxy(program: &str) -> Result<(Self, ChaosProxy)> {
        let mut system = Self::laid_out(program)?;
        let proxy = system.put_proxy().await?;
        system.start_all(&PARTS).await?;
        Ok((system, proxy))
    }

    /// Producer and consumer as two processes, ready, with a broker that runs elsewhere.
    ///
    /// # Errors
    /// They did not start.
    pub async fn with_broker(program: &str, address: &str) -> Result<Self> {
        let mut system = Self::laid_out(program)?;
        address.clone_into(&mut system.addresses.broker);
        system.start_all(&[Part::Producer, Part::Consumer]).await?;
        Ok(system)
    }

    /// A system of which nothing runs yet.
    ///
    /// # Errors
    /// There are no ports or folders for it.
    pub fn laid_out(program: &str) -> Result<Self> {
        let address = || Ok::<_, anyhow::Error>(format!("127.0.0.1:{}", free_port()?));
        let folder = tempfile::tempdir()?;
        Ok(Self {
            // Processes are started in a folder of their own.
            program: std::path::absolute(program)?,
            addresses: Addresses {
                broker: address()?,
                producer: address()?,
                second_producer: address()?,
                consumer: address()?,
                second_consumer: address()?,
            },
            data_dir: folder.path().join("data"),
            store_dir: folder.path().join("store"),
            behind_proxy: None,
            http: Http::new()?,
            processes: BTreeMap::new(),
            folder,
        })
    }

    /// Puts a proxy before the embedded broker of a system that is only laid out: the broker will
    /// advertise it, and the services are told of it alone.
    ///
    /// # Errors
    /// There is no port for it.
    pub async fn put_proxy(&mut self) -> Result<ChaosProxy> {
        let proxy = ChaosProxy::start(&self.addresses.broker).await?;
        let listening = std::mem::replace(&mut self.addresses.broker, proxy.address());
        self.behind_proxy = Some(listening);
        Ok(proxy)
    }

    async fn started(program: &str, parts: &[Part]) -> Result<Self> {
        let mut layout = 1;
        loop {
            let mut system = Self::laid_out(program)?;
            match system.start_all(parts).await {
                Ok(()) => return Ok(system),
                Err(error) if layout == LAYOUTS || !system.lacks_a_port() => return Err(error),
                Err(_) => layout += 1,
            }
        }
    }
}
