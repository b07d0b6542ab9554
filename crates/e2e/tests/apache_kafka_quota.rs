//! A quota on produced bytes, which the client library answers by appending again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{ApacheKafka, System, eventually, kcat};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long a throttled send may take, and the broker to let go of a client it throttled.
const SLOW: Duration = Duration::from_secs(60);

const SENDS: usize = 150;

/// A send that is tried until it is answered 200; the tries it took.
async fn send(system: &System, number: usize) -> Result<usize> {
    let message = format!("number {number}. {}", "x".repeat(1_000));
    let mut tries = 0;
    eventually(SLOW, async || {
        tries += 1;
        let answer = system.send(2, 1, &message).await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await?;
    Ok(tries)
}

fn numbers(text: &str) -> Vec<usize> {
    let texts = text.split("\"number ").skip(1);
    texts.map(|text| text.split_once('.').unwrap().0.parse().unwrap()).collect()
}

#[tokio::test]
async fn what_a_quota_slows_down_is_appended_few_times_and_shown_once() -> Result<()> {
    let kafka = ApacheKafka::start().await?;
    let system = System::with_broker(PROGRAM, kafka.address()).await?;
    send(&system, 0).await?;
    // A tenth of what is sent without it.
    kafka.admin().set_quotas(None, &["producer_byte_rate=20000"]).await?;
    let mut tries = 1;
    for number in 1..SENDS {
        tries += send(&system, number).await?;
    }
    kafka.admin().remove_quotas(None, &["producer_byte_rate"]).await?;
    tries += send(&system, SENDS).await?;

    let inbox = eventually(SLOW, async || {
        let inbox = numbers(&system.inbox(1).await?.body);
        ensure!(inbox.last() == Some(&SENDS), "{inbox:?}");
        Ok(inbox)
    })
    .await?;
    let arguments = ["-C", "-t", "notifications", "-p", "3", "-o", "beginning", "-e", "-q"];
    let appended = numbers(&kcat(kafka.address(), &arguments, "").await?.stdout).len();
    let distinct: HashSet<_> = inbox.iter().collect();
    println!(
        "{} messages in {tries} sends: {appended} records appended, {} shown, {} of them twice",
        SENDS + 1,
        inbox.len(),
        inbox.len() - distinct.len()
    );
    // A send that was answered 503 and sent again is another notification.
    assert!(inbox.len() <= tries, "{inbox:?}");
    assert!(appended - inbox.len() <= 20, "{appended} records for {} shown", inbox.len());
    Ok(())
}
