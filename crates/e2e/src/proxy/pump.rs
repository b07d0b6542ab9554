//! The bytes of one direction of one connection.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;

use super::connection::Produces;
use super::frames::Frames;
use super::switches::{Flow, Switches};
use super::{Direction, Shared};

/// Bytes read at once, which is also the most that is held in a stall.
const READ_BYTES: usize = 16 << 10;

/// Slowed down, so many parts are written a second, with a pause after each.
const PARTS_A_SECOND: u32 = 20;

pub(super) struct Pump<'a> {
    pub(super) direction: Direction,
    pub(super) frames: Frames,
    pub(super) produces: &'a Produces,
    pub(super) shared: &'a Shared,
    pub(super) switches: watch::Receiver<Switches>,
    pub(super) from: OwnedReadHalf,
    pub(super) to: OwnedWriteHalf,
}

impl Pump<'_> {
    /// Reads and writes until the sender has ended. An error ends the other direction as well.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let direction = self.direction;
            let flows = |now: &Switches| now.flow(direction) != Flow::Stalled;
            self.switches.wait_for(flows).await?;
            let read = tokio::select! {
                biased;
                changed = self.switches.changed() => {
                    changed?;
                    continue;
                }
                read = self.from.read(&mut buffer) => read?,
            };
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(self.to.shutdown().await?);
            };
            match self.frame_to_lose(bytes)? {
                None => self.pass(bytes).await?,
                Some(begins) => {
                    self.pass(bytes.get(..begins).unwrap_or(bytes)).await?;
                    self.shared.answers_lost.fetch_add(1, Ordering::SeqCst);
                    bail!("the answer is lost, and with it the connection");
                }
            }
        }
    }

    /// Follows the frames; where the first begins that must not arrive.
    fn frame_to_lose(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        if !self.shared.is_kafka {
            return Ok(None);
        }
        let heads = self.frames.follow(bytes)?;
        match self.direction {
            Direction::ToBroker => self.produces.note(&heads),
            Direction::ToClient => {
                for head in heads {
                    if self.produces.answers(&head) && self.shared.loses_one() {
                        return Ok(Some(head.begins));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Writes the bytes, as the switches say at each moment.
    async fn pass(&mut self, mut held: &[u8]) -> Result<()> {
        while !held.is_empty() {
            let now = *self.switches.borrow_and_update();
            match now.flow(self.direction) {
                Flow::Lost => break,
                Flow::Stalled => self.switches.changed().await?,
                Flow::Passing => {
                    let written = self.write(part(held, now.bytes_per_second)).await?;
                    self.pace(written, now.bytes_per_second).await?;
                    held = held.get(written..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    /// Writes what the receiver takes; nothing when a switch is turned first.
    async fn write(&mut self, part: &[u8]) -> Result<usize> {
        let written = tokio::select! {
            biased;
            changed = self.switches.changed() => {
                changed?;
                0
            }
            written = self.to.write(part) => written?,
        };
        let counter = match self.direction {
            Direction::ToBroker => &self.shared.bytes_to_broker,
            Direction::ToClient => &self.shared.bytes_to_client,
        };
        counter.fetch_add(u64::try_from(written)?, Ordering::SeqCst);
        Ok(written)
    }

    /// Pauses for as long as these bytes take, or until the speed is another one.
    async fn pace(&mut self, written: usize, bytes_per_second: Option<u32>) -> Result<()> {
        let Some(rate) = bytes_per_second else { return Ok(()) };
        let pause = Duration::from_secs(1) * u32::try_from(written)? / rate.max(1);
        let other = |now: &Switches| now.bytes_per_second != bytes_per_second;
        if let Ok(turned) = timeout(pause, self.switches.wait_for(other)).await {
            turned?;
        }
        Ok(())
    }
}

/// As much as is written before the next pause.
fn part(held: &[u8], bytes_per_second: Option<u32>) -> &[u8] {
    let Some(rate) = bytes_per_second else { return held };
    let bytes = usize::try_from(rate / PARTS_A_SECOND).unwrap_or(usize::MAX).max(1);
    held.get(..bytes).unwrap_or(held)
}

impl Shared {
    /// Whether an answer has to be lost: then one less from now on.
    fn loses_one(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        self.to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}
