//! A system: its processes, where they listen, and what can be asked of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::network::ask_broker;
use crate::{Answer, Finished, Http, Process, eventually, free_port};

/// A process of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything in one process.
    Up,
    /// The embedded broker alone.
    Broker,
    /// The producer alone.
    Producer,
    /// The consumer alone.
    Consumer,
    /// Another consumer, with a store and an address of its own.
    SecondConsumer,
}

/// Where the parts listen, `host:port`.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The broker; an address of Apache Kafka where that is used.
    pub broker: String,
    /// The producer.
    pub producer: String,
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
    http: Http,
    processes: BTreeMap<Part, Process>,
    // Last: the processes write into it.
    folder: TempDir,
}

/// Asks a system's services. It can be cloned and used while the system is restarted.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    addresses: Addresses,
}

/// How long a part may take to be ready, on a busy machine.
const STARTING: Duration = Duration::from_secs(30);

/// How often a system is laid out anew because another process took one of its ports meanwhile.
const LAYOUTS: u32 = 3;

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
        Self::started(program, &[Part::Broker, Part::Producer, Part::Consumer]).await
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
            program: program.into(),
            addresses: Addresses {
                broker: address()?,
                producer: address()?,
                consumer: address()?,
                second_consumer: address()?,
            },
            data_dir: folder.path().join("data"),
            store_dir: folder.path().join("store"),
            http: Http::new()?,
            processes: BTreeMap::new(),
            folder,
        })
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

    async fn start_all(&mut self, parts: &[Part]) -> Result<()> {
        for part in parts {
            self.start(*part)?;
        }
        for part in parts {
            self.ready(*part).await?;
        }
        Ok(())
    }

    fn lacks_a_port(&self) -> bool {
        self.processes.values().any(|process| process.stderr().contains("in use"))
    }

    /// Starts a part and does not wait for it.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub fn start(&mut self, part: Part) -> Result<()> {
        self.start_with(part, &[])
    }

    /// As [`System::start`], with more arguments.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub fn start_with(&mut self, part: Part, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(part);
        command.args(arguments);
        let name = format!("{part:?}").to_lowercase();
        // A former one ends here, before the new one needs its address.
        self.processes.remove(&part);
        let process = Process::start(&name, command, self.folder.path())?;
        self.processes.insert(part, process);
        Ok(())
    }

    /// Waits until a part is ready.
    ///
    /// # Errors
    /// It ended instead, or is not ready in time.
    pub async fn ready(&mut self, part: Part) -> Result<()> {
        let (http, addresses) = (self.http.clone(), self.addresses.clone());
        let process = self.process(part)?;
        let ended = eventually(STARTING, async || {
            let status = process.status()?;
            if status.is_none() {
                ask_whether_ready(part, &http, &addresses).await?;
            }
            Ok(status)
        });
        match ended.await.with_context(|| format!("{part:?} is not ready"))? {
            Some(status) => bail!("{part:?} ended: {status}\n{}", self.process(part)?.stderr()),
            None => Ok(()),
        }
    }

    /// Kills a part with SIGKILL.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill_9(&mut self, part: Part) -> Result<()> {
        let process = self.process(part)?;
        ensure!(process.status()?.is_none(), "{part:?} has ended before");
        process.kill_9()
    }

    /// Asks a part to end and waits until it has.
    ///
    /// # Errors
    /// It did not `within` this time, or not with exit code 0.
    pub async fn stop(&mut self, part: Part, within: Duration) -> Result<Finished> {
        let process = self.process(part)?;
        process.terminate()?;
        process.end(within).await?.success()
    }

    /// Starts a part that was killed or stopped, and waits until it is ready.
    ///
    /// # Errors
    /// It did not start.
    pub async fn restart(&mut self, part: Part) -> Result<()> {
        self.start(part)?;
        self.ready(part).await
    }

    /// A part's process, running or ended.
    ///
    /// # Errors
    /// It was never started.
    pub fn process(&mut self, part: Part) -> Result<&mut Process> {
        self.processes.get_mut(&part).with_context(|| format!("{part:?} was not started"))
    }

    /// Something that asks this system.
    pub fn client(&self) -> Client {
        Client { http: self.http.clone(), addresses: self.addresses.clone() }
    }

    /// See [`Client::send`].
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send(&self, from: u32, to: u32, message: &str) -> Result<Answer> {
        self.client().send(from, to, message).await
    }

    /// See [`Client::inbox`].
    ///
    /// # Errors
    /// There was no answer.
    pub async fn inbox(&self, user: u32) -> Result<Answer> {
        self.client().inbox(user).await
    }

    /// GET on a part's address.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn get(&self, part: Part, path: &str) -> Result<Answer> {
        self.http.get(&format!("http://{}{path}", self.address(part))).await
    }

    fn address(&self, part: Part) -> &str {
        match part {
            Part::Broker => &self.addresses.broker,
            Part::Producer => &self.addresses.producer,
            Part::Up | Part::Consumer => &self.addresses.consumer,
            Part::SecondConsumer => &self.addresses.second_consumer,
        }
    }

    fn command(&self, part: Part) -> Command {
        let Addresses { broker, producer, consumer, second_consumer } = &self.addresses;
        let mut command = isolated(&self.program, self.folder.path());
        match part {
            Part::Up => command
                .args(["up", "--broker-addr", broker, "--producer-addr", producer])
                .args(["--consumer-addr", consumer, "--data-dir"])
                .arg(&self.data_dir),
            Part::Broker => {
                command.args(["broker", "--broker-addr", broker, "--data-dir"]).arg(&self.data_dir)
            }
            Part::Producer => {
                command.args(["producer", "--brokers", broker, "--producer-addr", producer])
            }
            Part::Consumer => command
                .args(["consumer", "--brokers", broker, "--consumer-addr", consumer])
                .arg("--store-dir")
                .arg(&self.store_dir),
            Part::SecondConsumer => command
                .args(["consumer", "--brokers", broker, "--consumer-addr", second_consumer])
                .arg("--store-dir")
                .arg(self.store_dir.with_file_name("second-store")),
        };
        command
    }
}

impl Client {
    /// `POST /send`. The message goes into the form as it is, as with `curl -d`.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send(&self, from: u32, to: u32, message: &str) -> Result<Answer> {
        self.send_form(&format!("fromID={from}&toID={to}&message={message}")).await
    }

    /// `POST /send` of a form that is encoded already.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send_form(&self, form: &str) -> Result<Answer> {
        let url = format!("http://{}/send", self.addresses.producer);
        self.http.post_form(&url, form.to_owned()).await
    }

    /// `GET /notifications/{user}`.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn inbox(&self, user: u32) -> Result<Answer> {
        self.get_inbox(&user.to_string()).await
    }

    /// `GET /notifications/{path}`, whatever the path.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn get_inbox(&self, path: &str) -> Result<Answer> {
        self.http.get(&format!("http://{}/notifications/{path}", self.addresses.consumer)).await
    }
}

/// A command that knows nothing of the person who runs the tests.
fn isolated(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    let is_ours = |name: &OsStr| name.to_string_lossy().starts_with("NOTIFY_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command.env("HOME", home).env_remove("XDG_STATE_HOME").current_dir(home);
    command
}

async fn ask_whether_ready(part: Part, http: &Http, addresses: &Addresses) -> Result<()> {
    let Addresses { broker, producer, consumer, second_consumer } = addresses;
    let services: &[&String] = match part {
        Part::Broker => return ask_broker(broker).await,
        Part::Up => &[producer, consumer],
        Part::Producer => &[producer],
        Part::Consumer => &[consumer],
        Part::SecondConsumer => &[second_consumer],
    };
    for service in services {
        let answer = http.get(&format!("http://{service}/readyz")).await?;
        ensure!(answer.status == 200, "{}", answer.body);
    }
    Ok(())
}
