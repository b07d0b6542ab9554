//! The result as a table.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::latency::Latency;
use crate::report::{Process, Ratios, Report, Server};
use crate::visible::Visible;

/// What `publish` and `query` measured.
pub(crate) fn of_report(report: &Report) -> String {
    let mut lines = vec![row("", &["requests", "rate/s", "p50 us", "p90", "p99", "p99.9", "max"])];
    for server in &report.servers {
        let counts = [server.requests.to_string(), format!("{:.0}", server.rate_per_s)];
        lines.push(row(server.name, &[&counts[..], &times(&server.latency)].concat()));
    }
    if let Some(Ratios { rate, p50, p90, p99, p999, max, .. }) = &report.ratios {
        let ratios = [rate, p50, p90, p99, p999, max].map(|ratio| format!("{ratio:.2}"));
        lines.push(row("ratio", &[&[String::new()][..], &ratios].concat()));
    }
    lines.push(String::new());
    lines.push(row("process", &["CPU us/req", "ratio", "RSS MiB", "peak MiB", "under"]));
    for server in &report.servers {
        for process in &server.processes {
            lines.push(of_process(process, server, report.ratios.as_ref()));
        }
    }
    lines.push(String::new());
    lines.extend(report.servers.iter().map(outcome));
    lines.join("\n") + "\n"
}

/// What `visible` measured.
pub(crate) fn of_visible(visible: &Visible) -> String {
    let mut lines = vec![row("visible", &["requests", "p50 us", "p90", "p99", "p99.9", "max"])];
    let requests = [visible.requests.to_string()];
    for (name, latency) in
        [("from send", &visible.from_send), ("from answer", &visible.from_answer)]
    {
        lines.push(row(name, &[&requests[..], &times(latency)].concat()));
    }
    lines.push(String::new());
    let mut parts = vec![format!("{:.1} queries each", visible.polls_per_request)];
    parts.push(counts("error", &visible.errors));
    parts.extend(visible.first_failure.as_ref().map(|text| format!("first failure: {text}")));
    parts.retain(|part| !part.is_empty());
    lines.push(parts.join(", "));
    lines.join("\n") + "\n"
}

/// Times in microseconds: p50, p90, p99, p99.9, max.
fn times(latency: &Latency) -> [String; 5] {
    let Latency { p50_us, p90_us, p99_us, p999_us, max_us, .. } = latency;
    [p50_us, p90_us, p99_us, p999_us, max_us].map(|us| format!("{us:.0}"))
}

/// A name and values in columns.
fn row(name: &str, values: &[impl Display]) -> String {
    let values: String = values.iter().map(|value| format!("{value:>11}")).collect();
    format!("{name:<12}{values}").trim_end().to_owned()
}

fn of_process(process: &Process, server: &Server, ratios: Option<&Ratios>) -> String {
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / 1024.0 / 1024.0);
    let is_service = server.name == "service";
    let ratio = ratios.filter(|_| is_service).and_then(|r| r.cpu_per_request.get(&process.name));
    let values = [
        format!("{:.1}", process.cpu_us_per_request),
        ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
        mib(process.memory_bytes),
        mib(process.peak_memory_bytes),
        server.name.to_owned(),
    ];
    row(&process.name, &values)
}

/// One line: what came of the requests.
fn outcome(server: &Server) -> String {
    let mut parts = vec![counts("status", &server.statuses), counts("error", &server.errors)];
    parts.push(format!("late {}", server.late));
    if !server.kept_pace {
        parts.push("CANNOT KEEP UP with the rate".to_owned());
    }
    if let Some(failure) = &server.first_failure {
        parts.push(format!("first failure: {failure}"));
    }
    parts.retain(|part| !part.is_empty());
    format!("{:<12}{}", server.name, parts.join(", "))
}

/// `name key: count` for each.
fn counts(name: &str, counts: &BTreeMap<impl Display, u64>) -> String {
    let counts: Vec<_> = counts.iter().map(|(key, n)| format!("{name} {key}: {n}")).collect();
    counts.join(", ")
}
