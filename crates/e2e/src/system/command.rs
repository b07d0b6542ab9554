//! How the parts of a system are started, and asked whether they are ready.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Addresses, Part, System};
use crate::Http;
use crate::network::ask_broker;

impl System {
    pub(super) fn address(&self, part: Part) -> &str {
        match part {
            Part::Broker => self.broker_listens(),
            Part::Producer => &self.addresses.producer,
            Part::SecondProducer => &self.addresses.second_producer,
            Part::Up | Part::Consumer => &self.addresses.consumer,
            Part::SecondConsumer => &self.addresses.second_consumer,
        }
    }

    fn broker_listens(&self) -> &str {
        self.behind_proxy.as_ref().unwrap_or(&self.addresses.broker)
    }

    pub(super) fn command(&self, part: Part) -> Command {
        let Addresses { broker, producer, second_producer, consumer, second_consumer } =
            &self.addresses;
        let mut command = isolated(&self.program, self.folder.path());
        match part {
            Part::Up => {
                command.args(["up", "--producer-addr", producer, "--consumer-addr", consumer]);
                self.add_broker_arguments(&mut command);
            }
            Part::Broker => {
                command.arg("broker");
                self.add_broker_arguments(&mut command);
            }
            Part::Producer => {
                command.args(["producer", "--brokers", broker, "--producer-addr", producer]);
            }
            Part::SecondProducer => {
                command.args(["producer", "--brokers", broker]);
                command.args(["--producer-addr", second_producer]);
            }
            Part::Consumer => {
                command.args(["consumer", "--brokers", broker, "--consumer-addr", consumer]);
                command.args(["--producer-url", &format!("http://{producer}")]);
                command.arg("--store-dir").arg(&self.store_dir);
            }
            Part::SecondConsumer => {
                command.args(["consumer", "--brokers", broker]);
                command.args(["--consumer-addr", second_consumer]);
                command.args(["--producer-url", &format!("http://{producer}")]);
                command.arg("--store-dir").arg(self.store_dir.with_file_name("second-store"));
            }
        }
        command
    }

    fn add_broker_arguments(&self, command: &mut Command) {
        command.args(["--broker-addr", self.broker_listens(), "--data-dir"]).arg(&self.data_dir);
        if self.behind_proxy.is_some() {
            command.args(["--broker-advertised-addr", &self.addresses.broker]);
        }
    }

    /// What has to answer before a part is ready. It borrows nothing, so that the part's process can
    /// be watched meanwhile.
    pub(super) fn readiness(&self, part: Part) -> Readiness {
        let Addresses { producer, consumer, .. } = &self.addresses;
        let services = match part {
            // Not through the proxy, which may pass nothing just now.
            Part::Broker => return Readiness::Broker(self.broker_listens().to_owned()),
            Part::Up => vec![producer.clone(), consumer.clone()],
            Part::Producer | Part::SecondProducer | Part::Consumer | Part::SecondConsumer => {
                vec![self.address(part).to_owned()]
            }
        };
        Readiness::Services(self.http.clone(), services)
    }
}

/// What has to answer.
pub(super) enum Readiness {
    Broker(String),
    Services(Http, Vec<String>),
}

impl Readiness {
    /// Asks once.
    pub(super) async fn ask(&self) -> Result<()> {
        match self {
            Self::Broker(address) => ask_broker(address).await,
            Self::Services(http, services) => {
                for service in services {
                    let answer = http.get(&format!("http://{service}/readyz")).await?;
                    ensure!(answer.status == 200, "{}", answer.body);
                }
                Ok(())
            }
        }
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
