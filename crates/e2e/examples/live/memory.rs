//! What idle streams take.

use std::time::Duration;

use anyhow::Result;
use e2e::{Part, System, memory};

use crate::bare::start_hub;
use crate::streams::Streams;
use crate::user_of;

const IDLE: usize = 10_000;

/// Until what happened at their beginning has settled.
const SETTLING: Duration = Duration::from_secs(3);

/// Of a consumer, each stream of a user of its own.
pub(crate) async fn of_consumer(system: &mut System) -> Result<()> {
    // What other measurements left in it is not theirs.
    system.stop(Part::Consumer, crate::LONG).await?;
    system.start_with(Part::Consumer, &crate::CONSUMER_FLAGS)?;
    system.ready(Part::Consumer).await?;
    let consumer = system.process(Part::Consumer)?.id();
    let before = memory(consumer)?.resident_kib;
    let streams = Streams::open(&system.addresses.consumer, IDLE, user_of).await?;
    report("consumer", consumer, before).await?;
    drop(streams);
    Ok(())
}

pub(crate) async fn of_bare_hub(program: &str) -> Result<()> {
    let (process, address) = start_hub(program).await?;
    let before = memory(process.id())?.resident_kib;
    let streams = Streams::open_at(&address, IDLE, |_| "/stream".to_owned()).await?;
    report("bare actix-web hub", process.id(), before).await?;
    drop(streams);
    Ok(())
}

async fn report(name: &str, id: u32, before: u64) -> Result<()> {
    tokio::time::sleep(SETTLING).await;
    let after = memory(id)?.resident_kib;
    let each = (after - before) as f64 / IDLE as f64;
    println!(
        "{name}: {IDLE} idle streams, {before} KB before, {after} KB with them: {each:.1} KB each"
    );
    Ok(())
}
