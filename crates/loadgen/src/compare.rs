//! Measuring a service, and beside it a bare handler under the same load.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use crate::args::{LoadArgs, PublishArgs, QueryArgs};
use crate::load::{Done, Load};
use crate::process::{Usage, Watched};
use crate::reference::Child;
use crate::report::{Report, Server};
use crate::request;
use crate::schedule::Bounds;
use crate::tally::Tally;
use crate::target::Target;

/// Bytes that all prepared requests may take together.
const MAX_REQUEST_BYTES: u64 = 256 * 1024 * 1024;

/// Time's worth of requests that may be due and not taken before a run says that it cannot keep
/// up. Larger, and a hopeless run takes longer to say so; smaller, and a stall that the server would
/// have recovered from ends the run.
const MAX_BACKLOG: Duration = Duration::from_secs(2);

/// Runs `loadgen publish`.
///
/// # Errors
/// The load cannot be run to its end.
pub(crate) fn publish(args: &PublishArgs) -> anyhow::Result<ExitCode> {
    let bytes = u64::from(args.users) * u64::from(args.message_bytes);
    ensure!(
        bytes <= MAX_REQUEST_BYTES,
        "--users times --message-bytes is {bytes}, and may be {MAX_REQUEST_BYTES}"
    );
    let message = request::message(args.message_bytes as usize);
    let requests = |target| {
        let to = 1..=args.users;
        to.map(|to| request::publish(target, request::sender(to, args.users), to, &message))
            .collect()
    };
    let reference = || match args.reference_produces {
        true => Child::producing(&args.produce),
        false => Child::publishing(),
    };
    run("publish", args, args.url, &args.load, requests, reference)
}

/// Runs `loadgen query`.
///
/// # Errors
/// The load cannot be run to its end.
pub(crate) fn query(args: &QueryArgs) -> anyhow::Result<ExitCode> {
    let requests = |target| [request::query(target, args.user, args.limit)].into();
    let reference = || Child::querying(args.limit, args.message_bytes);
    run("query", args, args.url, &args.load, requests, reference)
}

fn run(
    command: &'static str,
    settings: &impl Serialize,
    target: Target,
    args: &LoadArgs,
    requests: impl Fn(Target) -> Arc<[Vec<u8>]>,
    reference: impl Fn() -> anyhow::Result<Child>,
) -> anyhow::Result<ExitCode> {
    let load = |target: Target| Load {
        address: target.address(),
        requests: requests(target),
        connections: args.connections,
        threads: args.threads,
        timeout: args.timeout(),
    };
    let mut servers = Vec::new();
    // Held until the end: it ends the reference.
    let child = if args.reference { Some(reference()?) } else { None };
    if let Some(child) = &child {
        let watched = [child.watched(), Watched::own()];
        servers.push(Measured::new("reference", load(child.target()), watched.into())?);
    }
    let mut watched = args.watched.clone();
    watched.push(Watched::own());
    servers.push(Measured::new("service", load(target), watched)?);
    let rounds = if args.reference { args.rounds } else { 1 };
    for round in 0..rounds {
        for server in &mut servers {
            server.warm_up(args)?;
            server.measure(part(args, round, rounds))?;
        }
    }
    let servers = servers.into_iter().map(Server::from).collect();
    Report::new(command, serde_json::to_value(settings)?, servers).publish(&args.output)
}

/// One server, and what was measured of it so far.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    load: Load,
    pub(crate) watched: Vec<(Watched, Usage)>,
    pub(crate) tally: Tally,
    pub(crate) elapsed: Duration,
    pub(crate) kept_pace: bool,
    /// Answers with success a second, of each part.
    pub(crate) rates: Vec<f64>,
}

impl Measured {
    fn new(name: &'static str, load: Load, watched: Vec<Watched>) -> anyhow::Result<Self> {
        let watched = watched.into_iter().map(|process| (process, Usage::default())).collect();
        let (tally, elapsed, rates) = (Tally::new()?, Duration::ZERO, Vec::new());
        Ok(Self { name, load, watched, tally, elapsed, kept_pace: true, rates })
    }

    fn warm_up(&self, args: &LoadArgs) -> anyhow::Result<()> {
        if !args.warmup().is_zero() {
            let bounds = Bounds { requests: u64::MAX, duration: args.warmup(), ..part(args, 0, 1) };
            self.load.connect()?.run(bounds, "warm-up")?;
        }
        Ok(())
    }

    fn measure(&mut self, bounds: Bounds) -> anyhow::Result<()> {
        let ready = self.load.connect()?;
        let mut before = Vec::new();
        for (process, _) in &self.watched {
            before.push(process.usage()?);
        }
        let Done { tally, elapsed, kept_pace } = ready.run(bounds, self.name)?;
        for ((process, used), before) in self.watched.iter_mut().zip(before) {
            let after = process.usage()?;
            *used = Usage { cpu: used.cpu + after.cpu.saturating_sub(before.cpu), ..after };
        }
        self.rates.push(tally.successes() as f64 / elapsed.as_secs_f64());
        self.tally.add(tally)?;
        self.elapsed += elapsed;
        self.kept_pace &= kept_pace;
        Ok(())
    }
}

/// The bounds of one part of a measurement.
fn part(args: &LoadArgs, round: u32, rounds: u32) -> Bounds {
    let (part, parts) = (u64::from(round), u64::from(rounds));
    let share = |all: u64| all * (part + 1) / parts - all * part / parts;
    let requests = args.requests.map_or(u64::MAX, share);
    let duration = args.duration() / rounds;
    Bounds { requests, duration, rate: args.rate, backlog: MAX_BACKLOG, grace: args.timeout() }
}
