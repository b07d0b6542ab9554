//! A stop with many open streams, and their return.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Part, System, eventually};
use models::EventStreamReader;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::publish::{Publisher, Rate};
use crate::streams::{open, take_numbers};
use crate::{CONSUMER_FLAGS, LONG, user_of};

const STREAMS: usize = 5_000;

/// Of one user's messages each stream is to have all.
const USERS: usize = 500;

/// Where a client that was refused tries again.
const AGAIN: Duration = Duration::from_millis(250);

pub(crate) async fn stop_and_restart(system: &mut System) -> Result<()> {
    let consumer = system.addresses.consumer.clone();
    let back = Arc::new(Mutex::new(Vec::new()));
    let (mut clients, opened) = (JoinSet::new(), Arc::new(Semaphore::new(64)));
    for number in 0..STREAMS {
        let (consumer, back, opened) = (consumer.clone(), back.clone(), opened.clone());
        clients.spawn(async move { client(&consumer, number, &back, &opened).await });
    }
    eventually(LONG, async || {
        let open = system.metric(Part::Consumer, "notify_streams").await?;
        ensure!(open == STREAMS as u64, "{open} are open");
        Ok(())
    })
    .await?;
    publish(system, USERS).await?;
    let began = Instant::now();
    let stopping = system.stop(Part::Consumer, LONG).await;
    let stopped_after = began.elapsed();
    stopping?;
    println!(
        "{STREAMS} open streams: stopped with exit code 0 after {:.2} s",
        stopped_after.as_secs_f64()
    );
    // What is sent meanwhile they get when they are back.
    publish(system, USERS).await?;
    system.start_with(Part::Consumer, &CONSUMER_FLAGS)?;
    system.ready(Part::Consumer).await?;
    let ready = Instant::now();
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let whole = ready.elapsed();
    let mut a_second = std::collections::BTreeMap::<i64, usize>::new();
    for at in back.lock().await.iter() {
        let since = if *at >= ready {
            (*at - ready).as_secs() as i64
        } else {
            -1 - (ready - *at).as_secs() as i64
        };
        *a_second.entry(since).or_default() += 1;
    }
    println!(
        "all back and whole {:.2} s after it was ready; back in each second: {a_second:?}",
        whole.as_secs_f64()
    );
    Ok(())
}

async fn publish(system: &System, count: usize) -> Result<()> {
    let publisher = Publisher::new(&system.addresses.producer, user_of);
    publisher.publish(Rate { a_second: 2_000, count, users: USERS }).await?;
    Ok(())
}

/// A client that comes back when it is asked to; it ends with both of its messages.
async fn client(
    consumer: &str,
    number: usize,
    back: &Mutex<Vec<Instant>>,
    opened: &Semaphore,
) -> Result<()> {
    let path = format!("/v1/users/{}/stream", user_of(number % USERS));
    let mut told = Vec::new();
    let stream = {
        let _turn = opened.acquire().await?;
        open(consumer, &path, None).await?
    };
    let (mut last, retry) = follow(stream, &mut told).await?;
    tokio::time::sleep(retry.unwrap_or(AGAIN)).await;
    loop {
        if let Ok(stream) = open(consumer, &path, Some(&last)).await {
            back.lock().await.push(Instant::now());
            (last, _) = follow_until(stream, &mut told, 2).await?;
            if told.len() < 2 {
                continue;
            }
            ensure!(told == [number % USERS; 2], "{told:?}");
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Reads to the end: the last id, and when to come back.
async fn follow(stream: TcpStream, told: &mut Vec<usize>) -> Result<(String, Option<Duration>)> {
    follow_until(stream, told, usize::MAX).await
}

async fn follow_until(
    mut stream: TcpStream,
    told: &mut Vec<usize>,
    enough: usize,
) -> Result<(String, Option<Duration>)> {
    // The lengths of chunks are lines of their own, which mean nothing to the reader: no event of ours
    // is cut by one.
    let (mut reader, mut buffer) = (EventStreamReader::default(), vec![0; 2 * 1024]);
    while told.len() < enough {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { break };
        for event in reader.push(buffer.get(..read).unwrap_or_default())? {
            let mut data = event.data.into_bytes();
            told.extend(take_numbers(&mut data));
        }
    }
    Ok((reader.last_event_id().to_owned(), reader.retry()))
}
