//! What Kafka says.

use kafka::{
    ClusterConfig, GroupOffsets, Inspection, ProduceQuota, TopicsConfig, ends, inspect,
    produce_quotas, reach,
};
use models::{Offset, Partition};

use super::report::{Check, Report};
use super::settings;
use crate::failure::Failure;

/// How the producer names itself, which quotas go by.
const PRODUCER: &str = "kafka-notify-producer";

/// From how many records on somebody should look at a lag.
const MUCH_LAG: i64 = 10_000;

/// Looks at the brokers, and at the topics that they have.
pub(super) async fn look(
    cluster: &ClusterConfig,
    config: &TopicsConfig,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for address in &cluster.brokers {
        match reach(address, cluster).await {
            Ok(()) => report.add(&Check::ok(format!("broker {address}"), "answers"))?,
            Err(error) => failures.push((address, error)),
        }
    }
    let none_answers = failures.len() == cluster.brokers.len();
    for (address, error) in failures {
        let check = format!("broker {address}");
        let check = match none_answers {
            true => Check::error(check, error.to_string()),
            false => Check::warning(check, error.to_string()),
        };
        report.add(&check.fix("start it, or correct --brokers (NOTIFY_BROKERS)"))?;
    }
    if none_answers {
        return report.add(&Check::warning("topics", "not checked: no broker answers"));
    }
    let found = match inspect(cluster, config).await {
        Ok(found) => found,
        Err(error) => {
            return report.add(
                &Check::error("topics", format!("the cluster cannot be asked: {error}"))
                    .fix("see whether the brokers are healthy, and run this again"),
            );
        }
    };
    report.add_all(&settings::check(&config.topic, &found))?;
    report.add(&lag(cluster, &found).await)?;
    report.add(&dead_letters(cluster, &found).await)?;
    report.add(&quotas(cluster).await)
}

/// How far what the consumer has to write back is behind the log.
async fn lag(cluster: &ClusterConfig, found: &Inspection) -> Check {
    let Some(topic) = &found.notifications else {
        return Check::ok("consumer group", "not checked: there is no topic");
    };
    let group = format!("kafka-notify.{}", topic.name);
    let check = format!("consumer group {group}");
    let partitions: Vec<_> = (0..topic.partitions).map(Partition).collect();
    let ends = match ends(cluster, &topic.name, topic.partitions).await {
        Ok(ends) => ends,
        Err(error) => return Check::warning(check, format!("not checked: {error}")),
    };
    let mut offsets = GroupOffsets::new(cluster.clone(), group, topic.name.clone());
    let committed = match offsets.fetch(&partitions).await {
        Ok(committed) => committed,
        Err(error) => return Check::warning(check, format!("not checked: {error}")),
    };
    let (mut lag, mut uncommitted) = (0, 0);
    for ((start, end), committed) in ends.into_iter().zip(committed) {
        let committed = committed.map(|(offset, _)| offset);
        uncommitted += usize::from(committed.is_none() && end > start);
        let next: Offset = committed.unwrap_or(start).max(start);
        lag += (end.0 - next.0).max(0);
    }
    let detail = match uncommitted {
        0 => format!("lag {lag}"),
        _ => format!("lag {lag}; nothing committed in {uncommitted} partitions with records"),
    };
    match lag > MUCH_LAG {
        true => Check::warning(check, detail).fix("see whether the consumer runs and keeps up"),
        false => Check::ok(check, detail),
    }
}

async fn dead_letters(cluster: &ClusterConfig, found: &Inspection) -> Check {
    let Some(topic) = &found.dead_letters else {
        return Check::ok("dead letters", "not checked: there is no topic");
    };
    let ends = match ends(cluster, &topic.name, topic.partitions).await {
        Ok(ends) => ends,
        Err(error) => return Check::warning("dead letters", format!("not checked: {error}")),
    };
    let count: i64 = ends.iter().map(|(start, end)| (end.0 - start.0).max(0)).sum();
    match count {
        0 => Check::ok("dead letters", "none"),
        _ => Check::warning("dead letters", format!("about {count} on {}", topic.name)).fix(format!(
            "read why in their header notify_reason: kcat -b HOST:PORT -C -t {} -e -f '%h\\n%s\\n'",
            topic.name
        )),
    }
}

async fn quotas(cluster: &ClusterConfig) -> Check {
    let check = "produce quotas";
    match produce_quotas(cluster, PRODUCER).await {
        Ok(None) => Check::ok(check, "not checked: the broker does not tell"),
        Ok(Some(quotas)) if quotas.is_empty() => {
            Check::ok(check, format!("none for the client id {PRODUCER}"))
        }
        Ok(Some(quotas)) => {
            let text = |quota: &ProduceQuota| {
                format!("{} {} bytes/s", quota.entity, quota.bytes_per_second)
            };
            let all: Vec<_> = quotas.iter().map(text).collect();
            Check::warning(
                check,
                format!("{}: above it sends become slow, then 503", all.join(", ")),
            )
            .fix("see whether it is meant for this producer")
        }
        Err(error) => Check::warning(check, format!("not checked: {error}")),
    }
}
