//! What the proxy spoils, seen by plain connections and by the services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{ChaosProxy, Direction, Part, System, eventually};
use kafka::{ClusterConfig, Reader, Wait};
use models::{Offset, Partition};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// How long anything may take that is not held up.
const SOON: Duration = Duration::from_secs(10);

/// How long nothing has to happen where something is held up. An answer takes under 1 ms.
const NOTHING: Duration = Duration::from_millis(200);

/// How long services may take to notice that the broker is back.
const RECOVERY: Duration = Duration::from_secs(20);

/// ApiVersions, version 0, correlation id 7, no client id.
const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

/// A broker behind a proxy.
async fn proxied() -> Result<(System, ChaosProxy)> {
    let mut system = System::laid_out(PROGRAM)?;
    let proxy = system.put_proxy().await?;
    system.restart(Part::Broker).await?;
    Ok((system, proxy))
}

async fn connect(proxy: &ChaosProxy) -> Result<TcpStream> {
    Ok(TcpStream::connect(proxy.address()).await?)
}

/// The next answer's length in bytes.
async fn answer(stream: &mut TcpStream) -> Result<usize> {
    let reading = async {
        let length = usize::try_from(stream.read_u32().await?)?;
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).await?;
        ensure!(frame[..6] == [0, 0, 0, 7, 0, 0], "{frame:?}");
        Ok(4 + length)
    };
    timeout(SOON, reading).await?
}

async fn ask(stream: &mut TcpStream) -> Result<usize> {
    stream.write_all(&REQUEST).await?;
    answer(stream).await
}

async fn assert_closed(mut stream: TcpStream) -> Result<()> {
    let read = timeout(SOON, stream.read(&mut [0; 1])).await?;
    assert!(matches!(read, Ok(0) | Err(_)), "it read something");
    Ok(())
}

async fn assert_silent(stream: &mut TcpStream) {
    let read = timeout(NOTHING, stream.read(&mut [0; 1])).await;
    assert!(read.is_err(), "it is closed, or read something: {read:?}");
}

#[tokio::test]
async fn connections_are_cut_and_refused() -> Result<()> {
    let (mut system, proxy) = proxied().await?;
    let before = proxy.counts();
    let (mut first, mut second) = (connect(&proxy).await?, connect(&proxy).await?);
    let length = ask(&mut first).await?;
    ask(&mut second).await?;
    let counts = proxy.counts();
    assert_eq!(counts.connections, before.connections + 2);
    assert_eq!(counts.bytes_to_broker, before.bytes_to_broker + 2 * REQUEST.len() as u64);
    assert_eq!(counts.bytes_to_client, before.bytes_to_client + 2 * length as u64);

    proxy.cut();
    assert_closed(first).await?;
    assert_closed(second).await?;
    let mut open = connect(&proxy).await?;
    ask(&mut open).await?;

    proxy.refuse();
    assert_closed(connect(&proxy).await?).await?;
    ask(&mut open).await?;
    proxy.accept();
    ask(&mut connect(&proxy).await?).await?;

    // A broker that is away is the same to a client.
    system.kill_9(Part::Broker)?;
    assert_closed(open).await?;
    assert_closed(connect(&proxy).await?).await?;
    system.restart(Part::Broker).await?;
    ask(&mut connect(&proxy).await?).await?;
    Ok(())
}

#[tokio::test]
async fn a_stall_holds_each_direction_and_little_of_it() -> Result<()> {
    let (_system, proxy) = proxied().await?;
    let mut stream = connect(&proxy).await?;
    ask(&mut stream).await?;
    for direction in [Direction::ToBroker, Direction::ToClient] {
        proxy.stall(direction);
        stream.write_all(&REQUEST).await?;
        assert_silent(&mut stream).await;
        proxy.flow(direction);
        answer(&mut stream).await?;
    }

    proxy.stall(Direction::ToBroker);
    let requests = REQUEST.repeat(1 << 20);
    let mut written = 0;
    while let Ok(more) = timeout(NOTHING, stream.write(&requests)).await {
        written += more?;
        assert!(written < 10 * requests.len(), "the proxy reads on");
    }
    // A stall does not keep a connection from being cut.
    proxy.cut();
    let ended = timeout(SOON, stream.write_all(&requests)).await?;
    assert!(ended.is_err());
    Ok(())
}

#[tokio::test]
async fn a_black_hole_takes_each_direction_and_keeps_the_connection() -> Result<()> {
    let (_system, proxy) = proxied().await?;
    let mut stream = connect(&proxy).await?;
    let length = ask(&mut stream).await? as u64;
    for direction in [Direction::ToBroker, Direction::ToClient] {
        let before = proxy.counts();
        proxy.black_hole(direction);
        stream.write_all(&REQUEST).await?;
        assert_silent(&mut stream).await;
        proxy.pass_all();
        ask(&mut stream).await?;
        let counts = proxy.counts();
        let asked = if direction == Direction::ToBroker { 1 } else { 2 };
        let bytes = asked * REQUEST.len() as u64;
        assert_eq!(counts.bytes_to_broker, before.bytes_to_broker + bytes);
        assert_eq!(counts.bytes_to_client, before.bytes_to_client + length);
    }
    Ok(())
}

#[tokio::test]
async fn bytes_are_slowed_down_until_everything_passes() -> Result<()> {
    let (_system, proxy) = proxied().await?;
    let mut stream = connect(&proxy).await?;
    let length = ask(&mut stream).await?;
    proxy.slow(500);
    let started = Instant::now();
    ask(&mut stream).await?;
    let expected = Duration::from_secs(1) * u32::try_from(length)? / 500;
    assert!(started.elapsed() > expected / 2, "{:?} for {length} bytes", started.elapsed());

    proxy.slow(1);
    stream.write_all(&REQUEST).await?;
    assert_silent(&mut stream).await;
    proxy.pass_all();
    let started = Instant::now();
    answer(&mut stream).await?;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn what_is_no_kafka_is_closed() -> Result<()> {
    let (_system, proxy) = proxied().await?;
    let mut stream = connect(&proxy).await?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    assert_closed(stream).await
}

#[tokio::test]
async fn a_send_whose_answer_was_lost_is_in_the_log_twice_and_shown_once() -> Result<()> {
    let (system, proxy) = System::parts_behind_proxy(PROGRAM).await?;
    proxy.lose_answers(1);
    let sent = system.send(2, 1, "Bruno started following you.").await?;
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(proxy.counts().answers_lost, 1);

    let cluster = ClusterConfig::new(vec![system.addresses.broker.clone()], "e2e");
    let mut reader = Reader::new(cluster, "notifications", Partition(3));
    let copies = reader.fetch(Offset(0), 1024 * 1024, Wait::No).await?.records;
    assert_eq!(copies.len(), 2, "{copies:?}");
    // A later one is applied: so are both copies.
    assert_eq!(system.send(3, 1, "Rick too.").await?.status, 200);
    eventually(SOON, async || {
        let inbox = system.inbox(1).await?;
        ensure!(inbox.body.contains("Rick too."), "{inbox:?}");
        assert_eq!(inbox.body.matches("Bruno started").count(), 1, "{inbox:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn services_do_not_go_around_the_proxy() -> Result<()> {
    let (system, proxy) = System::parts_behind_proxy(PROGRAM).await?;
    proxy.refuse();
    proxy.cut();
    let refused = system.send(2, 1, "lost").await?;
    assert_eq!(refused.status, 503, "{refused:?}");
    proxy.pass_all();
    eventually(RECOVERY, async || {
        let answer = system.send(2, 1, "again").await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await
}
