//! `kafka-notify up`: the first minutes with it, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Answer, Http, Part, System, eventually};
use uuid::Uuid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long a process may take to refuse, or to stop.
const SOON: Duration = Duration::from_secs(5);

const SENT: &str = r#"{"message":"Notification sent successfully!"}"#;
const INBOX_OF_EMMA: &str = r#"{"notifications":[{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"Bruno started following you."}]}"#;
const EMPTY_INBOX: &str = r#"{"message":"No notifications found for user","notifications":[]}"#;

fn assert_sent(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, SENT));
    let id: Uuid = answer.header("Notification-Id").unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(answer.header("Position").unwrap().len(), 44);
}

async fn assert_inbox(system: &System, user: u32, body: &str) -> Result<()> {
    let answer = eventually(SOON, async || {
        let answer = system.inbox(user).await?;
        ensure!(answer.body == body, "{answer:?}");
        Ok(answer)
    });
    let answer = answer.await?;
    assert_eq!((answer.status, answer.body.as_str()), (200, body));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Staleness"), None);
    Ok(())
}

#[tokio::test]
async fn it_says_where_it_is_and_the_curls_it_prints_work() -> Result<()> {
    let mut system = System::up(PROGRAM).await?;
    let welcome = eventually(SOON, async || {
        let welcome = system.process(Part::Up)?.stdout();
        ensure!(welcome.contains("curl http"), "{welcome}");
        Ok(welcome)
    });
    let welcome = welcome.await?;

    let addresses = &system.addresses;
    for address in [&addresses.broker, &addresses.producer, &addresses.consumer] {
        let address = address.replace("127.0.0.1", "localhost");
        assert!(welcome.contains(&address), "{address} is missing: {welcome}");
    }
    assert!(welcome.contains(system.data_dir.to_str().unwrap()), "{welcome}");

    let mut curls = welcome.lines().filter_map(|line| line.trim().strip_prefix("curl "));
    let post = curls.next().unwrap().strip_prefix("-X POST ").unwrap();
    let (url, form) = post.split_once(" -d ").unwrap();
    let form = form.trim_matches('"');
    assert_eq!(form, "fromID=2&toID=1&message=Bruno started following you.");
    let http = Http::new()?;
    assert_sent(&http.post_form(url, form.to_owned()).await?);

    let url = curls.next().unwrap();
    assert_eq!(http.get(url).await?.status, 200);
    assert_inbox(&system, 1, INBOX_OF_EMMA).await?;
    assert_inbox(&system, 4, EMPTY_INBOX).await
}

#[tokio::test]
async fn what_was_sent_survives_a_kill_and_the_loss_of_the_inbox_folder() -> Result<()> {
    let mut system = System::up(PROGRAM).await?;
    assert_sent(&system.send(2, 1, "Bruno started following you.").await?);
    assert_inbox(&system, 1, INBOX_OF_EMMA).await?;

    system.kill_9(Part::Up)?;
    system.restart(Part::Up).await?;
    assert_inbox(&system, 1, INBOX_OF_EMMA).await?;
    assert_inbox(&system, 4, EMPTY_INBOX).await?;

    system.stop(Part::Up, SOON).await?;
    assert!(system.data_dir.join("broker").is_dir());
    fs::remove_dir_all(system.data_dir.join("inbox"))?;
    system.restart(Part::Up).await?;
    assert_inbox(&system, 1, INBOX_OF_EMMA).await?;
    assert_inbox(&system, 4, EMPTY_INBOX).await
}

#[tokio::test]
async fn a_taken_port_is_a_sentence_with_its_address_and_its_flag() -> Result<()> {
    let first = System::up(PROGRAM).await?;
    for flag in ["--broker-addr", "--producer-addr", "--consumer-addr"] {
        let mut second = System::laid_out(PROGRAM)?;
        let (own, taken) = match flag {
            "--broker-addr" => (&mut second.addresses.broker, &first.addresses.broker),
            "--producer-addr" => (&mut second.addresses.producer, &first.addresses.producer),
            _ => (&mut second.addresses.consumer, &first.addresses.consumer),
        };
        own.clone_from(taken);
        let taken = taken.clone();
        assert_refused(&mut second, &[&taken, flag]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_data_folder_in_use_is_a_sentence_with_its_path_and_its_flag() -> Result<()> {
    let first = System::up(PROGRAM).await?;
    let mut second = System::laid_out(PROGRAM)?;
    second.data_dir.clone_from(&first.data_dir);
    let folder = first.data_dir.to_str().context("a path that is text")?;
    assert_refused(&mut second, &[folder, "--data-dir"]).await?;
    // The first one does not mind.
    assert_sent(&first.send(2, 1, "Bruno started following you.").await?);
    Ok(())
}

async fn assert_refused(system: &mut System, names: &[&str]) -> Result<()> {
    system.start(Part::Up)?;
    let ended = system.process(Part::Up)?.end(SOON).await?;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let sentence = ended.stderr.lines().find(|line| line.starts_with("error: "));
    let sentence = sentence.with_context(|| format!("no sentence: {}", ended.stderr))?;
    for name in names {
        assert!(sentence.contains(name), "{name} is missing: {sentence}");
    }
    assert_eq!(ended.stdout, "");
    Ok(())
}

#[tokio::test]
async fn told_to_stop_it_stops_soon_and_keeps_what_it_accepted() -> Result<()> {
    let mut system = System::up(PROGRAM).await?;
    system.stop(Part::Up, SOON).await?;

    system.restart(Part::Up).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let (client, is_over) = (system.client(), is_over.clone());
            tokio::spawn(async move {
                let mut accepted = BTreeSet::new();
                // Two senders share an inbox, whose answer has 1,000 at most.
                for number in 0..500 {
                    let message = format!("sender {sender} number {number}");
                    match client.send(2, 1 + sender % 4, &message).await {
                        Ok(answer) if answer.status == 200 => _ = accepted.insert(message),
                        // Stopping: it may refuse and close, and nothing else.
                        Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                        Err(_) if is_over.load(Ordering::SeqCst) => break,
                        Err(_) => {}
                    }
                }
                accepted
            })
        })
        .collect();
    eventually(SOON, async || {
        let inbox = system.inbox(1).await?;
        ensure!(inbox.body.matches("number").count() >= 100, "few requests ran");
        Ok(())
    })
    .await?;
    system.stop(Part::Up, SOON).await?;
    is_over.store(true, Ordering::SeqCst);
    let mut accepted = BTreeSet::new();
    for sender in senders {
        accepted.extend(sender.await?);
    }

    system.restart(Part::Up).await?;
    let mut inboxes = String::new();
    for user in 1..=4 {
        inboxes.push_str(&system.inbox(user).await?.body);
    }
    for message in &accepted {
        let quoted = format!("\"{message}\"");
        assert_eq!(inboxes.matches(&quoted).count(), 1, "{message} of {}", accepted.len());
    }
    Ok(())
}
