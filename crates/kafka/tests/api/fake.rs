//! A broker that serves what a test puts into it, also what the embedded one would refuse.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use kafka::{ClusterConfig, Reader};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, FetchRequest, FetchResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
    RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use models::Partition;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use uuid::Uuid;

use crate::batches::{Batch, HEADER_BYTES};
use crate::coordinator::Group;
use crate::support::cluster;

/// What the one partition of topic `t` holds, and how it is served.
pub(crate) struct Served {
    port: u16,
    /// Batches with their last offsets.
    pub(crate) log: Vec<(i64, Bytes)>,
    pub(crate) start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) topic_id: Uuid,
    /// Answers that the library cannot read: it asks for version 4.
    pub(crate) confuses_the_library: bool,
    /// So many fetches are answered with a throttle time, in ms, and nothing else.
    pub(crate) throttled_fetches: (u32, i32),
    /// So many fetches are told that the offset is out of range.
    pub(crate) refused_fetches: u32,
    /// Answers to the next produces, as error code and throttle time in ms; later ones get the last.
    pub(crate) produced: VecDeque<(i16, i32)>,
    /// Produces so far: when they came, with which version, and how many records were appended.
    pub(crate) produces: Vec<(Instant, i16, i32)>,
    /// What it coordinates.
    pub(crate) group: Group,
    /// Requests about groups so far.
    pub(crate) requests: Vec<(ApiKey, i16)>,
    /// Versions of the fetches so far.
    pub(crate) fetches: Vec<i16>,
}

pub(crate) struct Fake {
    served: Arc<Mutex<Served>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::new(Mutex::new(Served {
            port,
            log: Vec::new(),
            start: 0,
            high_watermark: 0,
            topic_id: Uuid::from_u128(1),
            confuses_the_library: false,
            throttled_fetches: (0, 0),
            refused_fetches: 0,
            produced: VecDeque::new(),
            produces: Vec::new(),
            group: Group::default(),
            requests: Vec::new(),
            fetches: Vec::new(),
        }));
        let fake = Self { served: served.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, served.clone()));
            }
        });
        fake
    }

    /// With these batches, whose end is the high watermark.
    pub(crate) async fn with(batches: &[Batch]) -> Self {
        let fake = Self::start().await;
        fake.served().hold(batches);
        fake
    }

    pub(crate) fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap()
    }

    pub(crate) fn cluster(&self) -> ClusterConfig {
        cluster(&format!("127.0.0.1:{}", self.served().port))
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.cluster(), "t", Partition(0))
    }
}

impl Served {
    pub(crate) fn hold(&mut self, batches: &[Batch]) {
        self.log = batches.iter().map(|it| (it.last_offset(), it.bytes())).collect();
        self.high_watermark = batches.last().map_or(0, |it| it.last_offset() + 1);
    }
}

async fn serve(mut stream: TcpStream, served: Arc<Mutex<Served>>) {
    stream.set_nodelay(true).unwrap();
    while let Ok(length) = stream.read_i32().await {
        let mut request = vec![0; length as usize];
        stream.read_exact(&mut request).await.unwrap();
        let mut request = Bytes::from(request);
        let key = ApiKey::try_from(i16::from_be_bytes([request[0], request[1]])).unwrap();
        let version = i16::from_be_bytes([request[2], request[3]]);
        let header =
            RequestHeader::decode(&mut request, key.request_header_version(version)).unwrap();
        let answer = served.lock().unwrap().answer(key, version, &mut request);
        // Nothing to say: it hangs up.
        if answer.is_empty() {
            return;
        }
        let mut head = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(header.correlation_id)
            .encode(&mut head, key.response_header_version(version))
            .unwrap();
        let length = i32::try_from(head.len() + answer.len()).unwrap().to_be_bytes();
        let frame = [&length, &head[..], &answer[..]].concat();
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}

pub(crate) fn encoded<T: Encodable + HeaderVersion>(answer: &T, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    answer.encode(&mut out, version).unwrap();
    out.freeze()
}

impl Served {
    #[allow(clippy::wildcard_enum_match_arm)]
    fn answer(&mut self, key: ApiKey, version: i16, request: &mut Bytes) -> Bytes {
        match key {
            ApiKey::ApiVersions => encoded(&versions(self.group.is_old), version),
            ApiKey::Metadata => {
                MetadataRequest::decode(request, version).unwrap();
                encoded(&self.metadata(), version)
            }
            ApiKey::ListOffsets => {
                let request = ListOffsetsRequest::decode(request, version).unwrap();
                assert_eq!(request.isolation_level, 0, "open transactions count");
                encoded(&self.list_offsets(&request), version)
            }
            ApiKey::Fetch => {
                let request = FetchRequest::decode(request, version).unwrap();
                let offset = request.topics[0].partitions[0].fetch_offset;
                self.fetches.push(version);
                if version == 4 && self.confuses_the_library {
                    return Bytes::from_static(&[0xff; 32]);
                }
                encoded(&self.fetch(offset), version)
            }
            ApiKey::Produce => {
                let request = ProduceRequest::decode(request, version).unwrap();
                encoded(&self.produce(version, &request), version)
            }
            ApiKey::FindCoordinator | ApiKey::OffsetCommit | ApiKey::OffsetFetch => {
                self.requests.push((key, version));
                let port = i32::from(self.port);
                self.group.answer(key, version, request, port).unwrap_or_default()
            }
            other => panic!("{other:?}"),
        }
    }

    fn produce(&mut self, version: i16, request: &ProduceRequest) -> ProduceResponse {
        let records = request.topic_data[0].partition_data[0].records.as_ref().unwrap();
        let count = i32::from_be_bytes(records[57..HEADER_BYTES].try_into().unwrap());
        assert_eq!(request.acks, -1);
        let (code, throttle_ms) = match self.produced.len() {
            0 => (0, 0),
            1 => self.produced[0],
            _ => self.produced.pop_front().unwrap(),
        };
        let appended = if code == 0 { count } else { 0 };
        self.produces.push((Instant::now(), version, appended));
        let partition = PartitionProduceResponse::default()
            .with_error_code(code)
            .with_base_offset(self.high_watermark);
        self.high_watermark += i64::from(appended);
        let topic = TopicProduceResponse::default()
            .with_name(name())
            .with_partition_responses(vec![partition]);
        ProduceResponse::default().with_responses(vec![topic]).with_throttle_time_ms(throttle_ms)
    }

    fn metadata(&self) -> MetadataResponse {
        let broker = MetadataResponseBroker::default()
            .with_node_id(1.into())
            .with_host("127.0.0.1".into())
            .with_port(i32::from(self.port));
        let partition = MetadataResponsePartition::default()
            .with_leader_id(1.into())
            .with_replica_nodes(vec![1.into()])
            .with_isr_nodes(vec![1.into()]);
        let topic = MetadataResponseTopic::default()
            .with_name(Some(name()))
            .with_topic_id(self.topic_id)
            .with_partitions(vec![partition]);
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_controller_id(1.into())
            .with_topics(vec![topic])
    }

    fn list_offsets(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let offset = match request.topics[0].partitions[0].timestamp {
            -2 => self.start,
            _ => self.high_watermark,
        };
        let partition = ListOffsetsPartitionResponse::default().with_offset(offset);
        let topic =
            ListOffsetsTopicResponse::default().with_name(name()).with_partitions(vec![partition]);
        ListOffsetsResponse::default().with_topics(vec![topic])
    }

    fn fetch(&mut self, offset: i64) -> FetchResponse {
        let (throttled, ms) = &mut self.throttled_fetches;
        if *throttled > 0 {
            *throttled -= 1;
            return FetchResponse::default().with_throttle_time_ms(*ms);
        }
        let records: Vec<u8> = self
            .log
            .iter()
            .filter(|(last, _)| *last >= offset)
            .flat_map(|(_, bytes)| bytes.to_vec())
            .collect();
        let refused = self.refused_fetches > 0;
        self.refused_fetches = self.refused_fetches.saturating_sub(1);
        let out_of_range = refused || !(self.start..=self.high_watermark).contains(&offset);
        let partition = PartitionData::default()
            .with_error_code(i16::from(out_of_range))
            .with_high_watermark(self.high_watermark)
            .with_records(Some(if out_of_range { Bytes::new() } else { records.into() }));
        let topic =
            FetchableTopicResponse::default().with_topic(name()).with_partitions(vec![partition]);
        FetchResponse::default().with_responses(vec![topic])
    }
}

fn versions(is_old: bool) -> ApiVersionsResponse {
    let version = |(key, max): (ApiKey, i16)| {
        ApiVersion::default().with_api_key(key as i16).with_min_version(0).with_max_version(max)
    };
    let known = [
        (ApiKey::Produce, 13),
        (ApiKey::Fetch, 16),
        (ApiKey::ListOffsets, 9),
        (ApiKey::Metadata, 12),
        (ApiKey::FindCoordinator, if is_old { 3 } else { 6 }),
        (ApiKey::OffsetCommit, if is_old { 2 } else { 10 }),
        (ApiKey::OffsetFetch, if is_old { 1 } else { 10 }),
        (ApiKey::ApiVersions, 0),
    ];
    ApiVersionsResponse::default().with_api_keys(known.map(version).into())
}

pub(crate) fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}
