//! What is right and wrong about the topics of an installation.

use kafka::{Inspection, TopicInspection};

use super::report::Check;

/// The largest record that is appended, and room for what a batch adds to it.
const RECORD_BYTES: i64 = 900_000 + 1024;

/// A log that is deleted sooner loses notifications before people have read them.
const SHORT_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;

/// Looks at the topics.
pub(super) fn check(topic: &str, found: &Inspection) -> Vec<Check> {
    let Inspection { brokers, notifications, users, dead_letters, layout } = found;
    let mut checks = Vec::new();
    let topics = [
        (topic.to_owned(), notifications),
        (format!("{topic}.users"), users),
        (format!("{topic}.dlq"), dead_letters),
    ];
    for (name, topic) in &topics {
        match topic {
            None => checks.push(
                Check::error(format!("topic {name}"), "it does not exist")
                    .fix("start the producer or the consumer once, which make it"),
            ),
            Some(topic) => {
                checks.push(partitions(topic));
                checks.push(replicas(topic, *brokers));
            }
        }
    }
    checks.extend(notifications.iter().flat_map(check_notifications));
    checks.extend(users.iter().map(check_users));
    if let (Some(notifications), Some(dead_letters)) = (notifications, dead_letters) {
        checks.extend(check_dead_letters(notifications, dead_letters));
    }
    checks.push(match layout {
        Ok(Some(partitions)) => {
            Check::ok("layout", format!("{partitions} partitions, as the topic has"))
        }
        Ok(None) => Check::error("layout", "there is no record $layout")
            .fix("start the producer or the consumer once, which write it"),
        Err(reason) => Check::error("layout", reason.clone()),
    });
    checks
}

fn partitions(topic: &TopicInspection) -> Check {
    let TopicInspection { name, partitions, without_leader, .. } = topic;
    let check = format!("topic {name}");
    if without_leader.is_empty() {
        return Check::ok(check, format!("{partitions} partitions, all with a leader"));
    }
    let missing: Vec<_> = without_leader.iter().map(ToString::to_string).collect();
    Check::error(check, format!("partitions without a leader: {}", missing.join(", ")))
        .fix("bring back the brokers that hold them")
}

/// What a broker of these settings does with the replicas.
fn replicas(topic: &TopicInspection, brokers: usize) -> Check {
    let TopicInspection { name, replication, out_of_sync, .. } = topic;
    let check = format!("replication of {name}");
    let in_sync = number(topic, "min.insync.replicas").and_then(|n| usize::try_from(n).ok());
    let in_sync = in_sync.unwrap_or(1);
    if in_sync > *replication {
        let detail = format!(
            "min.insync.replicas is {in_sync}, and it has {replication} replicas: nothing can be written"
        );
        return Check::error(check, detail).fix(alter(name, "min.insync.replicas", replication));
    }
    if in_sync > brokers {
        let detail = format!(
            "min.insync.replicas is {in_sync}, and {brokers} brokers run: nothing can be written"
        );
        return Check::error(check, detail).fix("start the brokers that are missing");
    }
    if !out_of_sync.is_empty() {
        let partitions: Vec<_> = out_of_sync.iter().map(ToString::to_string).collect();
        let detail = format!("replicas are behind in partitions {}", partitions.join(", "));
        return Check::warning(check, detail).fix("see whether a broker is down or overloaded");
    }
    if brokers >= 3 && *replication < 3 {
        let detail = format!(
            "{replication} replicas, while {brokers} brokers run: losing a disk may lose notifications"
        );
        let fix = "give it 3 replicas with kafka-reassign-partitions.sh, and min.insync.replicas 2";
        return Check::warning(check, detail).fix(fix);
    }
    if *replication >= 3 && in_sync < 2 {
        let detail = "min.insync.replicas is 1: what one broker has alone counts as written";
        return Check::warning(check, detail).fix(alter(name, "min.insync.replicas", 2));
    }
    let detail = format!("{replication} of {brokers} brokers have it, {in_sync} must");
    Check::ok(check, detail)
}

fn check_notifications(topic: &TopicInspection) -> Vec<Check> {
    let name = &topic.name;
    let mut checks = Vec::new();
    let retention_ms = number(topic, "retention.ms").unwrap_or(-1);
    let segment_ms = number(topic, "segment.ms").unwrap_or(0);
    if has(topic, "cleanup.policy", "compact") {
        checks.push(
            Check::error(
                format!("cleanup.policy of {name}"),
                "it is compacted: of each user only the newest notification is kept",
            )
            .fix(alter(name, "cleanup.policy", "delete")),
        );
    }
    if has(topic, "message.timestamp.type", "LogAppendTime") {
        checks.push(
            Check::error(
                format!("message.timestamp.type of {name}"),
                "it is LogAppendTime, and the services refuse to start",
            )
            .fix(alter(name, "message.timestamp.type", "CreateTime")),
        );
    }
    if has(topic, "unclean.leader.election.enable", "true") {
        checks.push(
            Check::warning(
                format!("unclean.leader.election.enable of {name}"),
                "it is true: when brokers fail, what was acknowledged may be lost",
            )
            .fix(alter(name, "unclean.leader.election.enable", false)),
        );
    }
    if number(topic, "max.message.bytes").is_some_and(|bytes| bytes < RECORD_BYTES) {
        checks.push(
            Check::warning(
                format!("max.message.bytes of {name}"),
                "large notifications, which the producer takes, are refused by the broker",
            )
            .fix(alter(name, "max.message.bytes", 1_048_588)),
        );
    }
    checks.extend(check_retention(topic, retention_ms, segment_ms));
    if checks.is_empty() {
        let detail = format!("retention {}, segments of {}", span(retention_ms), span(segment_ms));
        checks.push(Check::ok(format!("settings of {name}"), detail));
    }
    checks
}

fn check_retention(topic: &TopicInspection, retention_ms: i64, segment_ms: i64) -> Vec<Check> {
    let name = &topic.name;
    let mut checks = Vec::new();
    if (0..SHORT_RETENTION_MS).contains(&retention_ms) {
        let detail =
            format!("{}: notifications vanish before people have read them", span(retention_ms));
        checks.push(Check::warning(format!("retention.ms of {name}"), detail).fix(alter(
            name,
            "retention.ms",
            90 * SHORT_RETENTION_MS,
        )));
    }
    if retention_ms >= 0 && segment_ms > retention_ms {
        let detail = format!(
            "{}, longer than the retention of {}: what is to be deleted stays up to that much longer",
            span(segment_ms),
            span(retention_ms)
        );
        checks.push(Check::warning(format!("segment.ms of {name}"), detail).fix(alter(
            name,
            "segment.ms",
            SHORT_RETENTION_MS.min(retention_ms),
        )));
    }
    checks
}

fn check_users(topic: &TopicInspection) -> Check {
    let check = format!("cleanup.policy of {}", topic.name);
    let policy = topic.settings.get("cleanup.policy").map_or("", String::as_str);
    let fix = alter(&topic.name, "cleanup.policy", "compact");
    if !has(topic, "cleanup.policy", "compact") {
        return Check::error(check, format!("{policy}: users are lost after its retention"))
            .fix(fix);
    }
    if has(topic, "cleanup.policy", "delete") {
        return Check::error(check, format!("{policy}: users are lost after its retention"))
            .fix(fix);
    }
    Check::ok(check, policy)
}

fn check_dead_letters(notifications: &TopicInspection, dlq: &TopicInspection) -> Vec<Check> {
    let retention = |topic| match number(topic, "retention.ms") {
        Some(ms) if ms >= 0 => ms,
        _ => i64::MAX,
    };
    let (theirs, longest) = (retention(dlq), retention(notifications));
    let check = format!("retention.ms of {}", dlq.name);
    if has(dlq, "cleanup.policy", "compact") {
        let check = format!("cleanup.policy of {}", dlq.name);
        return vec![
            Check::error(check, "it is compacted: dead letters without a key cannot be written")
                .fix(alter(&dlq.name, "cleanup.policy", "delete")),
        ];
    }
    if theirs > longest {
        let detail = format!(
            "{}, longer than the {} of {}: what is deleted there lives on here",
            span(theirs),
            span(longest),
            notifications.name
        );
        return vec![Check::error(check, detail).fix(alter(&dlq.name, "retention.ms", longest))];
    }
    vec![Check::ok(check, span(theirs))]
}

fn has(topic: &TopicInspection, setting: &str, value: &str) -> bool {
    let is_in = |set: &String| set.split(',').any(|part| part.trim() == value);
    topic.settings.get(setting).is_some_and(is_in)
}

fn number(topic: &TopicInspection, setting: &str) -> Option<i64> {
    topic.settings.get(setting)?.parse().ok()
}

/// The command of Apache Kafka that changes a setting.
fn alter(topic: &str, setting: &str, value: impl ToString) -> String {
    let value = value.to_string();
    format!(
        "kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic {topic} --add-config {setting}={value}"
    )
}

/// Milliseconds in the largest unit that leaves no rest.
fn span(ms: i64) -> String {
    if !(0..i64::MAX).contains(&ms) {
        return "for ever".to_owned();
    }
    let units =
        [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1_000, "seconds")];
    let unit = units.into_iter().find(|(unit, _)| ms >= *unit && ms % unit == 0);
    let (unit, name) = unit.unwrap_or((1, "milliseconds"));
    format!("{} {name}", ms / unit)
}

#[cfg(test)]
mod tests;
