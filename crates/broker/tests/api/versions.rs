//! Every request in every version the broker names, and in none other.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
};
use kafka_protocol::protocol::Decodable;

use crate::support::{
    TestBroker, batch, encode, fetch, name, only_partition, produce, text, topic,
};

fn list_offsets(timestamp: i64) -> ListOffsetsRequest {
    let partition =
        ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_topics(vec![topic])
}

#[tokio::test]
async fn records_go_and_come_in_every_version() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    for version in 3..=11 {
        let response = wire.call(version, &produce("t", batch(&["x"]))).await;
        let partition = only_partition(response);
        assert_eq!((partition.error_code, partition.base_offset), (0, i64::from(version) - 3));
    }
    for version in 4..=12 {
        let response = wire.call(version, &fetch("t", 0)).await;
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 9));
        assert_eq!(partition.records.as_ref().unwrap().len(), 9 * batch(&["x"]).len());
    }
    for version in 1..=6 {
        for (timestamp, expected) in [(-2, 0), (-1, 9), (1_000, 0), (2_000, -1)] {
            let response = wire.call(version, &list_offsets(timestamp)).await;
            let partition = &response.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.offset), (0, expected));
        }
    }
}

#[tokio::test]
async fn topics_are_made_described_and_deleted_in_every_version() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    for version in 2..=7 {
        let topics = vec![topic("t", 2, &[("retention.ms", "5")])];
        let response =
            wire.call(version, &CreateTopicsRequest::default().with_topics(topics)).await;
        assert_eq!(response.topics[0].error_code, 0);
        for version in 0..=12 {
            let asked = MetadataRequestTopic::default().with_name(Some(name("t")));
            let request = MetadataRequest::default().with_topics(Some(vec![asked]));
            let response = wire.call(version, &request).await;
            assert_eq!(response.topics[0].partitions.len(), 2);
        }
        for version in 1..=4 {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("t"));
            let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
            let response = wire.call(version, &request).await;
            assert_eq!(response.results[0].configs.len(), 9);
        }
        let version = version - 1;
        let mut request = DeleteTopicsRequest::default();
        if version < 6 {
            request.topic_names = vec![name("t")];
        }
        if version == 6 {
            let state =
                kafka_protocol::messages::delete_topics_request::DeleteTopicState::default();
            request.topics = vec![state.with_name(Some(name("t")))];
        }
        assert_eq!(wire.call(version, &request).await.responses[0].error_code, 0);
    }
    for version in 0..=5 {
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        assert_eq!(wire.call(version, &request).await.error_code, 0);
    }
}

#[tokio::test]
async fn the_versions_are_told_in_every_version() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    for version in 0..=4 {
        let response = wire.call(version, &ApiVersionsRequest::default()).await;
        assert_eq!(response.error_code, 0);
        // librdkafka sends lz4 only to a broker that knows FindCoordinator 0.
        for (key, versions) in [(ApiKey::Fetch, (4, 12)), (ApiKey::FindCoordinator, (0, 4))] {
            let found = response.api_keys.iter().find(|api| api.api_key == key as i16);
            let found = found.unwrap();
            assert_eq!((found.min_version, found.max_version), versions);
        }
    }
}

#[tokio::test]
async fn a_client_of_the_future_is_told_the_versions_in_the_oldest_form() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    let mut frame = encode(4, 77, &ApiVersionsRequest::default());
    frame[2..4].copy_from_slice(&99_i16.to_be_bytes());
    frame.extend_from_slice(b"fields of the future");
    wire.send_frame(&frame).await;
    let mut answer = wire.receive_frame().await.unwrap();
    assert_eq!(answer.split_to(4)[..], 77_i32.to_be_bytes());
    let response = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
    assert!(!response.api_keys.is_empty() && answer.is_empty());
    wire.call(4, &ApiVersionsRequest::default()).await;
}
