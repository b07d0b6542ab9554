//! From a frame to a request: which there are, in which versions, and how each is laid out.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, ProduceRequest, RequestHeader,
};
use kafka_protocol::protocol::Decodable;

use crate::layout;
use crate::shape::{Malformed, Step, Walk};

/// A request the broker answers.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) api: ApiKey,
    pub(crate) head: Head,
    pub(crate) body: Body,
}

/// What the answer must repeat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Body {
    /// Which requests are known. `known_version` is false when the client is newer (KIP-511).
    ApiVersions {
        known_version: bool,
    },
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    DescribeConfigs(DescribeConfigsRequest),
    DescribeGroups(DescribeGroupsRequest),
    Fetch(FetchRequest),
    FindCoordinator(FindCoordinatorRequest),
    InitProducerId(InitProducerIdRequest),
    ListGroups(ListGroupsRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    OffsetCommit(OffsetCommitRequest),
    OffsetFetch(OffsetFetchRequest),
    Produce(ProduceRequest),
}

/// A request the broker answers, in these versions.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
    shape: fn(&mut Walk<'_>) -> Step,
    decode: Decode,
}

type Decode = fn(&mut Bytes, i16) -> anyhow::Result<Body>;

/// Why a frame gets no answer; its connection ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("request {key} in version {version} is not supported")]
    Unsupported { key: i16, version: i16 },
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("request {key} in version {version} cannot be decoded: {error}")]
    Undecodable { key: i16, version: i16, error: anyhow::Error },
}

/// Every request there is. Fetch ends before topic ids (13), and so do OffsetCommit and OffsetFetch (10);
/// Produce before transactions of the second version (12), ListOffsets before the offset of the largest
/// timestamp (7), FindCoordinator before aborted transactions (5), DescribeGroups before the error for
/// a group that is not there (6).
pub(crate) const APIS: [Api; 14] = [
    api(ApiKey::Produce, 3, 11, layout::produce, |frame, version| {
        Ok(Body::Produce(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::Fetch, 4, 12, layout::fetch, |frame, version| {
        Ok(Body::Fetch(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::ListOffsets, 1, 6, layout::list_offsets, |frame, version| {
        Ok(Body::ListOffsets(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::Metadata, 0, 12, layout::metadata, |frame, version| {
        Ok(Body::Metadata(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::OffsetCommit, 2, 9, layout::offset_commit, |frame, version| {
        Ok(Body::OffsetCommit(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::OffsetFetch, 1, 9, layout::offset_fetch, |frame, version| {
        Ok(Body::OffsetFetch(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::FindCoordinator, 0, 4, layout::find_coordinator, |frame, version| {
        Ok(Body::FindCoordinator(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::DescribeGroups, 0, 5, layout::describe_groups, |frame, version| {
        Ok(Body::DescribeGroups(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::ListGroups, 0, 5, layout::list_groups, |frame, version| {
        Ok(Body::ListGroups(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::ApiVersions, 0, 4, layout::api_versions, |_, _| {
        Ok(Body::ApiVersions { known_version: true })
    }),
    api(ApiKey::CreateTopics, 2, 7, layout::create_topics, |frame, version| {
        Ok(Body::CreateTopics(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::DeleteTopics, 1, 6, layout::delete_topics, |frame, version| {
        Ok(Body::DeleteTopics(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::InitProducerId, 0, 5, layout::init_producer_id, |frame, version| {
        Ok(Body::InitProducerId(Decodable::decode(frame, version)?))
    }),
    api(ApiKey::DescribeConfigs, 1, 4, layout::describe_configs, |frame, version| {
        Ok(Body::DescribeConfigs(Decodable::decode(frame, version)?))
    }),
];

const fn api(
    key: ApiKey,
    min: i16,
    max: i16,
    shape: fn(&mut Walk<'_>) -> Step,
    decode: Decode,
) -> Api {
    Api { key, min, max, shape, decode }
}

impl Request {
    /// Reads a frame without its length.
    pub(crate) fn parse(mut frame: Bytes) -> Result<Request, Refusal> {
        let mut start = frame.get(..8).ok_or(Malformed)?;
        let (key, version) = (start.get_i16(), start.get_i16());
        let head = Head { version, correlation_id: start.get_i32() };
        let api = APIS.iter().find(|api| api.key as i16 == key);
        let api = api.ok_or(Refusal::Unsupported { key, version })?;
        if !(api.min..=api.max).contains(&version) {
            return newer_api_versions(api, head);
        }
        let header_version = api.key.request_header_version(version);
        let flexible = header_version >= 2;
        check_header(&frame, version, flexible)?;
        let undecodable = |error| Refusal::Undecodable { key, version, error };
        RequestHeader::decode(&mut frame, header_version).map_err(undecodable)?;
        (api.shape)(&mut Walk::new(&frame, version, flexible))?;
        let body = (api.decode)(&mut frame, version).map_err(undecodable)?;
        Ok(Request { api: api.key, head, body })
    }
}

/// Only ApiVersions is answered in a version that is not known: the client then asks again with what
/// the answer says. The rest of its request may not be readable.
fn newer_api_versions(api: &Api, head: Head) -> Result<Request, Refusal> {
    if api.key as i16 != ApiKey::ApiVersions as i16 {
        return Err(Refusal::Unsupported { key: api.key as i16, version: head.version });
    }
    Ok(Request {
        api: api.key,
        head: Head { version: 0, ..head },
        body: Body::ApiVersions { known_version: false },
    })
}

fn check_header(frame: &[u8], version: i16, flexible: bool) -> Step {
    // The client id is never compact (KIP-482), so that any broker can read it.
    let mut fixed = Walk::new(frame, version, false);
    fixed.skip(8)?;
    fixed.string()?;
    Walk::new(fixed.rest(), version, flexible).tags()
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_parsing_panic(
            api in 0..APIS.len(),
            version in 0..14_i16,
            client_id in prop::option::of(prop::collection::vec(any::<u8>(), 0..4)),
            body in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()], 0..120),
        ) {
            let mut frame = BytesMut::new();
            frame.put_i16(APIS[api].key as i16);
            frame.put_i16(version);
            frame.put_i32(1);
            match client_id {
                Some(id) => {
                    frame.put_i16(id.len() as i16);
                    frame.put_slice(&id);
                }
                None => frame.put_i16(-1),
            }
            frame.put_slice(&body);
            let _any_answer = Request::parse(frame.freeze());
        }
    }
}
