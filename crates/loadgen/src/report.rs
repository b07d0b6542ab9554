//! The result, as people and programs read it. docs/BENCHMARKS.md says what each field means.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::args::OutputArgs;
use crate::compare::Measured;
use crate::latency::Latency;
use crate::table;

/// Version of the JSON. Grows when a field changes its meaning or goes.
pub(crate) const SCHEMA: u32 = 1;

/// What `publish` and `query` measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: u32,
    command: &'static str,
    settings: serde_json::Value,
    /// Every answer was 2xx, and the rate was kept.
    is_clean: bool,
    pub(crate) servers: Vec<Server>,
    /// The service's value divided by the reference's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratios: Option<Ratios>,
}

/// One server under load.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) requests: u64,
    pub(crate) elapsed_s: f64,
    pub(crate) rate_per_s: f64,
    pub(crate) part_rates_per_s: Vec<f64>,
    pub(crate) latency: Latency,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) errors: BTreeMap<&'static str, u64>,
    pub(crate) late: u64,
    pub(crate) kept_pace: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_failure: Option<String>,
    pub(crate) processes: Vec<Process>,
}

/// What a process used.
#[derive(Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) cpu_us_per_request: f64,
    pub(crate) memory_bytes: u64,
    pub(crate) peak_memory_bytes: u64,
}

/// The service beside the reference.
#[derive(Debug, Serialize)]
pub(crate) struct Ratios {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    /// Of each process of the service, beside the reference's one.
    pub(crate) cpu_per_request: BTreeMap<String, f64>,
}

impl Report {
    pub(crate) fn new(
        command: &'static str,
        settings: serde_json::Value,
        servers: Vec<Server>,
    ) -> Self {
        let ratios = match servers.as_slice() {
            [reference, service] => Some(Ratios::of(service, reference)),
            _ => None,
        };
        let is_clean = servers.iter().all(Server::is_clean);
        Self { schema: SCHEMA, command, settings, is_clean, servers, ratios }
    }

    /// Writes it where it is wanted, and says how the program ends.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn publish(&self, output: &OutputArgs) -> anyhow::Result<ExitCode> {
        publish(self, &table::of_report(self), self.is_clean, output)
    }
}

/// Writes a result where it is wanted, and says how the program ends.
///
/// # Errors
/// It cannot be written.
pub(crate) fn publish(
    result: &impl Serialize,
    table: &str,
    is_clean: bool,
    output: &OutputArgs,
) -> anyhow::Result<ExitCode> {
    let json = serde_json::to_string_pretty(result)?;
    match output.json.as_deref() {
        Some(path) if path == Path::new("-") => writeln!(stdout(), "{json}")?,
        Some(path) => {
            let cannot = || format!("cannot write {}", path.display());
            writeln!(File::create(path).with_context(cannot)?, "{json}").with_context(cannot)?;
            write!(stdout(), "{table}")?;
        }
        None => write!(stdout(), "{table}")?,
    }
    let is_success = is_clean || output.allow_errors;
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Server {
    fn is_clean(&self) -> bool {
        let is_success = |status: &u16| (200..300).contains(status);
        self.kept_pace && self.errors.is_empty() && self.statuses.keys().all(is_success)
    }
}

impl From<Measured> for Server {
    fn from(measured: Measured) -> Self {
        let Measured { name, watched, tally, elapsed, kept_pace, rates, .. } = measured;
        let requests = tally.requests();
        let processes = watched.into_iter().map(|(process, usage)| Process {
            name: process.name,
            cpu_us_per_request: ratio(usage.cpu.as_secs_f64() * 1e6, requests as f64),
            memory_bytes: usage.memory_bytes,
            peak_memory_bytes: usage.peak_memory_bytes,
        });
        Self {
            name,
            requests,
            elapsed_s: elapsed.as_secs_f64(),
            rate_per_s: ratio(tally.successes() as f64, elapsed.as_secs_f64()),
            part_rates_per_s: rates,
            latency: Latency::from(&tally.latency),
            late: tally.late,
            kept_pace,
            processes: processes.collect(),
            statuses: tally.statuses,
            errors: tally.errors,
            first_failure: tally.first_failure,
        }
    }
}

impl Ratios {
    fn of(service: &Server, reference: &Server) -> Self {
        let (ours, theirs) = (&service.latency, &reference.latency);
        // The last one is loadgen itself.
        let reference_cpu = reference.processes.first().map_or(0.0, |p| p.cpu_us_per_request);
        let cpu = |process: &Process| {
            (process.name.clone(), ratio(process.cpu_us_per_request, reference_cpu))
        };
        let processes = service.processes.split_last().map_or(&[][..], |(_own, rest)| rest);
        Self {
            rate: ratio(service.rate_per_s, reference.rate_per_s),
            p50: ratio(ours.p50_us, theirs.p50_us),
            p90: ratio(ours.p90_us, theirs.p90_us),
            p99: ratio(ours.p99_us, theirs.p99_us),
            p999: ratio(ours.p999_us, theirs.p999_us),
            max: ratio(ours.max_us, theirs.max_us),
            cpu_per_request: processes.iter().map(cpu).collect(),
        }
    }
}

/// A quotient; 0 where there is nothing to divide by, since JSON has no infinity.
pub(crate) fn ratio(value: f64, by: f64) -> f64 {
    if by > 0.0 { value / by } else { 0.0 }
}
