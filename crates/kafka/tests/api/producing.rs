//! Which way a request is sent, and what a broker that throttles or refuses does to it.

use std::time::Duration;

use kafka::{Lane, ProduceError, Writer, WriterConfig};
use models::{Headers, Offset};
use tokio::time::Instant;

use crate::fake::Fake;
use crate::support::{TestBroker, record, record_of, soon, text_of, writer};

/// The version of Produce that the library speaks.
const LIBRARY: i16 = 7;

/// The last one that names topics; the fake broker knows a later one.
const WIRE: i16 = 12;

const LEADER_LEFT: i16 = 6;
const RECORD_TOO_LARGE: i16 = 10;
const TIMED_OUT: i16 = 7;

fn running(fake: &Fake) -> Writer {
    writer(fake.cluster(), "t", WriterConfig::default()).0
}

async fn send(writer: &Writer, bytes: usize) -> Offset {
    writer.produce(record_of(bytes), Lane::Single, soon()).await.unwrap()
}

/// Versions of the produces so far, and the records that each one appended.
fn produces(fake: &Fake) -> Vec<(i16, i32)> {
    fake.served().produces.iter().map(|(_, version, count)| (*version, *count)).collect()
}

#[tokio::test]
async fn sizes_that_the_library_would_stall_on_or_copy_do_not_go_through_it() {
    for (bytes, version) in [
        (0, LIBRARY),
        (7_400, LIBRARY),
        (7_500, WIRE),
        (95_900, WIRE),
        (96_000, WIRE),
        (900_000, WIRE),
    ] {
        let fake = Fake::start().await;
        assert_eq!(send(&running(&fake), bytes).await, Offset(0));
        assert_eq!(produces(&fake), [(version, 1)], "{bytes}");
    }
}

#[tokio::test]
async fn all_that_came_while_the_first_was_written_goes_in_one_request() {
    let fake = Fake::start().await;
    let writer = running(&fake);
    let sends = (0..50).map(|_| send(&writer, 400));
    let offsets = futures_join(sends).await;
    assert_eq!(offsets, (0..50).map(Offset).collect::<Vec<_>>());
    assert_eq!(produces(&fake), [(LIBRARY, 1), (WIRE, 49)], "the first, and what came meanwhile");
}

/// Runs them at once, in their order.
async fn futures_join<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    for future in &mut waiting {
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx)));
        assert!(polled.await.is_pending());
    }
    let mut done = Vec::new();
    for future in waiting {
        done.push(future.await);
    }
    done
}

#[tokio::test]
async fn no_size_stalls() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    for bytes in [5_000, 7_000, 10_000, 30_000, 64_000, 95_000, 97_000, 130_000, 250_000] {
        send(&writer, bytes).await;
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            let began = Instant::now();
            send(&writer, bytes).await;
            fastest = fastest.min(began.elapsed());
        }
        // A stall is 40 ms on Linux.
        assert!(fastest < Duration::from_millis(38), "{bytes} take {fastest:?}");
    }
}

#[tokio::test]
async fn what_a_broker_appended_and_throttled_is_appended_once_more_at_most() {
    let fake = Fake::start().await;
    fake.served().produced.push_back((0, 40));
    let writer = running(&fake);
    // The library does not say that it was appended: it is sent once more, the other way.
    assert_eq!(send(&writer, 100).await, Offset(1));
    assert_eq!(produces(&fake), [(LIBRARY, 1), (WIRE, 1)]);
    for round in 2..5 {
        assert_eq!(send(&writer, 100).await, Offset(round), "and never again");
    }
    assert_eq!(produces(&fake)[2..], [(WIRE, 1); 3]);
    // The broker is left alone for as long as it says.
    let times: Vec<_> = fake.served().produces[1..].iter().map(|(time, ..)| *time).collect();
    for pair in times.windows(2) {
        let between = pair[1] - pair[0];
        assert!(between >= Duration::from_millis(40), "{between:?}");
        assert!(between < Duration::from_millis(1_000), "{between:?}");
    }
}

#[tokio::test]
async fn a_throttled_request_of_our_own_client_is_appended_once() {
    let fake = Fake::start().await;
    fake.served().produced.push_back((0, 20));
    let writer = running(&fake);
    for round in 0..4 {
        // Sizes that both ways are for.
        let bytes = if round % 2 == 0 { 10_000 } else { 100 };
        assert_eq!(send(&writer, bytes).await, Offset(round));
    }
    assert_eq!(produces(&fake), [(WIRE, 1); 4], "the library would repeat them");
}

#[tokio::test]
async fn a_send_whose_deadline_passes_while_the_broker_rests_never_leaves() {
    let fake = Fake::start().await;
    fake.served().produced.push_back((0, 600));
    let writer = running(&fake);
    send(&writer, 10_000).await;
    let deadline = Instant::now() + Duration::from_millis(100);
    let late = writer.produce(record("late"), Lane::Single, deadline).await;
    let never_left = matches!(late, Err(ProduceError::DeadlinePassed { may_be_written: false }));
    assert!(never_left, "{late:?}");
    send(&writer, 10_000).await;
    assert_eq!(produces(&fake), [(WIRE, 1); 2]);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_the_rest_is_refused_either_way() {
    for (bytes, version) in [(100, LIBRARY), (10_000, WIRE)] {
        let fake = Fake::start().await;
        fake.served().produced = [(LEADER_LEFT, 0), (TIMED_OUT, 0), (0, 0)].into();
        let writer = running(&fake);
        assert_eq!(send(&writer, bytes).await, Offset(0));
        assert_eq!(produces(&fake), [(version, 0), (version, 0), (version, 1)]);
        fake.served().produced = [(RECORD_TOO_LARGE, 0)].into();
        let refused = writer.produce(record_of(bytes), Lane::Single, soon()).await.unwrap_err();
        assert_eq!(refused.to_string(), "the broker refuses the record: MessageTooLarge");
        assert_eq!(produces(&fake).len(), 4);
    }
}

#[tokio::test]
async fn records_sent_either_way_are_in_order_and_as_they_were_given() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let (writer, _task) = broker.writer("t");
    let mut sent = Vec::new();
    for round in 0..20_usize {
        let padding = if round % 2 == 0 { 100 } else { 20_000 };
        let headers = Headers::of(&[("round", round.to_string().as_bytes())]);
        let text = format!("{round}{}", "x".repeat(padding));
        sent.push(models::Record { key: Some(vec![0xff].into()), headers, ..record(&text) });
        writer.produce(sent[round].clone(), Lane::Single, soon()).await.unwrap();
    }
    let found: Vec<_> = broker.records("t").await.into_iter().map(|(_, it)| it).collect();
    assert_eq!(found, sent);
    assert!(text_of(&found[1]).starts_with("1x"));
}
