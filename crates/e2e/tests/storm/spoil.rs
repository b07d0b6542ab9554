//! What a proxy does to the way between clients and their broker.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{ChaosProxy, Direction, System, eventually};

use super::{Faults, Sends, metric, random};

/// How long it may take until a fault is felt.
const FELT: Duration = Duration::from_secs(30);

/// Spoils the way, in one of several manners each time.
pub(crate) struct Spoil {
    proxy: ChaosProxy,
}

impl Spoil {
    pub(crate) fn new(proxy: ChaosProxy) -> Self {
        Self { proxy }
    }

    async fn lose_acknowledgements(&self, sends: &Sends) -> Result<()> {
        let before = self.proxy.counts().answers_lost;
        let count = 1 + random(0..3) as u64;
        self.proxy.lose_answers(count);
        eventually(FELT, async || {
            let lost = self.proxy.counts().answers_lost - before;
            ensure!(lost == count || sends.are_over(), "{lost} of {count} answers are lost");
            Ok(())
        })
        .await
    }
}

impl Faults for Spoil {
    async fn strike(&mut self, system: &mut System, sends: &Sends) -> Result<&'static str> {
        let name = match random(0..6) {
            0 | 1 => {
                self.lose_acknowledgements(sends).await?;
                "acknowledgements lost"
            }
            2 => {
                self.proxy.cut();
                "connections cut"
            }
            3 => {
                self.proxy.stall(Direction::ToBroker);
                self.proxy.stall(Direction::ToClient);
                retried(system, sends).await?;
                "stalled"
            }
            4 => {
                self.proxy.black_hole(Direction::ToClient);
                retried(system, sends).await?;
                self.proxy.cut();
                "answers swallowed"
            }
            _ => {
                self.proxy.slow(200_000);
                sends.more(100).await?;
                "slowed down"
            }
        };
        self.proxy.pass_all();
        Ok(name)
    }
}

/// Waits until the producer has noticed, or has no more to send.
async fn retried(system: &System, sends: &Sends) -> Result<()> {
    let name = "notify_produce_retries_total";
    let before = metric(system, name).await?;
    eventually(FELT, async || {
        let now = metric(system, name).await?;
        ensure!(now > before || sends.are_over(), "no retries yet");
        Ok(())
    })
    .await
}
