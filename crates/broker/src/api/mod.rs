//! The answers, one file a group of requests.

mod api_versions;
mod configs;
mod fetch;
mod groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod produce;
mod producer_id;
mod topics;

use std::net::SocketAddr;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::config::Limits;
use crate::data_dir::DataDir;
use crate::endpoint::Endpoint;
use crate::faults::{Fault, Faults};
use crate::offsets::GroupOffsets;
use crate::reply::Reply;
use crate::request::{Body, Head};

pub(crate) use produce::Pending;

/// The only node's id.
pub(crate) const NODE_ID: i32 = 1;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Catalog,
    pub(crate) offsets: Arc<GroupOffsets>,
    pub(crate) data_dir: Arc<DataDir>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) advertised: Option<Endpoint>,
    /// Bytes of large requests and fetched records held at once.
    pub(crate) memory: Arc<Semaphore>,
    pub(crate) faults: Faults,
    pub(crate) stop: CancellationToken,
}

/// What a request is answered from: the broker, and the connection it came on.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// The address at which this client reached the broker.
    pub(crate) local_addr: SocketAddr,
}

impl Context {
    /// The address this client is told to connect to.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let advertised = self.shared.advertised.clone();
        advertised.unwrap_or_else(|| Endpoint::from(self.local_addr))
    }

    /// Answers any request but Produce, which [`Context::produce`] takes in two steps.
    pub(crate) async fn answer(
        &self,
        head: Head,
        body: Body,
        fault: Fault,
    ) -> anyhow::Result<Reply> {
        match body {
            Body::ApiVersions { known_version } => {
                Reply::encode(head, &api_versions::answer(known_version))
            }
            Body::CreateTopics(request) => {
                let response = topics::create(self, request, head.version).await;
                Reply::encode(head, &response)
            }
            Body::DeleteTopics(request) => {
                Reply::encode(head, &topics::delete(self, request, head.version).await)
            }
            Body::DescribeConfigs(request) => {
                Reply::encode(head, &configs::describe(self, &request))
            }
            Body::DescribeGroups(request) => Reply::encode(head, &groups::describe(self, request)),
            Body::Fetch(request) => fetch::answer(self, head, request, fault.error).await,
            Body::FindCoordinator(request) => {
                Reply::encode(head, &groups::find_coordinator(self, request, head.version))
            }
            Body::InitProducerId(request) => {
                Reply::encode(head, &producer_id::init(self, request).await)
            }
            Body::ListGroups(request) => Reply::encode(head, &groups::list(self, &request)),
            Body::ListOffsets(request) => {
                Reply::encode(head, &list_offsets::answer(self, request, head.version).await)
            }
            Body::Metadata(request) => {
                Reply::encode(head, &metadata::answer(self, request, head.version))
            }
            Body::OffsetCommit(request) => {
                Reply::encode(head, &offset_commit::answer(self, request).await)
            }
            Body::OffsetFetch(request) => {
                Reply::encode(head, &offset_fetch::answer(self, request, head.version))
            }
            Body::Produce(request) => self.produce(head, request, fault).await.reply().await,
        }
    }
}

fn str_bytes(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(str_bytes(name))
}

fn code(result: Result<(), ResponseError>) -> i16 {
    result.map_or_else(|error| error.code(), |()| 0)
}
