//! What Java's tools and kcat are told, and what they have to see, whatever broker it is.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{JavaTools, System, eventually, kcat};
use models::NotificationId;

const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const CONSOLE_PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONFIG_COMMAND: &str = "kafka.admin.ConfigCommand";

/// How long a record may take from Kafka to an inbox.
const SOON: Duration = Duration::from_secs(10);

const FORM: &str = "fromID=2&toID=1&message=Bruno started following you.";
const JSON: &str = r#"{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"Bruno started following you."}"#;

/// The partition of key `1`, by Java's rule and six partitions.
const HOME_OF_1: &str = "3";

/// Reads a partition from its start with Java, `count` records.
pub(crate) async fn read_with_java(
    tools: &JavaTools,
    system: &System,
    topic_and_partition: (&str, &str),
    count: u32,
    properties: &[&str],
) -> Result<String> {
    let (topic, partition) = topic_and_partition;
    let count = count.to_string();
    let mut arguments = vec!["--bootstrap-server", &system.addresses.broker, "--topic", topic];
    arguments.extend(["--partition", partition, "--offset", "earliest"]);
    arguments.extend(["--max-messages", &count, "--timeout-ms", "30000"]);
    for property in properties {
        arguments.extend(["--formatter-property", property]);
    }
    let ended = tools.tool(CONSOLE_CONSUMER, &arguments).await?;
    let told = format!("Processed a total of {count} messages");
    ensure!(ended.stderr.contains(&told), "{}", ended.stderr);
    Ok(ended.stdout)
}

/// What `/send` wrote is a CloudEvent for any Kafka client.
pub(crate) async fn assert_java_and_kcat_read_what_was_sent(
    tools: &JavaTools,
    system: &System,
) -> Result<()> {
    let sent = system.client().send_form(FORM).await?;
    assert_eq!(sent.status, 200, "{sent:?}");
    let id = sent.header("Notification-Id").unwrap();
    id.parse::<NotificationId>()?;

    let properties = ["print.key=true", "print.headers=true", "print.partition=true"];
    let home = ("notifications", HOME_OF_1);
    let line = read_with_java(tools, system, home, 1, &properties).await?;
    let fields: Vec<_> = line.trim_end().split('\t').collect();
    let [partition, headers, key, value] = fields[..] else { panic!("{line}") };
    assert_eq!((partition, key, value), ("Partition:3", "1", JSON));
    assert_cloud_event(headers, ':', id)?;

    let mut arguments = vec!["-C", "-t", "notifications", "-p", HOME_OF_1, "-o", "beginning"];
    arguments.extend(["-e", "-q", "-f", r"%p\t%h\t%k\t%s\n"]);
    let line = kcat(&system.addresses.broker, &arguments, "").await?.stdout;
    let fields: Vec<_> = line.trim_end().split('\t').collect();
    let [partition, headers, key, value] = fields[..] else { panic!("{line}") };
    assert_eq!((partition, key, value), (HOME_OF_1, "1", JSON));
    assert_cloud_event(headers, '=', id)
}

fn assert_cloud_event(headers: &str, separator: char, id: &str) -> Result<()> {
    let mut time = None;
    let mut others = Vec::new();
    for header in headers.split(',') {
        match header.split_once(separator).with_context(|| headers.to_owned())? {
            ("ce_time", text) => time = Some(text.parse::<models::Timestamp>()?),
            other => others.push(other),
        }
    }
    assert!(time.is_some(), "{headers}");
    others.sort_unstable();
    let expected = [
        ("ce_id", id),
        ("ce_source", "kafka-notify"),
        ("ce_specversion", "1.0"),
        ("ce_type", "kafka-notify.notification.sent.v1"),
        ("content-type", "application/json"),
    ];
    assert_eq!(others, expected);
    Ok(())
}

/// Any Kafka client whose partitioner is Java's is a publisher.
pub(crate) async fn assert_plain_records_are_shown(
    tools: &JavaTools,
    system: &System,
) -> Result<()> {
    let broker = &system.addresses.broker;
    let value = |text: &str| {
        format!(
            r#"{{"from":{{"id":2,"name":"Bruno"}},"to":{{"id":4,"name":"Lena"}},"message":"{text}"}}"#
        )
    };
    let record = |text| format!("4:{}\n", value(text));
    let produce = ["-P", "-t", "notifications", "-K:"];
    let by_key = [&produce[..], &["-X", "topic.partitioner=murmur2_random"]].concat();
    kcat(broker, &by_key, &record("by kcat")).await?;
    let by_partition = [&produce[..], &["-p", "1"]].concat();
    kcat(broker, &by_partition, &record("by kcat to partition 1")).await?;
    let compressed = [&by_key[..], &["-z", "gzip", "-H", "unknown=header"]].concat();
    kcat(broker, &compressed, &record("by kcat with gzip")).await?;
    let mut arguments = vec!["--bootstrap-server", broker, "--topic", "notifications"];
    arguments.extend(["--reader-property", "parse.key=true"]);
    arguments.extend(["--reader-property", "key.separator=:"]);
    tools.feed(CONSOLE_PRODUCER, &arguments, &record("by Java")).await?;

    let texts = ["by kcat", "by kcat to partition 1", "by kcat with gzip", "by Java"];
    let expected = format!(r#"{{"notifications":[{}]}}"#, texts.map(value).join(","));
    eventually(SOON, async || {
        let inbox = system.inbox(4).await?;
        ensure!(inbox.body == expected, "{inbox:?}");
        Ok(())
    })
    .await
}

/// The topics are as design and documentation have them.
pub(crate) async fn assert_topics_have_their_settings(
    tools: &JavaTools,
    system: &System,
) -> Result<()> {
    let day_ms = 24 * 60 * 60 * 1000_u64;
    let retention = format!("retention.ms={}", 90 * day_ms);
    let segment = format!("segment.ms={day_ms}");
    let broker = &system.addresses.broker;
    let in_sync = "min.insync.replicas=1";
    for (topic, mut expected) in [
        (
            "notifications",
            vec![
                "cleanup.policy=delete",
                "message.timestamp.type=CreateTime",
                in_sync,
                &retention,
                &segment,
            ],
        ),
        ("notifications.users", vec!["cleanup.policy=compact", in_sync]),
        ("notifications.dlq", vec!["cleanup.policy=delete", in_sync, &retention]),
    ] {
        let arguments = ["--bootstrap-server", broker, "--describe", "--topic", topic];
        let described = tools.tool(CONFIG_COMMAND, &arguments).await?.stdout;
        let lines = described.lines().filter(|line| line.starts_with("  "));
        let mut settings: Vec<_> =
            lines.filter_map(|line| line.split_whitespace().next()).collect();
        settings.sort_unstable();
        expected.sort_unstable();
        assert_eq!(settings, expected, "{topic}: {described}");
    }
    let listed = kcat(broker, &["-L"], "").await?.stdout;
    for topic in [
        "topic \"notifications\" with 6 partitions",
        "topic \"notifications.users\" with 1 partitions",
        "topic \"notifications.dlq\" with 1 partitions",
    ] {
        assert!(listed.contains(topic), "{topic} is missing: {listed}");
    }
    Ok(())
}
