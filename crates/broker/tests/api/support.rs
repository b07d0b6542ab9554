//! A broker to test against and a client that says exactly what it is told to.

use std::time::Duration;

use broker::{Broker, Config, Faults};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, ProduceRequest, ProduceResponse, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct TestBroker {
    pub(crate) dir: TempDir,
    broker: Option<Broker>,
}

impl TestBroker {
    pub(crate) async fn start() -> TestBroker {
        TestBroker::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> TestBroker {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path(), "127.0.0.1:0");
        change(&mut config);
        let broker = Some(Broker::start(config).await.unwrap());
        TestBroker { dir, broker }
    }

    pub(crate) fn addr(&self) -> String {
        self.broker.as_ref().unwrap().addr().to_string()
    }

    pub(crate) fn faults(&self) -> Faults {
        self.broker.as_ref().unwrap().faults().clone()
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(&self.addr()).await
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.stop(LONG).await.unwrap();
        }
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let config = Config::new(self.dir.path(), "127.0.0.1:0");
        self.broker = Some(Broker::start(config).await.unwrap());
    }
}

/// For topics that outlive a restart: the records of these tests are of 1970.
pub(crate) const KEEP: (&str, &str) = ("retention.ms", "-1");

/// A connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    pub(crate) async fn connect(addr: &str) -> Wire {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { stream, correlation_id: 0 }
    }

    pub(crate) async fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request).await;
        self.receive::<R>(version).await
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.correlation_id += 1;
        let body = encode(version, self.correlation_id, request);
        self.send_frame(&body).await;
    }

    /// Sends unless the broker has closed the connection.
    pub(crate) async fn try_send<R: Request>(&mut self, version: i16, request: &R) -> bool {
        let body = encode(version, 1, request);
        let length = i32::try_from(body.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length, &body[..]].concat()).await.is_ok()
    }

    pub(crate) async fn send_frame(&mut self, body: &[u8]) {
        let length = i32::try_from(body.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length, body].concat()).await.unwrap();
    }

    /// The response to the latest request.
    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let (correlation_id, response) = self.receive_any::<R>(version).await;
        assert_eq!(correlation_id, self.correlation_id);
        response
    }

    pub(crate) async fn receive_any<R: Request>(&mut self, version: i16) -> (i32, R::Response) {
        let mut frame = self.receive_frame().await.expect("a response");
        let header_version = R::Response::header_version(version);
        let header = ResponseHeader::decode(&mut frame, header_version).unwrap();
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "the response ends where it should");
        (header.correlation_id, response)
    }

    /// The next frame, or `None` when the broker closes the connection.
    pub(crate) async fn receive_frame(&mut self) -> Option<Bytes> {
        let receiving = async {
            let length = self.stream.read_i32().await.ok()?;
            let mut frame = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut frame).await.ok()?;
            Some(Bytes::from(frame))
        };
        timeout(LONG, receiving).await.expect("a response or the end")
    }

    pub(crate) async fn create_topic(&mut self, name: &str, configs: &[(&str, &str)]) {
        let request = CreateTopicsRequest::default().with_topics(vec![topic(name, 1, configs)]);
        let response = self.call(7, &request).await;
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
    }

    pub(crate) async fn produce(
        &mut self,
        topic: &str,
        records: Bytes,
    ) -> PartitionProduceResponse {
        let response = self.call(9, &produce(topic, records)).await;
        only_partition(response)
    }

    pub(crate) async fn fetch(&mut self, request: &FetchRequest) -> PartitionData {
        let response = self.call(12, request).await;
        assert_eq!(response.error_code, 0);
        response.responses[0].partitions[0].clone()
    }
}

pub(crate) fn encode<R: Request>(version: i16, correlation_id: i32, request: &R) -> BytesMut {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some("test".into()));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version)).unwrap();
    request.encode(&mut body, version).unwrap();
    body
}

pub(crate) fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn topic(topic: &str, partitions: i32, configs: &[(&str, &str)]) -> CreatableTopic {
    let config = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs.iter().map(config).collect())
}

pub(crate) fn produce(topic: &str, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(records));
    let data =
        TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data])
}

pub(crate) fn only_partition(response: ProduceResponse) -> PartitionProduceResponse {
    response.responses[0].partition_responses[0].clone()
}

/// A fetch of partition 0 that returns at once.
pub(crate) fn fetch(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// A batch of `values`, by a producer of this id, epoch and first sequence.
pub(crate) fn batch_of(values: &[&str], (id, epoch, sequence): (i64, i16, i32)) -> Bytes {
    let record = |(at, value): (i32, &&str)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: id,
        producer_epoch: epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(at),
        // Also without a producer id: the encoder begins a new batch where it does not count up.
        sequence: sequence.wrapping_add(at),
        timestamp: 1_000 + i64::from(at),
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Default::default(),
    };
    let records: Vec<_> = (0..).zip(values).map(record).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut batch = BytesMut::new();
    RecordBatchEncoder::encode(&mut batch, &records, &options).unwrap();
    batch.freeze()
}

pub(crate) fn batch(values: &[&str]) -> Bytes {
    batch_of(values, (-1, -1, -1))
}

/// Asks until it is so.
pub(crate) async fn eventually(within: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within {within:?}");
        tokio::task::yield_now().await;
    }
}
