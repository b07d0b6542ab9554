//! The reference that produces.

use broker::{Broker, Config};
use models::{Event, Offset, Partition, Place, Record, Timestamp, TopicId};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::UnknownTopicHandling;

use crate::support::{Reference, json, within};

#[test]
fn the_reference_writes_the_records_that_the_producer_would() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let config = Config::new(folder.path(), "127.0.0.1:0");
    let broker = runtime.block_on(Broker::start(config)).unwrap();
    let address = broker.addr().to_string();
    let service = Reference::start();
    let args = format!("--reference --reference-produces --broker {address} --topic t");
    let load = "--requests 10 --warmup-s 0 --message-bytes 5";
    // The second run finds the topic there.
    for _ in 0..2 {
        let result = json(&format!("publish --url {} {args} {load}", service.address));
        assert_eq!(result["servers"][0]["statuses"]["200"], 10, "{result}");
    }
    let records = within(move || runtime.block_on(records(address)));
    assert_eq!(records.len(), 20);
    let place =
        Place { topic_id: TopicId(Default::default()), partition: Partition(0), offset: Offset(0) };
    for record in records {
        assert_eq!(record.headers.len(), 6);
        let Event::Sent(sent) = Event::decode(&record, place).unwrap() else { panic!("no send") };
        assert_eq!(sent.notification.message, "abcde");
        assert_eq!(record, Record::of_sent(&sent).unwrap());
    }
}

async fn records(broker: String) -> Vec<Record> {
    let client = ClientBuilder::new(vec![broker]).build().await.unwrap();
    let partition = client.partition_client("t", 0, UnknownTopicHandling::Error).await.unwrap();
    let (records, _) = partition.fetch_records(0, 1..1_000_000, 1_000).await.unwrap();
    let ours = |record: rskafka::record::Record| Record {
        key: record.key.map(Into::into),
        value: record.value.map(Into::into),
        headers: record.headers.into_iter().collect(),
        timestamp: Timestamp::from(record.timestamp),
    };
    records.into_iter().map(|found| ours(found.record)).collect()
}
