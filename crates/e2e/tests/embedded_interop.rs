//! The embedded broker with clients it was not written for: Java's, and librdkafka's in kcat.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod interop;

use anyhow::Result;
use e2e::{JavaTools, Part, System, kcat};
use kafka::{ClusterConfig, Reader};
use models::{Offset, Partition};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";

const RECORDS: u32 = 200_000;
const RECORD_BYTES: usize = 200;

#[tokio::test]
async fn java_and_kcat_read_what_was_sent_and_what_they_send_is_shown() -> Result<()> {
    let tools = JavaTools::fetched().await?;
    let system = System::up(PROGRAM).await?;
    interop::assert_topics_have_their_settings(&tools, &system).await?;
    interop::assert_java_and_kcat_read_what_was_sent(&tools, &system).await?;
    interop::assert_plain_records_are_shown(&tools, &system).await
}

#[tokio::test]
async fn kcat_reads_back_what_it_wrote() -> Result<()> {
    let tools = JavaTools::fetched().await?;
    let mut system = System::laid_out(PROGRAM)?;
    system.restart(Part::Broker).await?;
    let broker = &system.addresses.broker;
    tools.admin(broker).create_topic("lines", 1, 1, &[]).await?;
    let lines: String = (0..10_000).map(|number| format!("key {number}:line {number}\n")).collect();
    let mut expected = String::new();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let codec = format!("compression.codec={codec}");
        let arguments = ["-P", "-t", "lines", "-K:", "-X", &codec, "-X", "enable.idempotence=true"];
        kcat(broker, &arguments, &lines).await?;
        expected.push_str(&lines);
    }
    let arguments = ["-C", "-t", "lines", "-p", "0", "-o", "beginning", "-e", "-q", "-K:"];
    let read = kcat(broker, &arguments, "").await?.stdout;
    assert_eq!(read.lines().count(), expected.lines().count());
    assert!(read == expected, "other lines, or another order");
    let listed = kcat(broker, &["-L", "-t", "lines"], "").await?.stdout;
    assert!(listed.contains("topic \"lines\" with 1 partitions"), "{listed}");
    Ok(())
}

#[tokio::test]
async fn what_a_java_producer_wrote_is_read_whole_and_survives_a_kill() -> Result<()> {
    let tools = JavaTools::fetched().await?;
    let mut system = System::laid_out(PROGRAM)?;
    system.restart(Part::Broker).await?;
    let (count, size) = (RECORDS.to_string(), RECORD_BYTES.to_string());
    let broker = system.addresses.broker.clone();
    tools.admin(&broker).create_topic("perf", 1, 1, &[]).await?;
    let mut arguments = vec!["--bootstrap-server", &broker, "--topic", "perf"];
    arguments.extend(["--num-records", &count, "--record-size", &size, "--throughput", "-1"]);
    arguments.extend(["--command-property", "acks=all"]);
    let told = tools.tool(PRODUCER_PERFORMANCE, &arguments).await?.stdout;
    assert!(told.contains("200000 records sent"), "{told}");

    for _life in 1..=2 {
        let cluster = ClusterConfig::new(vec![broker.clone()], "e2e");
        let bounds = Reader::new(cluster, "perf", Partition(0)).bounds().await?;
        assert_eq!(bounds, (Offset(0), Offset(RECORDS.into())));
        let read = interop::read_with_java(&tools, &system, ("perf", "0"), RECORDS, &[]).await?;
        assert_eq!(read.lines().count(), usize::try_from(RECORDS)?);
        assert!(read.lines().all(|line| line.len() == RECORD_BYTES));

        system.kill_9(Part::Broker)?;
        system.restart(Part::Broker).await?;
    }
    Ok(())
}
