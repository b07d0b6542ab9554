//! What a process writes may go nowhere; what it was told may be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Http, Process, eventually, free_port, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_full_disk_behind_the_log_lines_stops_nothing_and_lets_it_stop() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let [broker, producer, consumer] =
        [free_port()?, free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
    let script = format!(
        "exec {PROGRAM} up --data-dir {} --broker-addr {broker} --producer-addr {producer} \
         --consumer-addr {consumer} >/dev/full 2>/dev/full",
        dir.path().display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let mut process = Process::start("up", command, dir.path())?;
    let http = Http::new()?;
    for service in [&producer, &consumer] {
        eventually(SOON, async || {
            let answer = http.get(&format!("http://{service}/readyz")).await?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(())
        })
        .await?;
    }
    let form = "fromID=2&toID=1&message=hi".to_owned();
    let sent = http.post_form(&format!("http://{producer}/send"), form).await?;
    assert_eq!(sent.status, 200);
    process.terminate()?;
    let ended = process.end(SOON).await?;
    assert_eq!(ended.status.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_the_flag_and_exit_code_2() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("file");
    std::fs::write(&file, "")?;
    let file = file.to_str().unwrap();
    let folder = dir.path().to_str().unwrap();
    for (arguments, flag) in [
        (&["consumer", "--brokers", "localhost"][..], "--brokers"),
        (&["consumer", "--brokers", ""], "--brokers"),
        (&["producer", "--brokers", "http://localhost:9092"], "--brokers"),
        (&["producer", "--brokers", "localhost:9092,:1"], "--brokers"),
        (&["producer", "--brokers", "localhost:99999"], "--brokers"),
        (&["producer", "--topic", "a/b"], "--topic"),
        (&["producer", "--topic", ".."], "--topic"),
        (&["producer", "--partitioner", "Java"], "--partitioner"),
        (&["producer", "--partitions-at-creation", "0"], "--partitions-at-creation"),
        (&["producer", "--produce-timeout-ms", "0"], "--produce-timeout-ms"),
        (&["producer", "--producer-addr", "8080"], "--producer-addr"),
        (&["producer", "--log", "=,="], "--log"),
        (&["broker", "--data-dir", folder, "--broker-addr", "9092"], "--broker-addr"),
        (&["broker", "--data-dir", folder, "--broker-addr", "256.0.0.1:1"], "--broker-addr"),
        (
            &["broker", "--data-dir", folder, "--broker-advertised-addr", "kafka"],
            "--broker-advertised-addr",
        ),
        (&["broker", "--data-dir", file, "--broker-addr", "127.0.0.1:0"], "--data-dir"),
        (&["consumer", "--consumer-addr", "127.0.0.1:0", "--store-dir", file], "--store-dir"),
        (&["up", "--no-such-flag"], "--no-such-flag"),
    ] {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        let ended = run(command, "", SOON).await?;
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(flag), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{arguments:?}: {ended:?}");
    }
    Ok(())
}
