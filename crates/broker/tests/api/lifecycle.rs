//! Starting, stopping, and what a produce is told.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use broker::{Broker, Config, StartError};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{MetadataRequest, ProduceRequest};
use tokio::time::{Instant, timeout};

use crate::support::{KEEP, LONG, TestBroker, batch, eventually, fetch, only_partition, produce};

fn run(data_dir: &Path, addr: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
    command.env("NOTIFY_DATA_DIR", data_dir).args(["--broker-addr", addr]);
    command.output().unwrap()
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let broker = TestBroker::start().await;
    let dir = tempfile::tempdir().unwrap();
    let addr = broker.addr();
    let started = Broker::start(Config::new(dir.path(), &addr)).await;
    assert!(
        matches!(started, Err(StartError::AddressInUse { addr: it }) if it.to_string() == addr)
    );
    let output = run(dir.path(), &addr);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&addr) && said.contains("--broker-addr"), "{said}");
}

#[tokio::test]
async fn a_data_folder_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let in_use = dir.path().join("broker");
    let _broker = Broker::start(Config::new(&in_use, "127.0.0.1:0")).await.unwrap();
    let started = Broker::start(Config::new(&in_use, "127.0.0.1:0")).await;
    assert!(matches!(started, Err(StartError::DataDirInUse { path }) if path == in_use));
    let output = run(dir.path(), "127.0.0.1:0");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    let path = in_use.display().to_string();
    assert!(said.contains(&path) && said.contains("--data-dir"), "{said}");
}

#[tokio::test]
async fn a_damaged_log_refuses_the_start() {
    let mut broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    for value in ["first", "second"] {
        wire.produce("t", batch(&[value])).await;
    }
    broker.stop().await;
    let log = broker.dir.path().join("topics/t/0/00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    bytes[65] ^= 1;
    fs::write(&log, bytes).unwrap();
    let started = Broker::start(Config::new(broker.dir.path(), "127.0.0.1:0")).await;
    let Err(StartError::Damaged { file, position: 0, .. }) = started else {
        panic!("{started:?}");
    };
    assert_eq!(file, log);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_waiting_fetches_and_idle_clients() {
    let mut broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    let _idle = broker.connect().await;
    wire.send(12, &fetch("t", 0).with_max_wait_ms(30_000)).await;
    let began = Instant::now();
    broker.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10));
    Broker::start(Config::new(broker.dir.path(), "127.0.0.1:0")).await.unwrap();
}

#[tokio::test]
async fn a_stop_answers_what_is_queued() {
    let mut broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[KEEP]).await;
    for _ in 0..20 {
        wire.send(9, &produce("t", batch(&["x"]))).await;
    }
    wire.receive_any::<ProduceRequest>(9).await;
    broker.stop().await;
    let mut answered = 1;
    while wire.receive_frame().await.is_some() {
        answered += 1;
    }
    broker.restart().await;
    let found = broker.connect().await.fetch(&fetch("t", 0)).await;
    assert_eq!(found.high_watermark, answered, "no more and no less than was answered");
}

#[tokio::test]
async fn each_client_is_told_an_address_it_can_use() {
    let request = MetadataRequest::default();
    let broker = TestBroker::start_with(|config| config.listen = "0.0.0.0:0".into()).await;
    let port = broker.addr().split_once(':').unwrap().1.parse::<i32>().unwrap();
    let mut wire = crate::support::Wire::connect(&format!("127.0.0.1:{port}")).await;
    let told = wire.call(12, &request).await.brokers[0].clone();
    assert_eq!((&*told.host, told.port), ("127.0.0.1", port));
    let named = TestBroker::start_with(|config| config.advertised = Some("kafka:19092".into()));
    let told = named.await.connect().await.call(12, &request).await.brokers[0].clone();
    assert_eq!((&*told.host, told.port), ("kafka", 19092));
}

#[tokio::test]
async fn a_batch_that_cannot_be_taken_has_the_protocols_code() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[("max.message.bytes", "1000")]).await;
    let good = batch(&["x"]);
    let mut damaged = good.to_vec();
    damaged[65] ^= 1;
    let mut old = good.to_vec();
    old[16] = 1;
    let cases = [
        (damaged, ResponseError::CorruptMessage),
        (old, ResponseError::UnsupportedForMessageFormat),
        (batch(&[&"x".repeat(2000)]).to_vec(), ResponseError::MessageTooLarge),
        ([&good[..], &good[..]].concat(), ResponseError::InvalidRecord),
        (Vec::new(), ResponseError::CorruptMessage),
    ];
    for (records, error) in cases {
        assert_eq!(wire.produce("t", records.into()).await.error_code, error.code());
    }
    let acks = wire.call(9, &produce("t", good.clone()).with_acks(2)).await;
    assert_eq!(only_partition(acks).error_code, ResponseError::InvalidRequiredAcks.code());
    assert_eq!(wire.produce("t", good).await.base_offset, 0);
}

#[tokio::test]
async fn a_produce_that_wants_no_response_gets_none() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    wire.send(9, &produce("t", batch(&["a"])).with_acks(0)).await;
    wire.send(9, &produce("t", batch(&["b"]))).await;
    let response = timeout(LONG, wire.receive::<ProduceRequest>(9)).await.unwrap();
    assert_eq!(only_partition(response).base_offset, 1);
    wire.send(9, &produce("nope", batch(&["c"])).with_acks(0)).await;
    assert_eq!(wire.receive_frame().await, None, "a failure closes the connection");
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_taken_until_a_restart() {
    let mut broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[("segment.bytes", "1024"), KEEP]).await;
    let value = "x".repeat(600);
    assert_eq!(wire.produce("t", batch(&[&value])).await.error_code, 0);
    // The next segment cannot be made.
    let next = broker.dir.path().join("topics/t/0/00000000000000000001.log");
    fs::write(&next, "").unwrap();
    let failed = ResponseError::KafkaStorageError.code();
    for _ in 0..2 {
        assert_eq!(wire.produce("t", batch(&[&value])).await.error_code, failed);
    }
    assert_eq!(wire.fetch(&fetch("t", 0)).await.error_code, failed);
    broker.restart().await;
    let mut wire = broker.connect().await;
    assert_eq!(wire.produce("t", batch(&[&value])).await.base_offset, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_its_place_is_free() {
    let broker = TestBroker::start_with(|config| {
        config.limits.connections = 1;
        config.limits.write_timeout = Duration::from_millis(50);
    })
    .await;
    let mut slow = broker.connect().await;
    slow.create_topic("t", &[]).await;
    slow.produce("t", batch(&[&"x".repeat(1_000_000)])).await;
    for _ in 0..64 {
        slow.send(12, &fetch("t", 0)).await;
    }
    eventually(LONG, async || {
        let mut other = broker.connect().await;
        other.try_send(12, &fetch("t", 1)).await && other.receive_frame().await.is_some()
    })
    .await;
}
