//! A topic that others write to as well: whatever they write, every good record is in the right
//! inbox, once, and the rest is in the dead-letter topic, once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{ApacheKafka, Part, SaramaTools, System, eventually, kcat};
use kafka::{ClusterConfig, Reader, Wait};
use models::{Offset, Partition, Record};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long a record may take from Kafka to an inbox or to the dead-letter topic.
const SOON: Duration = Duration::from_secs(30);

const PARTITIONS: i32 = 6;
const TOPIC: &str = "notifications";

/// The home of user 1, by Java's rule and six partitions.
const HOME_OF_1: &str = "3";

fn notification(to: u32, message: &str) -> String {
    let name = ["", "Emma", "Bruno", "Rick", "Lena"][to as usize];
    format!(
        r#"{{"from":{{"id":2,"name":"Bruno"}},"to":{{"id":{to},"name":"{name}"}},"message":"{message}"}}"#
    )
}

/// Writes one record with kcat; more arguments choose partition, headers, partitioner.
async fn write(system: &System, key: &str, value: &str, more: &[&str]) -> Result<()> {
    // No line end in what is written, and a record may be large.
    let mut arguments = vec!["-P", "-t", TOPIC, "-k", key, "-D", "\u{1}"];
    arguments.extend(["-X", "message.max.bytes=2000000"]);
    arguments.extend(more);
    kcat(&system.addresses.broker, &arguments, value).await?;
    Ok(())
}

/// Everything a partition holds.
async fn read(system: &System, topic: &str, partition: i32) -> Result<Vec<(Offset, Record)>> {
    let cluster = ClusterConfig::new(vec![system.addresses.broker.clone()], "test");
    let mut reader = Reader::new(cluster, topic, Partition(partition));
    let (mut offset, _) = reader.bounds().await?;
    let mut records = Vec::new();
    loop {
        let fetched = reader.fetch(offset, 4 << 20, Wait::No).await?;
        let is_end = fetched.is_end();
        offset = fetched.next_offset;
        records.extend(fetched.records);
        if is_end {
            return Ok(records);
        }
    }
}

fn header(record: &Record, name: &str) -> String {
    String::from_utf8(record.headers.get(name).unwrap().to_vec()).unwrap()
}

/// The dead letters: where each lay, and why it is there.
async fn dead_letters(system: &System) -> Result<Vec<(String, String)>> {
    let letters = read(system, "notifications.dlq", 0).await?;
    let place = |record: &Record| {
        assert_eq!(header(record, "notify_topic"), TOPIC);
        let place = ["notify_partition", "notify_offset"].map(|name| header(record, name));
        (place.join("/"), header(record, "notify_reason"))
    };
    Ok(letters.iter().map(|(_, record)| place(record)).collect())
}

/// Each user's messages, sorted; of long ones the length.
async fn inboxes(system: &System) -> Result<BTreeMap<u32, Vec<String>>> {
    let mut inboxes = BTreeMap::new();
    for user in 1..=4 {
        let answer = system.inbox(user).await?;
        ensure!(answer.status == 200, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body)?;
        let text = |n: &Value| match n["message"].as_str().unwrap() {
            long if long.len() > 1_000 => format!("{} bytes", long.len()),
            short => short.to_owned(),
        };
        let notifications = body["notifications"].as_array().context("notifications")?;
        let mut messages: Vec<_> = notifications.iter().map(text).collect();
        messages.sort();
        inboxes.insert(user, messages);
    }
    Ok(inboxes)
}

/// What is written that is good; each is shown once.
async fn write_good(sarama: &SaramaTools, system: &System) -> Result<()> {
    let broker = &system.addresses.broker;
    let home = ["-p", HOME_OF_1];
    assert_eq!(system.send(2, 1, "sent").await?.status, 200);
    // Sarama's partitioner and Java's agree on user 4 alone; kcat's and Java's on none of the four.
    for user in 1..=4 {
        sarama.produce(broker, (2, user), "by sarama", 1).await?;
        write(system, &user.to_string(), &notification(user, "by kcat"), &[]).await?;
    }
    sarama.produce_in_transaction(broker, (2, 4), "committed", 2, true).await?;
    sarama.produce_in_transaction(broker, (2, 4), "aborted", 1, false).await?;
    write(system, "1", &notification(1, "null header"), &[&home[..], &["-H", "trace"]].concat())
        .await?;
    let event = ["-H", "ce_specversion=1.0", "-H", "ce_id=1", "-H", "ce_source=shop"];
    let sent = ["-H", "ce_type=kafka-notify.notification.sent.v1"];
    // Twice, as a client that tries again may: it is one event.
    for _ in 0..2 {
        let headers = [&home[..], &event, &sent].concat();
        write(system, "1", &notification(1, "an event"), &headers).await?;
    }
    write(system, "1", &notification(1, &"x".repeat(880_000)), &home).await?;
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let text = format!("with {codec}");
        write(system, "1", &notification(1, &text), &[&home[..], &["-z", codec]].concat()).await?;
    }
    assert_eq!(system.send(3, 1, "sent last").await?.status, 200);
    Ok(())
}

/// What is written that is in nobody's inbox, by the reason its dead letter gives.
async fn write_bad(system: &System) -> Result<Vec<&'static str>> {
    let home = ["-p", HOME_OF_1];
    let unknown = ["-H", "ce_specversion=1.0", "-H", "ce_id=2", "-H", "ce_source=shop"];
    let unknown = [&home[..], &unknown, &["-H", "ce_type=shop.order.placed"]].concat();
    write(system, "1", "no JSON", &home).await?;
    write(system, "no user!", &notification(1, "lost"), &home).await?;
    write(system, "1", &notification(2, "whose?"), &home).await?;
    write(system, "1", &notification(1, "?"), &unknown).await?;
    Ok(vec![
        "key_and_value_disagree",
        "key_is_no_user_id",
        "unknown_type",
        "value_is_no_notification",
    ])
}

fn expected_inboxes() -> BTreeMap<u32, Vec<String>> {
    let of = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut first = of(&["880000 bytes", "an event", "by kcat", "by sarama", "null header"]);
    first.extend(of(&["sent", "sent last", "with gzip", "with lz4", "with snappy", "with zstd"]));
    // Aborted is read like any other: what is shown must not depend on where a fetch began.
    let last = of(&["aborted", "by kcat", "by sarama", "committed 1", "committed 2"]);
    let others = of(&["by kcat", "by sarama"]);
    BTreeMap::from([(1, first), (2, others.clone()), (3, others), (4, last)])
}

/// Waits until the consumer has committed that everything that left every inbox was delivered: then
/// a store that is lost delivers nothing again.
async fn all_is_committed(system: &System) -> Result<()> {
    let cluster = ClusterConfig::new(vec![system.addresses.broker.clone()], "test");
    let mut offsets = kafka::GroupOffsets::new(cluster, "kafka-notify.notifications", TOPIC);
    let partitions: Vec<_> = (0..PARTITIONS).map(Partition).collect();
    let answer = system.get(Part::Consumer, "/v1/partitions").await?;
    let body: Value = serde_json::from_str(&answer.body)?;
    let found = offsets.fetch(&partitions).await?;
    for (partition, found) in found.iter().enumerate() {
        let next_offset = body["partitions"][partition]["next_offset"].as_i64().unwrap();
        let committed = found.as_ref().map_or(0, |(offset, _)| offset.0);
        ensure!(committed == next_offset, "partition {partition}: {committed} of {next_offset}");
    }
    Ok(())
}

/// Throws the consumer's store away. A bad record in each partition afterwards shows that whatever
/// would be delivered before it was delivered.
async fn rebuild(system: &mut System, dead: &mut Vec<(String, String)>) -> Result<()> {
    system.stop(Part::Consumer, SOON).await?;
    std::fs::remove_dir_all(&system.store_dir)?;
    system.restart(Part::Consumer).await?;
    for partition in 0..PARTITIONS {
        write(system, "no user!", "x", &["-p", &partition.to_string()]).await?;
        let records = read(system, TOPIC, partition).await?;
        let (offset, _) = records.last().context("what was written")?;
        dead.push((format!("{partition}/{offset}"), "key_is_no_user_id".into()));
    }
    dead.sort();
    dead_are(system, dead).await
}

async fn dead_are(system: &System, expected: &[(String, String)]) -> Result<()> {
    eventually(SOON, async || {
        let mut dead = dead_letters(system).await?;
        dead.sort();
        ensure!(dead.len() >= expected.len(), "{dead:?}");
        assert_eq!(dead, expected, "each once");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn whatever_others_write_good_records_are_shown_once_and_the_rest_is_a_dead_letter_once()
-> Result<()> {
    let kafka = ApacheKafka::start().await?;
    let sarama = SaramaTools::built().await?;
    let mut system = System::with_broker(PROGRAM, kafka.address()).await?;
    let mut reasons = write_bad(&system).await?;
    write_good(&sarama, &system).await?;
    reasons.extend(write_bad(&system).await?);
    assert_eq!(system.send(2, 1, "sent behind it all").await?.status, 200);

    let mut expected = expected_inboxes();
    expected.get_mut(&1).unwrap().push("sent behind it all".into());
    expected.get_mut(&1).unwrap().sort();
    eventually(SOON, async || {
        let shown = inboxes(&system).await?;
        ensure!(shown == expected, "{shown:#?}");
        Ok(())
    })
    .await?;
    eventually(SOON, async || {
        let dead = dead_letters(&system).await?;
        ensure!(dead.len() >= reasons.len(), "{dead:?}");
        all_is_committed(&system).await
    })
    .await?;
    let mut dead = dead_letters(&system).await?;
    let mut found: Vec<_> = dead.iter().map(|(_, reason)| reason.as_str()).collect();
    found.sort_unstable();
    reasons.sort_unstable();
    assert_eq!(found, reasons);
    let before = ends(&system).await?;
    for _ in 0..2 {
        let shown: Vec<_> = bodies(&system).await?;
        rebuild(&mut system, &mut dead).await?;
        assert_eq!(bodies(&system).await?, shown, "byte for byte");
        eventually(SOON, async || all_is_committed(&system).await).await?;
    }
    let bad = 2;
    let after = ends(&system).await?;
    let grown: Vec<_> = before.iter().zip(&after).map(|(before, after)| after - before).collect();
    assert_eq!(grown, [bad; PARTITIONS as usize], "nothing is relayed again");
    Ok(())
}

async fn bodies(system: &System) -> Result<Vec<String>> {
    let mut bodies = Vec::new();
    for user in 1..=4 {
        bodies.push(system.inbox(user).await?.body);
    }
    Ok(bodies)
}

/// Where each partition of the notifications topic ends.
async fn ends(system: &System) -> Result<Vec<i64>> {
    let mut ends = Vec::new();
    for partition in (0..PARTITIONS).map(Partition) {
        let cluster = ClusterConfig::new(vec![system.addresses.broker.clone()], "test");
        ends.push(Reader::new(cluster, TOPIC, partition).bounds().await?.1.0);
    }
    Ok(ends)
}
