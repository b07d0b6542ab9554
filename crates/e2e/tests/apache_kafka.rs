//! Producer and consumer with Apache Kafka as their broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod interop;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{ApacheKafka, Part, System, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long services may take to notice that Kafka is back, and Kafka to have leaders again.
const RECOVERY: Duration = Duration::from_secs(60);

#[tokio::test]
async fn answers_are_the_same_bytes_as_with_the_embedded_broker() -> Result<()> {
    let kafka = ApacheKafka::start().await?;
    let with_kafka = System::with_broker(PROGRAM, kafka.address()).await?;
    let with_kafka = conversation(&with_kafka).await?;
    let embedded = conversation(&System::up(PROGRAM).await?).await?;
    assert_eq!(with_kafka, embedded);
    Ok(())
}

/// What is answered to one request after the other: status and body.
async fn conversation(system: &System) -> Result<Vec<(u16, String)>> {
    let client = system.client();
    let mut answers = Vec::new();
    for form in [
        "fromID=2&toID=1&message=Bruno started following you.",
        "fromID=3&toID=1&message=%E2%9C%93 %22quoted%22 %3Cb%3E\\",
        "fromID=2&toID=1&message=",
        "fromID=&toID=1&message=x",
        "fromID=2&toID=one&message=x",
        "fromID=2&toID=99999999999999999999&message=x",
        "fromID=2&toID=5&message=x",
        "fromID=0&toID=1&message=x",
        "",
    ] {
        let answer = client.send_form(form).await?;
        answers.push((answer.status, answer.body));
    }
    eventually(RECOVERY, async || {
        let inbox = system.inbox(1).await?;
        ensure!(inbox.body.matches("\"message\"").count() == 3, "{inbox:?}");
        Ok(())
    })
    .await?;
    for path in ["1", "1?limit=1", "1?limit=0", "4", "5", "0", "-1", "x", "1.0"] {
        let answer = client.get_inbox(path).await?;
        answers.push((answer.status, answer.body));
    }
    Ok(answers)
}

#[tokio::test]
async fn java_and_kcat_read_what_was_sent_and_what_they_send_is_shown() -> Result<()> {
    let kafka = ApacheKafka::start().await?;
    let system = System::with_broker(PROGRAM, kafka.address()).await?;
    interop::assert_topics_have_their_settings(kafka.tools(), &system).await?;
    interop::assert_java_and_kcat_read_what_was_sent(kafka.tools(), &system).await?;
    interop::assert_plain_records_are_shown(kafka.tools(), &system).await
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_the_consumer_and_kafka_are_killed() -> Result<()> {
    let mut kafka = ApacheKafka::start().await?;
    let mut system = System::with_broker(PROGRAM, kafka.address()).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let client = system.client();
    let send = |numbers| tokio::spawn(send_until(client.clone(), numbers, is_over.clone()));

    let sending = send(0..100);
    shown(&system, 20).await?;
    system.kill_9(Part::Consumer)?;
    system.restart(Part::Consumer).await?;
    let mut accepted = sending.await??;
    assert_eq!(accepted.len(), 100, "Kafka was there");

    // An inbox shows 1,000 at most.
    let sending = send(100..900);
    shown(&system, 120).await?;
    kafka.kill_9()?;
    eventually(RECOVERY, async || {
        let answer = system.inbox(1).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        ensure!(answer.header("Staleness").is_some(), "{answer:?}");
        Ok(())
    })
    .await?;
    let before = shown(&system, 0).await?;
    kafka.restart().await?;
    shown(&system, before + 20).await?;
    is_over.store(true, Ordering::SeqCst);
    accepted.extend(sending.await??);

    // The last ones are on their way; then each is there once, and in order.
    let numbers = eventually(RECOVERY, async || {
        let numbers = numbers(&system.inbox(1).await?.body);
        ensure!(numbers.last() >= accepted.last(), "{numbers:?}");
        Ok(numbers)
    })
    .await?;
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let lost: Vec<_> = accepted.iter().filter(|number| !numbers.contains(number)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", accepted.len());
    Ok(())
}

/// Sends numbers to user 1, one after the other, until it is over; those that were accepted.
async fn send_until(
    client: e2e::Client,
    numbers: std::ops::Range<usize>,
    is_over: Arc<AtomicBool>,
) -> Result<Vec<usize>> {
    let mut accepted = Vec::new();
    for number in numbers {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let answer = client.send(2, 1, &format!("number {number}.")).await?;
        match answer.status {
            200 => accepted.push(number),
            status => assert_eq!(status, 503, "{answer:?}"),
        }
    }
    Ok(accepted)
}

/// Waits until this many are shown; how many there are.
async fn shown(system: &System, count: usize) -> Result<usize> {
    eventually(RECOVERY, async || {
        let inbox = system.inbox(1).await?;
        let shown = numbers(&inbox.body).len();
        ensure!(inbox.status == 200 && shown >= count, "{shown} are shown: {inbox:?}");
        Ok(shown)
    })
    .await
}

fn numbers(body: &str) -> Vec<usize> {
    let texts = body.split("\"number ").skip(1);
    texts.filter_map(|text| text.split_once('.')?.0.parse().ok()).collect()
}
