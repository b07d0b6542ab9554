//! A Kafka client that says exactly what it is told to: topics as others make them.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, MetadataRequest,
    ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use models::TopicId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Wire {
    stream: TcpStream,
}

impl Wire {
    pub(crate) async fn connect(addr: &str) -> Self {
        Self { stream: TcpStream::connect(addr).await.unwrap() }
    }

    async fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_client_id(Some("test".into()));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, R::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        self.stream.write_i32(i32::try_from(frame.len()).unwrap()).await.unwrap();
        self.stream.write_all(&frame).await.unwrap();
        let length = self.stream.read_i32().await.unwrap();
        let mut answer = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut answer).await.unwrap();
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, R::Response::header_version(version)).unwrap();
        let response = R::Response::decode(&mut answer, version).unwrap();
        assert!(!answer.has_remaining(), "the answer ends where it should");
        response
    }

    pub(crate) async fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) {
        let setting = |(name, value): &(&str, &str)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(settings.iter().map(setting).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let answer = self.call(7, &request).await;
        assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics[0].error_message);
    }

    pub(crate) async fn delete_topic(&mut self, topic: &str) {
        let topic = DeleteTopicState::default().with_name(Some(name(topic)));
        let request =
            DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = self.call(6, &request).await;
        assert_eq!(answer.responses[0].error_code, 0, "{:?}", answer.responses[0].error_message);
    }

    /// The topic's id and its number of partitions, if it exists.
    pub(crate) async fn look_up(&mut self, topic: &str) -> Option<(TopicId, i32)> {
        let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        let answer = self.call(12, &request).await;
        let found = &answer.topics[0];
        let partitions = i32::try_from(found.partitions.len()).unwrap();
        (found.error_code == 0).then_some((TopicId(found.topic_id), partitions))
    }

    pub(crate) async fn settings(&mut self, topic: &str) -> BTreeMap<String, String> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.call(4, &request).await;
        let settings = answer.results[0].configs.iter();
        settings.map(|it| (it.name.to_string(), it.value.as_ref().unwrap().to_string())).collect()
    }

    /// Appends a record with what other clients may give it: any time, headers without a value.
    pub(crate) async fn produce(
        &mut self,
        topic: &str,
        value: &str,
        timestamp: i64,
        headers: &[(&str, Option<&str>)],
    ) {
        let header = |(name, value): &(&str, Option<&str>)| {
            (text(name), value.map(|value| Bytes::copy_from_slice(value.as_bytes())))
        };
        let record = Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset: 0,
            sequence: -1,
            timestamp,
            key: None,
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: headers.iter().map(header).collect(),
        };
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        let mut batch = BytesMut::new();
        RecordBatchEncoder::encode(&mut batch, &[record], &options).unwrap();
        self.append(topic, batch.freeze()).await;
    }

    /// Appends a batch as it is.
    pub(crate) async fn append(&mut self, topic: &str, batch: Bytes) {
        let partition = PartitionProduceData::default().with_records(Some(batch));
        let data =
            TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![data]);
        let answer = self.call(9, &request).await;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}

/// The answer to ApiVersions version 0: no version of anything.
pub(crate) fn no_versions(correlation_id: i32) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_i32(4 + 2 + 4);
    frame.put_i32(correlation_id);
    frame.put_i16(0);
    frame.put_i32(0);
    frame
}

fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
