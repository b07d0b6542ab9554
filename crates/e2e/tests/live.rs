//! Streams that are cut, of a server that is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

#[path = "live/log.rs"]
mod log;
#[path = "live/random.rs"]
mod random;
#[path = "live/subscriber.rs"]
mod subscriber;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Part, System};
use tokio::sync::watch;
use tokio::task::JoinSet;

use log::{Log, Story};
use random::Random;
use subscriber::{Subscriber, Told};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const USERS: usize = 100;
const STREAMS: usize = 200;
const KILLS: usize = 20;
/// Of each user, and in each round, of which there is one more than kills.
const EVENTS: usize = 48;
/// Cuts of each stream, at least.
const CUTS: usize = 25;

/// The program starts, folds what it lost and is read by everybody, on a busy machine.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn streams_tell_all_that_happened_once_and_in_order_whatever_is_cut_and_killed() -> Result<()>
{
    let mut system = System::parts(PROGRAM).await?;
    let log = Arc::new(Log::open(&system.addresses.broker).await?);
    let (end, ended) = watch::channel(None);
    let mut streams = JoinSet::new();
    for number in 0..STREAMS {
        let user = user(number % USERS);
        let mut subscriber =
            Subscriber::new(&system.addresses.consumer, &user, Random::new(number as u64), CUTS);
        subscriber.begin().await?;
        let ended = ended.clone();
        streams.spawn(async move { subscriber.run(ended).await.map(|told| (number, told)) });
    }
    let mut stories: Vec<_> = (0..USERS)
        .map(|number| Story::new(&user(number), Random::new(1 + number as u64)))
        .collect();
    let began = Instant::now();
    for round in 0..=KILLS {
        let writing = go_on(&mut stories, &log);
        if round < KILLS {
            system.kill_9(Part::Consumer)?;
            system.restart(Part::Consumer).await?;
        }
        for story in writing.join_all().await {
            stories.push(story?);
        }
    }
    for story in &mut stories {
        story.end(&log).await?;
    }
    let took = began.elapsed();
    // Whoever has the last event of its user ends.
    end.send_replace(Some(Instant::now() + LONG));
    let (mut told, mut cuts, mut gaps, mut connects) = (0, 0, 0, 0);
    while let Some(stream) = streams.join_next().await {
        let (number, stream): (usize, Told) = stream??;
        let user = user(number % USERS);
        let story = stories.iter().find(|story| story.user() == user).unwrap();
        story.check(&stream, &system).await?;
        told += stream.events.len();
        cuts += stream.cuts;
        gaps += stream.gaps;
        connects += stream.begins.len();
    }
    let events: usize = stories.iter().map(Story::len).sum();
    println!(
        "{STREAMS} streams of {USERS} users, {events} events in {:.0} s, {told} told: \
         {cuts} cuts, {KILLS} kills, {connects} connects, {gaps} gaps",
        took.as_secs_f64()
    );
    ensure!(events >= 100_000 && cuts >= 5_000, "{events} events, {cuts} cuts");
    Ok(())
}

/// Every story goes on, at the same time.
fn go_on(stories: &mut Vec<Story>, log: &Arc<Log>) -> JoinSet<Result<Story>> {
    let mut writing = JoinSet::new();
    for mut story in stories.drain(..) {
        let log = log.clone();
        writing.spawn(async move {
            story.go_on(&log, EVENTS).await?;
            Ok(story)
        });
    }
    writing
}

fn user(number: usize) -> String {
    format!("user-{number}")
}
