//! Making, describing and deleting topics.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, MetadataRequest,
    MetadataResponse,
};

use crate::support::{TestBroker, Wire, batch, name, text, topic};

async fn create(wire: &mut Wire, topics: Vec<CreatableTopic>) -> Vec<(i16, String)> {
    let response = wire.call(7, &CreateTopicsRequest::default().with_topics(topics)).await;
    let told = |error: Option<kafka_protocol::protocol::StrBytes>| {
        error.map(|it| it.to_string()).unwrap_or_default()
    };
    response.topics.into_iter().map(|it| (it.error_code, told(it.error_message))).collect()
}

async fn metadata(wire: &mut Wire, topics: Option<Vec<MetadataRequestTopic>>) -> MetadataResponse {
    let request =
        MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(true);
    wire.call(12, &request).await
}

/// The value and the source of each config.
async fn configs(wire: &mut Wire, topic: &str) -> BTreeMap<String, (String, i8)> {
    let resource =
        DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text(topic));
    let resource = resource.with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let response = wire.call(4, &request).await;
    assert_eq!(response.results[0].error_code, 0);
    let configs = response.results[0].configs.iter();
    let value = |value: &Option<_>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    configs.map(|it| (it.name.to_string(), (value(&it.value), it.config_source))).collect()
}

#[tokio::test]
async fn configs_are_kept_and_described() {
    let mut broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    let given = [("cleanup.policy", "compact"), ("segment.bytes", "4096")];
    wire.create_topic("t", &given).await;
    let before = metadata(&mut wire, None).await;
    broker.restart().await;
    let mut wire = broker.connect().await;
    let after = metadata(&mut wire, None).await;
    assert_eq!(before.topics, after.topics);
    assert_eq!(before.cluster_id, after.cluster_id);
    assert!(!after.topics[0].topic_id.is_nil());
    let found = configs(&mut wire, "t").await;
    let is = |name: &str, value: &str, source| {
        assert_eq!(found[name], (value.to_owned(), source), "{name}");
    };
    is("cleanup.policy", "compact", 1);
    is("segment.bytes", "4096", 1);
    is("retention.ms", "604800000", 5);
    is("retention.bytes", "-1", 5);
    is("segment.ms", "604800000", 5);
    is("max.message.bytes", "1048588", 5);
    is("min.insync.replicas", "1", 5);
    is("message.timestamp.type", "CreateTime", 5);
    is("compression.type", "producer", 5);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_with_a_reason() {
    use ResponseError as E;
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("taken", &[]).await;
    let cases = [
        (topic("taken", 1, &[]), E::TopicAlreadyExists, ""),
        (topic("a/b", 1, &[]), E::InvalidTopicException, "characters"),
        (topic("..", 1, &[]), E::InvalidTopicException, "characters"),
        (topic("t", 0, &[]), E::InvalidPartitions, ""),
        (topic("t", 100_000, &[]), E::PolicyViolation, "partitions"),
        (topic("t", 1, &[]).with_replication_factor(3), E::InvalidReplicationFactor, "1"),
        (topic("t", 1, &[("no.such", "1")]), E::InvalidConfig, "no.such"),
        (topic("t", 1, &[("retention.ms", "x")]), E::InvalidConfig, "retention.ms"),
    ];
    for (topic, error, reason) in cases {
        let answer = create(&mut wire, vec![topic]).await;
        assert_eq!(answer[0].0, error.code(), "{}", answer[0].1);
        assert!(answer[0].1.contains(reason), "{}", answer[0].1);
    }
    let twice = vec![topic("t", 1, &[]), topic("t", 1, &[]), topic("u", 1, &[])];
    let answers = create(&mut wire, twice).await;
    let invalid = E::InvalidRequest.code();
    assert_eq!(answers.iter().map(|it| it.0).collect::<Vec<_>>(), [invalid, invalid, 0]);
}

#[tokio::test]
async fn a_topic_is_only_checked_when_only_that_is_asked() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic("t", -1, &[])])
        .with_validate_only(true);
    let response = wire.call(7, &request).await;
    assert_eq!((response.topics[0].error_code, response.topics[0].num_partitions), (0, 1));
    assert!(metadata(&mut wire, None).await.topics.is_empty());
}

#[tokio::test]
async fn a_topic_is_never_made_by_asking_for_it() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    let asked = MetadataRequestTopic::default().with_name(Some(name("t")));
    let response = metadata(&mut wire, Some(vec![asked])).await;
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(response.topics[0].error_code, unknown);
    assert_eq!(wire.produce("t", batch(&["x"])).await.error_code, unknown);
    assert!(metadata(&mut wire, None).await.topics.is_empty());
}

#[tokio::test]
async fn a_topic_is_found_and_deleted_by_its_id() {
    let mut broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    wire.produce("t", batch(&["x"])).await;
    let id = metadata(&mut wire, None).await.topics[0].topic_id;
    let by_id = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
    let found = metadata(&mut wire, Some(vec![by_id.clone()])).await;
    assert_eq!(found.topics[0].name, Some(name("t")));
    let state = DeleteTopicState::default().with_topic_id(id).with_name(None);
    let request = DeleteTopicsRequest::default().with_topics(vec![state]);
    assert_eq!(wire.call(6, &request).await.responses[0].error_code, 0);
    let unknown = ResponseError::UnknownTopicId.code();
    assert_eq!(wire.call(6, &request).await.responses[0].error_code, unknown);
    assert_eq!(metadata(&mut wire, Some(vec![by_id])).await.topics[0].error_code, unknown);
    broker.restart().await;
    let mut wire = broker.connect().await;
    assert!(metadata(&mut wire, None).await.topics.is_empty());
    wire.create_topic("t", &[]).await;
    assert_eq!(wire.produce("t", batch(&["x"])).await.base_offset, 0);
}
