//! Processes that are killed with SIGKILL and started again.

use anyhow::Result;
use e2e::{Part, System};

use super::{Faults, Sends, random};

/// The broker, which is another program each time.
pub(crate) trait Killable {
    /// Kills it with SIGKILL and starts it again.
    async fn kill_and_restart(&mut self, system: &mut System) -> Result<()>;
}

impl Killable for Part {
    async fn kill_and_restart(&mut self, system: &mut System) -> Result<()> {
        system.kill_9(*self)?;
        system.restart(*self).await
    }
}

/// Kills one of three processes: the broker, the producer, the consumer.
pub(crate) struct Kills<B>(pub(crate) B);

impl<B: Killable> Faults for Kills<B> {
    async fn strike(&mut self, system: &mut System, _: &Sends) -> Result<&'static str> {
        match random(0..3) {
            0 => {
                self.0.kill_and_restart(system).await?;
                Ok("broker killed")
            }
            1 => {
                Part::Producer.kill_and_restart(system).await?;
                Ok("producer killed")
            }
            _ => {
                Part::Consumer.kill_and_restart(system).await?;
                Ok("consumer killed")
            }
        }
    }
}
