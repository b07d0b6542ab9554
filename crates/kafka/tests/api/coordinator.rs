//! The part of the fake broker that keeps a group's offsets, as Apache Kafka 4 answers.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    ApiKey, FindCoordinatorRequest, FindCoordinatorResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use crate::fake::{encoded, name};

/// What happens to the next request of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mishap {
    /// An error code for each partition, or for the coordinator.
    Code(i16),
    /// The connection closes.
    HangsUp,
    /// The last partition is left out of the answer.
    LeavesOut,
}

/// The group `g` and its offsets of topic `t`.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) committed: BTreeMap<i32, (i64, String)>,
    pub(crate) mishaps: VecDeque<(ApiKey, Mishap)>,
    /// It speaks only the oldest versions.
    pub(crate) is_old: bool,
}

impl Group {
    /// `None` hangs up.
    pub(crate) fn answer(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &mut Bytes,
        port: i32,
    ) -> Option<Bytes> {
        let mishap = self.mishaps.pop_front_if(|(of, _)| *of == key).map(|(_, mishap)| mishap);
        let code = match mishap {
            Some(Mishap::HangsUp) => return None,
            Some(Mishap::Code(code)) => code,
            Some(Mishap::LeavesOut) | None => 0,
        };
        let kept = usize::from(matches!(mishap, Some(Mishap::LeavesOut)));
        if key == ApiKey::FindCoordinator {
            let request = FindCoordinatorRequest::decode(request, version).unwrap();
            Some(encoded(&coordinator(version, &request, code, port), version))
        } else if key == ApiKey::OffsetCommit {
            let request = OffsetCommitRequest::decode(request, version).unwrap();
            Some(encoded(&self.commit(&request, code, kept), version))
        } else {
            let request = OffsetFetchRequest::decode(request, version).unwrap();
            Some(encoded(&self.fetch(version, &request, code, kept), version))
        }
    }

    fn commit(
        &mut self,
        request: &OffsetCommitRequest,
        code: i16,
        left_out: usize,
    ) -> OffsetCommitResponse {
        assert_eq!(request.group_id.as_str(), "g");
        assert_eq!((request.generation_id_or_member_epoch, request.member_id.as_str()), (-1, ""));
        let mut partitions = Vec::new();
        for partition in &request.topics[0].partitions {
            let index = partition.partition_index;
            if code == 0 {
                let metadata = partition.committed_metadata.as_ref().unwrap().to_string();
                self.committed.insert(index, (partition.committed_offset, metadata));
            }
            partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(code),
            );
        }
        partitions.truncate(partitions.len() - left_out);
        let topic =
            OffsetCommitResponseTopic::default().with_name(name()).with_partitions(partitions);
        OffsetCommitResponse::default().with_topics(vec![topic])
    }

    /// A partition without an offset has -1 and no text.
    fn fetch(
        &self,
        version: i16,
        request: &OffsetFetchRequest,
        code: i16,
        left_out: usize,
    ) -> OffsetFetchResponse {
        let (group, indexes) = if version >= 8 {
            let group = &request.groups[0];
            (&group.group_id, &group.topics.as_ref().unwrap()[0].partition_indexes)
        } else {
            (&request.group_id, &request.topics.as_ref().unwrap()[0].partition_indexes)
        };
        assert_eq!(group.as_str(), "g");
        let indexes = &indexes[..indexes.len() - left_out];
        let none = (-1, String::new());
        let of = |index: &i32| {
            let (offset, text) = self.committed.get(index).unwrap_or(&none).clone();
            (*index, offset, Some(StrBytes::from_string(text)))
        };
        let committed: Vec<_> = indexes.iter().map(of).collect();
        if version >= 8 {
            return many_groups(committed, code);
        }
        let partition = |(index, offset, text): (i32, i64, Option<StrBytes>)| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_metadata(text)
                .with_error_code(code)
        };
        let topic = OffsetFetchResponseTopic::default()
            .with_name(name())
            .with_partitions(committed.into_iter().map(partition).collect());
        OffsetFetchResponse::default().with_topics(vec![topic])
    }
}

/// An error of the coordinator is the whole group's.
fn many_groups(committed: Vec<(i32, i64, Option<StrBytes>)>, code: i16) -> OffsetFetchResponse {
    let partition = |(index, offset, text): (i32, i64, Option<StrBytes>)| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_metadata(text)
    };
    let topic = OffsetFetchResponseTopics::default()
        .with_name(name())
        .with_partitions(committed.into_iter().map(partition).collect());
    let group = OffsetFetchResponseGroup::default()
        .with_group_id(kafka_protocol::messages::GroupId("g".into()))
        .with_error_code(code)
        .with_topics(if code == 0 { vec![topic] } else { vec![] });
    OffsetFetchResponse::default().with_groups(vec![group])
}

fn coordinator(
    version: i16,
    request: &FindCoordinatorRequest,
    code: i16,
    port: i32,
) -> FindCoordinatorResponse {
    let (host, port) = if code == 0 { ("127.0.0.1", port) } else { ("", -1) };
    assert_eq!(request.key_type, 0);
    if version >= 4 {
        let coordinator = Coordinator::default()
            .with_key(request.coordinator_keys[0].clone())
            .with_host(host.into())
            .with_port(port)
            .with_error_code(code);
        return FindCoordinatorResponse::default().with_coordinators(vec![coordinator]);
    }
    assert_eq!(&*request.key, "g");
    FindCoordinatorResponse::default().with_host(host.into()).with_port(port).with_error_code(code)
}
