//! Broker, producer and consumer as processes of their own, and what each does without the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Answer, Part, System, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long a process may take to refuse, or to answer.
const SOON: Duration = Duration::from_secs(5);

/// How long a send waits for the log before it is answered.
const ANSWERING: Duration = Duration::from_secs(5);

/// How long services may take to notice that the broker is back: they back off between tries.
const RECOVERY: Duration = Duration::from_secs(20);

/// Sends until it is accepted, which a message that is unknown to have arrived may be twice.
async fn send_until_accepted(system: &System, to: u32, message: &str) -> Result<()> {
    eventually(RECOVERY, async || {
        let answer = system.send(2, to, message).await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await
}

async fn inbox_with(system: &System, part: Part, user: u32, message: &str) -> Result<Answer> {
    eventually(RECOVERY, async || {
        let answer = system.get(part, &format!("/notifications/{user}")).await?;
        ensure!(answer.status == 200 && answer.body.contains(message), "{answer:?}");
        Ok(answer)
    })
    .await
}

#[tokio::test]
async fn three_processes_do_what_one_does() -> Result<()> {
    let system = System::parts(PROGRAM).await?;
    let answer = system.send(2, 1, "Bruno started following you.").await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let inbox = inbox_with(&system, Part::Consumer, 1, "Bruno started").await?;
    assert_eq!(
        inbox.body,
        r#"{"notifications":[{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"Bruno started following you."}]}"#
    );
    Ok(())
}

#[tokio::test]
async fn services_that_start_before_the_broker_say_so_and_become_ready_with_it() -> Result<()> {
    let mut system = System::laid_out(PROGRAM)?;
    for part in [Part::Consumer, Part::Producer] {
        system.start(part)?;
        let alive = eventually(SOON, async || system.get(part, "/livez").await).await?;
        assert_eq!(alive.status, 200, "{alive:?}");
        let ready = system.get(part, "/readyz").await?;
        assert_eq!(ready.status, 503, "{ready:?}");
    }
    for refused in [system.send(2, 1, "too early").await?, system.inbox(1).await?] {
        assert_eq!(refused.status, 503, "{refused:?}");
        let wait: u64 = refused.header("Retry-After").unwrap().parse()?;
        assert!((1..=30).contains(&wait), "{refused:?}");
    }

    system.start(Part::Broker)?;
    for part in [Part::Producer, Part::Consumer] {
        eventually(RECOVERY, async || {
            let ready = system.get(part, "/readyz").await?;
            ensure!(ready.status == 200, "{part:?}: {ready:?}");
            Ok(())
        })
        .await?;
    }
    assert_eq!(system.send(2, 1, "in time").await?.status, 200);
    let inbox = inbox_with(&system, Part::Consumer, 1, "in time").await?;
    assert!(!inbox.body.contains("too early"), "{inbox:?}");
    Ok(())
}

#[tokio::test]
async fn services_outlive_a_broker_that_is_killed_and_reads_go_on_without_it() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    assert_eq!(system.send(2, 1, "before").await?.status, 200);
    inbox_with(&system, Part::Consumer, 1, "before").await?;

    system.kill_9(Part::Broker)?;
    eventually(RECOVERY, async || {
        let answer = system.inbox(1).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("before"), "{answer:?}");
        let staleness_ms: u64 = match answer.header("Staleness") {
            Some(staleness) => staleness.parse()?,
            None => anyhow::bail!("no Staleness yet: {answer:?}"),
        };
        assert!(staleness_ms > 0);
        Ok(())
    })
    .await?;
    let refused = system.send(2, 1, "lost or late").await?;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("Retry-After").is_some(), "{refused:?}");
    // A broker that is away is a detail, not a reason to send requests elsewhere.
    for part in [Part::Producer, Part::Consumer] {
        assert_eq!(system.get(part, "/readyz").await?.status, 200);
    }

    system.restart(Part::Broker).await?;
    send_until_accepted(&system, 1, "after").await?;
    let inbox = inbox_with(&system, Part::Consumer, 1, "after").await?;
    assert_eq!(inbox.body.matches("before").count(), 1, "{inbox:?}");
    eventually(RECOVERY, async || {
        let answer = system.inbox(1).await?;
        ensure!(answer.header("Staleness").is_none(), "{answer:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_consumer_that_is_killed_goes_on_where_it_was() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    assert_eq!(system.send(2, 1, "first").await?.status, 200);
    let before = inbox_with(&system, Part::Consumer, 1, "first").await?;

    system.kill_9(Part::Consumer)?;
    assert_eq!(system.send(2, 4, "while it was away").await?.status, 200);
    system.restart(Part::Consumer).await?;
    assert_eq!(system.inbox(1).await?.body, before.body);
    // Ready means caught up with the log.
    let inbox = system.inbox(4).await?;
    assert!(inbox.body.contains("while it was away"), "{inbox:?}");
    Ok(())
}

#[tokio::test]
async fn a_broker_that_is_restored_from_a_backup_has_what_it_had_then() -> Result<()> {
    let mut system = System::laid_out(PROGRAM)?;
    system.restart(Part::Up).await?;
    assert_eq!(system.send(2, 1, "in the backup").await?.status, 200);
    assert!(system.back_up_broker().is_err(), "it runs");
    system.stop(Part::Up, SOON).await?;
    let backup = system.back_up_broker()?;

    system.restart(Part::Up).await?;
    assert_eq!(system.send(2, 1, "after it").await?.status, 200);
    inbox_with(&system, Part::Up, 1, "after it").await?;
    system.kill_9(Part::Up)?;
    system.restore_broker(&backup)?;

    // The inbox is ahead of the log that it is asked to follow now, which is another one.
    system.restart(Part::Up).await?;
    let inbox = inbox_with(&system, Part::Up, 1, "in the backup").await?;
    assert!(!inbox.body.contains("after it"), "{inbox:?}");
    Ok(())
}

#[tokio::test]
async fn two_consumers_with_stores_of_their_own_show_the_same_bytes() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    for number in 0..50 {
        let answer = system.send(2, 1 + number % 4, &format!("number {number}.")).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    system.restart(Part::SecondConsumer).await?;
    for (user, last) in [(1, "number 48."), (2, "number 49."), (3, "number 46."), (4, "number 47.")]
    {
        let first = inbox_with(&system, Part::Consumer, user, last).await?;
        let second = inbox_with(&system, Part::SecondConsumer, user, last).await?;
        assert_eq!(first.body, second.body);
    }
    // While both run a new one reaches both.
    assert_eq!(system.send(2, 1, "the newest").await?.status, 200);
    let first = inbox_with(&system, Part::Consumer, 1, "the newest").await?;
    let second = inbox_with(&system, Part::SecondConsumer, 1, "the newest").await?;
    assert_eq!(first.body, second.body);
    Ok(())
}

#[tokio::test]
async fn a_store_in_use_is_a_sentence_with_its_path_and_its_flag() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    let mut other = System::laid_out(PROGRAM)?;
    other.addresses.broker.clone_from(&system.addresses.broker);
    other.store_dir.clone_from(&system.store_dir);
    other.start(Part::Consumer)?;
    let ended = other.process(Part::Consumer)?.end(SOON).await?;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains(system.store_dir.to_str().unwrap()), "{ended:?}");
    assert!(ended.stderr.contains("--store-dir"), "{ended:?}");
    assert!(system.process(Part::Consumer)?.status()?.is_none());
    Ok(())
}

#[tokio::test]
async fn another_partitioner_than_the_topics_were_laid_out_with_is_refused() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    let mut other = System::laid_out(PROGRAM)?;
    other.addresses.broker.clone_from(&system.addresses.broker);
    other.start_with(Part::Producer, &["--partitioner", "sarama"])?;
    let ended = other.process(Part::Producer)?.end(RECOVERY).await?;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for word in ["partitioner java, not sarama", "--partitioner"] {
        assert!(ended.stderr.contains(word), "{word} is missing: {}", ended.stderr);
    }
    // The one that was there before goes on.
    assert!(system.process(Part::Producer)?.status()?.is_none());
    assert_eq!(system.send(2, 1, "still here").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn services_stop_soon_while_the_broker_is_away() -> Result<()> {
    // One that never saw a broker, and one that lost it with a send in hand.
    let mut system = System::laid_out(PROGRAM)?;
    for part in [Part::Producer, Part::Consumer] {
        system.start(part)?;
        eventually(SOON, async || system.get(part, "/livez").await).await?;
        system.stop(part, SOON).await?;
    }
    let mut system = System::parts(PROGRAM).await?;
    system.kill_9(Part::Broker)?;
    let client = system.client();
    let sending = tokio::spawn(async move { client.send(2, 1, "in hand").await });
    eventually(SOON, async || {
        let metrics = system.get(Part::Producer, "/metrics").await?;
        let retries =
            metrics.body.lines().find(|line| line.starts_with("notify_produce_retries_total "));
        ensure!(retries.is_some_and(|line| !line.ends_with(" 0")), "{metrics:?}");
        Ok(())
    })
    .await?;
    system.stop(Part::Consumer, SOON).await?;
    system.stop(Part::Producer, SOON + ANSWERING).await?;
    let answer = sending.await??;
    assert_eq!(answer.status, 503, "{answer:?}");
    Ok(())
}
