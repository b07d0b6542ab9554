//! What the services say.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::report::{Check, Report};
use crate::client::{Answer, Ask, Client};
use crate::client_args::BaseUrl;
use crate::failure::Failure;

/// From how many records on somebody should look at a lag.
const MUCH_LAG: i64 = 10_000;

/// The body of `/readyz`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Health {
    status: String,
    details: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Partitions {
    partitions: Vec<PartitionStatus>,
}

#[derive(Deserialize)]
struct PartitionStatus {
    partition: i32,
    state: String,
    lag: i64,
}

pub(super) async fn look_at_producer(
    client: &Client,
    base: &BaseUrl,
    report: &mut Report,
) -> Result<(), Failure> {
    let check = readiness(client, base, "producer", "--producer-url (NOTIFY_PRODUCER_URL)").await;
    report.add(&check.0)
}

pub(super) async fn look_at_consumer(
    client: &Client,
    base: &BaseUrl,
    report: &mut Report,
) -> Result<(), Failure> {
    let (check, is_there) = readiness(client, base, "consumer", "--url (NOTIFY_URL)").await;
    report.add(&check)?;
    if is_there {
        report.add(&partitions(client, base).await)?;
        report.add(&misplaced(client, base).await)?;
    }
    Ok(())
}

/// Whether a service is ready, and whether it answers at all.
async fn readiness(client: &Client, base: &BaseUrl, name: &str, flag: &str) -> (Check, bool) {
    let check = format!("{name} {base}");
    let answer = match client.ask_once(&Ask::get(base, &["readyz"], &[])).await {
        Ok(answer) => answer,
        Err(failure) => {
            let fix = format!("start it, or say with {flag} where it is");
            return (Check::warning(check, failure.to_string()).fix(fix), false);
        }
    };
    let Ok(health) = answer.decode::<Health>() else {
        let detail = format!("what answers there is no {name} (HTTP {})", answer.status());
        let fix = format!("say with {flag} where it is");
        return (Check::warning(check, detail).fix(fix), false);
    };
    let details: Vec<_> = health.details.iter().map(|(k, v)| format!("{k}: {v}")).collect();
    let check = match (answer.status(), details.is_empty()) {
        (200, true) => Check::ok(check, health.status),
        (200, false) => Check::warning(check, format!("{}; {}", health.status, details.join("; "))),
        (status, _) => {
            let detail = [vec![format!("{} (HTTP {status})", health.status)], details].concat();
            Check::error(check, detail.join("; ")).fix("its log says what it waits for")
        }
    };
    (check, true)
}

async fn get(client: &Client, base: &BaseUrl, path: &[&str]) -> Result<Answer, String> {
    match client.ask_once(&Ask::get(base, path, &[])).await {
        Ok(answer) if answer.status() == 200 => Ok(answer),
        Ok(answer) => Err(format!("not checked: HTTP {}", answer.status())),
        Err(failure) => Err(format!("not checked: {failure}")),
    }
}

async fn partitions(client: &Client, base: &BaseUrl) -> Check {
    let check = "inboxes";
    let answer = match get(client, base, &["v1", "partitions"]).await {
        Ok(answer) => answer,
        Err(reason) => return Check::warning(check, reason),
    };
    let Ok(Partitions { partitions }) = answer.decode() else {
        return Check::warning(check, "not checked: the answer cannot be read");
    };
    let is_live = |status: &&PartitionStatus| status.state == "live";
    let others: Vec<_> = partitions
        .iter()
        .filter(|status| !is_live(status))
        .map(|status| format!("{} {}", status.partition, status.state))
        .collect();
    let lag: i64 = partitions.iter().map(|status| status.lag).sum();
    let detail = format!(
        "{} of {} partitions live, lag {lag}",
        partitions.len() - others.len(),
        partitions.len()
    );
    if !others.is_empty() {
        return Check::warning(check, format!("{detail}; partitions {}", others.join(", ")))
            .fix("wait until they are restored from the log, which /v1/partitions shows");
    }
    match lag > MUCH_LAG {
        true => Check::warning(check, detail).fix("the consumer does not keep up: see its load"),
        false => Check::ok(check, detail),
    }
}

/// Records that lay off their home since the consumer started.
async fn misplaced(client: &Client, base: &BaseUrl) -> Check {
    let check = "misplaced records";
    let answer = match get(client, base, &["metrics"]).await {
        Ok(answer) => answer,
        Err(reason) => return Check::warning(check, reason),
    };
    let metrics = String::from_utf8_lossy(answer.body()).into_owned();
    match sum(&metrics, "notify_misplaced_records_total") {
        None => Check::ok(check, "not checked: the consumer does not count them"),
        Some(0.0) => Check::ok(check, "none since the consumer started"),
        Some(count) => Check::warning(
            check,
            format!("{count} since the consumer started: each is relayed to its home, and costs twice"),
        )
        .fix("let clients use the partitioner of the layout (kcat: -X topic.partitioner=murmur2_random)"),
    }
}

/// The sum of a metric over its labels, in the text format.
fn sum(metrics: &str, name: &str) -> Option<f64> {
    let mut sum = None;
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix(name) else { continue };
        if !rest.starts_with(['{', ' ']) {
            continue;
        }
        // Labels have no blanks here; behind the value there may be a time.
        let value = rest.rsplit_once('}').map_or(rest, |(_, value)| value);
        let value = value.split_whitespace().next().and_then(|value| value.parse::<f64>().ok());
        sum = value.map(|value| value + sum.unwrap_or(0.0)).or(sum);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let text = "# TYPE x counter\nx_total{partition=\"0\"} 2\nx_total{partition=\"1\"} 3 99\nx_total_more 9\n";
        assert_eq!(sum(text, "x_total"), Some(5.0));
        assert_eq!(sum("x_total 4\n", "x_total"), Some(4.0));
        assert_eq!(sum(text, "y_total"), None);
    }
}
