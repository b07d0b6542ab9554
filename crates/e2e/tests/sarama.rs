//! The tutorial's clients, in Go, with whatever broker it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{ApacheKafka, Part, SaramaTools, System, eventually, kcat};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long a record may take from Kafka to an inbox.
const SOON: Duration = Duration::from_secs(10);

const USERS: [u32; 4] = [1, 2, 3, 4];

/// Partitions of users 1 to 4, of 6: FNV-1a as sarama does it.
const SARAMA_PARTITIONS: [i32; 4] = [4, 1, 2, 1];

fn json(from: (u32, &str), to: (u32, &str), message: &str) -> String {
    let ((from, from_name), (to, to_name)) = (from, to);
    format!(
        r#"{{"from":{{"id":{from},"name":"{from_name}"}},"to":{{"id":{to},"name":"{to_name}"}},"message":"{message}"}}"#
    )
}

/// Producer and consumer, on topics that are laid out with sarama's partitioner.
async fn services_for_sarama(broker: &str) -> Result<System> {
    let mut system = System::laid_out(PROGRAM)?;
    broker.clone_into(&mut system.addresses.broker);
    for part in [Part::Producer, Part::Consumer] {
        system.start_with(part, &["--partitioner", "sarama"])?;
        system.ready(part).await?;
    }
    Ok(system)
}

async fn assert_shows_what_was_sent_and_skips_the_rest(
    sarama: &SaramaTools,
    system: &System,
) -> Result<()> {
    let broker = &system.addresses.broker;
    assert_eq!(system.send(2, 1, "Bruno <b>").await?.status, 200);
    assert_eq!(system.send(1, 4, "Emma liked your post.").await?.status, 200);
    // What a change looks like, and what nobody can read.
    let others = "1:[{\"ids\":[\"x\"],\"read\":true}]\n1:no JSON\n";
    kcat(broker, &["-P", "-t", "notifications", "-p", "3", "-K:"], others).await?;

    let consumed = sarama.consume(broker, 2).await?.success()?;
    let mut lines: Vec<_> = consumed.stdout.lines().collect();
    lines.sort_unstable();
    let expected = [
        json((1, "Emma"), (4, "Lena"), "Emma liked your post."),
        json((2, "Bruno"), (1, "Emma"), "Bruno <b>"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(consumed.stderr.matches("skipped partition 3").count(), 2, "{consumed:?}");
    Ok(())
}

/// Sends to each user with sarama; the partitions they got.
async fn produce_to_all(sarama: &SaramaTools, broker: &str) -> Result<Vec<i32>> {
    let mut partitions = Vec::new();
    for user in USERS {
        let places = sarama.produce(broker, (user % 4 + 1, user), "from Go", 2).await?;
        let [(first, _), (second, _)] = places[..] else { panic!("{places:?}") };
        assert_eq!(first, second);
        partitions.push(first);
    }
    Ok(partitions)
}

async fn assert_shown_from_go(system: &System, user: u32) -> Result<()> {
    eventually(SOON, async || {
        let inbox = system.inbox(user).await?;
        let shown = inbox.body.matches("\"from Go 1\"").count();
        ensure!(shown == 1 && inbox.body.matches("\"from Go 2\"").count() == 1, "{inbox:?}");
        Ok(())
    })
    .await
}

async fn assert_what_is_at_home_is_shown(sarama: &SaramaTools, system: &System) -> Result<()> {
    let partitions = produce_to_all(sarama, &system.addresses.broker).await?;
    assert_eq!(partitions, SARAMA_PARTITIONS);
    // By Java's rule they are at home in 3, 2, 5 and 1: of these user 4 alone.
    assert_shown_from_go(system, 4).await
}

async fn assert_all_is_shown(sarama: &SaramaTools, system: &System) -> Result<()> {
    let partitions = produce_to_all(sarama, &system.addresses.broker).await?;
    assert_eq!(partitions, SARAMA_PARTITIONS);
    for user in USERS {
        assert_shown_from_go(system, user).await?;
    }
    Ok(())
}

#[tokio::test]
async fn with_the_embedded_broker() -> Result<()> {
    let sarama = SaramaTools::built().await?;
    let system = System::up(PROGRAM).await?;
    assert_shows_what_was_sent_and_skips_the_rest(&sarama, &system).await?;
    assert_what_is_at_home_is_shown(&sarama, &system).await?;

    let mut broker = System::laid_out(PROGRAM)?;
    broker.restart(Part::Broker).await?;
    let system = services_for_sarama(&broker.addresses.broker).await?;
    assert_all_is_shown(&sarama, &system).await
}

#[tokio::test]
async fn with_apache_kafka() -> Result<()> {
    let sarama = SaramaTools::built().await?;
    let kafka = ApacheKafka::start().await?;
    let system = System::with_broker(PROGRAM, kafka.address()).await?;
    assert_shows_what_was_sent_and_skips_the_rest(&sarama, &system).await?;
    assert_what_is_at_home_is_shown(&sarama, &system).await?;

    let kafka = ApacheKafka::start().await?;
    let system = services_for_sarama(kafka.address()).await?;
    assert_all_is_shown(&sarama, &system).await
}

#[tokio::test]
async fn a_blank_notification_is_found() -> Result<()> {
    let sarama = SaramaTools::built().await?;
    let system = System::up(PROGRAM).await?;
    let broker = &system.addresses.broker;
    let blanks = "1:{\"ids\":[\"x\"],\"read\":true}\n";
    kcat(broker, &["-P", "-t", "notifications", "-p", "3", "-K:"], blanks).await?;
    let consumed = sarama.consume(broker, 0).await?;
    assert_eq!(consumed.status.code(), Some(1), "{consumed:?}");
    assert_eq!(consumed.stdout, "");
    Ok(())
}
