//! Offsets that groups commit and fetch.

use std::fs;

use broker::{Broker, Config, StartError};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest,
};
use tokio::task::JoinSet;

use crate::program::Program;
use crate::support::{LONG, TestBroker, Wire, eventually, name, text, topic};

const UNKNOWN: i16 = ResponseError::UnknownTopicOrPartition.code();

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// A commit of the offset for each of the partitions.
fn commit(id: &str, topic: &str, partitions: &[i32], offset: i64) -> OffsetCommitRequest {
    let partition = |index: &i32| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("here")))
    };
    let partitions = partitions.iter().map(partition).collect();
    let topic =
        OffsetCommitRequestTopic::default().with_name(name(topic)).with_partitions(partitions);
    OffsetCommitRequest::default().with_group_id(group(id)).with_topics(vec![topic])
}

/// The error of each partition.
async fn committed(wire: &mut Wire, request: &OffsetCommitRequest) -> Vec<i16> {
    let response = wire.call(9, request).await;
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.error_code).collect()
}

/// Asks for all that the groups committed.
async fn all_of(wire: &mut Wire, ids: &[&str]) -> Vec<OffsetFetchResponseGroup> {
    let asked =
        |id: &&str| OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(ids.iter().map(asked).collect());
    wire.call(9, &request).await.groups
}

/// Partitions and offsets of the one topic in which the group committed, if there is one.
async fn offsets(wire: &mut Wire, id: &str) -> Vec<(i32, i64)> {
    let groups = all_of(wire, &[id]).await;
    assert_eq!(groups[0].error_code, 0);
    let partitions = groups[0].topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|it| (it.partition_index, it.committed_offset)).collect()
}

async fn create(wire: &mut Wire, name: &str, partitions: i32) {
    let topics = vec![topic(name, partitions, &[])];
    let response = wire.call(7, &CreateTopicsRequest::default().with_topics(topics)).await;
    assert_eq!(response.topics[0].error_code, 0);
}

async fn start() -> (TestBroker, Wire) {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    create(&mut wire, "t", 3).await;
    (broker, wire)
}

#[tokio::test]
async fn offsets_are_committed_and_fetched_in_every_version() {
    let (_broker, mut wire) = start().await;
    for version in 2..=9 {
        let offset = i64::from(version) * 10;
        let response = wire.call(version, &commit("g", "t", &[1], offset)).await;
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
        for version in 1..=7 {
            let asked = OffsetFetchRequestTopic::default()
                .with_name(name("t"))
                .with_partition_indexes(vec![0, 1]);
            let asked = OffsetFetchRequest::default()
                .with_group_id(group("g"))
                .with_topics(Some(vec![asked]));
            let response = wire.call(version, &asked).await;
            let [never, found] = &response.topics[0].partitions[..] else { panic!("both") };
            assert_eq!((response.error_code, found.error_code, never.error_code), (0, 0, 0));
            assert_eq!((never.committed_offset, found.committed_offset), (-1, offset));
            assert_eq!(never.metadata.as_deref(), Some(""));
            assert_eq!(found.metadata.as_deref(), Some("here"));
            let all = wire.call(version, &asked.with_topics(None)).await;
            assert_eq!(all.topics[0].partitions, std::slice::from_ref(found));
        }
        for version in 8..=9 {
            let asked = OffsetFetchRequestTopics::default()
                .with_name(name("t"))
                .with_partition_indexes(vec![1]);
            let asked = OffsetFetchRequestGroup::default()
                .with_group_id(group("g"))
                .with_topics(Some(vec![asked]));
            let asked = OffsetFetchRequest::default().with_groups(vec![asked]);
            let response = wire.call(version, &asked).await;
            let found = &response.groups[0].topics[0].partitions[0];
            assert_eq!((found.error_code, found.committed_offset), (0, offset));
            assert_eq!(response.groups, all_of(&mut wire, &["g"]).await);
        }
    }
}

#[tokio::test]
async fn groups_are_apart_and_can_be_asked_for_together() {
    let (_broker, mut wire) = start().await;
    assert_eq!(committed(&mut wire, &commit("a", "t", &[0, 2], 1)).await, [0, 0]);
    assert_eq!(committed(&mut wire, &commit("b", "t", &[0], 2)).await, [0]);
    let found = all_of(&mut wire, &["b", "", "a", "nobody"]).await;
    let told: Vec<_> = found.iter().map(|it| (&*it.group_id.0, it.error_code)).collect();
    let invalid = ResponseError::InvalidGroupId.code();
    assert!(told.iter().map(|it| it.1).eq([0, invalid, 0, 0]), "{told:?}");
    assert!(told.iter().map(|it| it.0.to_string()).eq(["b", "", "a", "nobody"]));
    let partitions: Vec<_> = found
        .iter()
        .map(|it| it.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>())
        .collect();
    assert_eq!(partitions, [1, 0, 2, 0]);
    assert_eq!(offsets(&mut wire, "a").await, [(0, 1), (2, 1)]);
    assert_eq!(offsets(&mut wire, "b").await, [(0, 2)]);
}

#[tokio::test]
async fn what_cannot_be_committed_has_the_protocols_code() {
    use ResponseError as E;
    let (_broker, mut wire) = start().await;
    let good = || commit("g", "t", &[0], 1);
    let with_metadata = |bytes: usize| {
        let mut request = good();
        request.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(bytes)));
        request
    };
    let cases = [
        (good(), None),
        (commit("", "t", &[0], 1), Some(E::InvalidGroupId)),
        (commit(&"g".repeat(1025), "t", &[0], 1), Some(E::InvalidGroupId)),
        (commit("g", "u", &[0], 1), Some(E::UnknownTopicOrPartition)),
        (commit("g", "t", &[3], 1), Some(E::UnknownTopicOrPartition)),
        (commit("g", "t", &[-1], 1), Some(E::UnknownTopicOrPartition)),
        (with_metadata(4096), None),
        (with_metadata(4097), Some(E::OffsetMetadataTooLarge)),
        (good().with_generation_id_or_member_epoch(0), Some(E::UnknownMemberId)),
        (good().with_member_id(text("member")), Some(E::UnknownMemberId)),
    ];
    for (at, (request, error)) in cases.into_iter().enumerate() {
        let expected = error.map_or(0, |error| error.code());
        assert_eq!(committed(&mut wire, &request).await, [expected], "case {at}");
    }
    assert_eq!(committed(&mut wire, &commit("g", "t", &[0, 7, 1], 5)).await, [0, UNKNOWN, 0]);
    assert_eq!(offsets(&mut wire, "g").await, [(0, 5), (1, 5)]);
}

#[tokio::test]
async fn what_cannot_be_fetched_has_the_protocols_code() {
    let (_broker, mut wire) = start().await;
    let asked = |topic: &str, indexes: Vec<i32>| {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(name(topic))
            .with_partition_indexes(indexes);
        OffsetFetchRequest::default().with_group_id(group("g")).with_topics(Some(vec![topic]))
    };
    // Nothing is committed there; that there is no such topic is not said, as in Apache Kafka.
    for request in [asked("u", vec![0]), asked("t", vec![3])] {
        let response = wire.call(5, &request).await;
        let found = &response.topics[0].partitions[0];
        assert_eq!((found.error_code, found.committed_offset), (0, -1));
    }
    let invalid = ResponseError::InvalidGroupId.code();
    let nameless = asked("t", vec![0]).with_group_id(group(""));
    assert_eq!(wire.call(5, &nameless).await.error_code, invalid);
    let response = wire.call(1, &nameless).await;
    assert_eq!(response.topics[0].partitions[0].error_code, invalid);
    let too_much = wire.call(5, &asked("t", vec![0; 10_001])).await;
    assert_eq!(too_much.error_code, ResponseError::InvalidRequest.code());
}

#[tokio::test]
async fn offsets_of_a_deleted_topic_are_forgotten() {
    let (mut broker, mut wire) = start().await;
    create(&mut wire, "u", 1).await;
    for topic in ["t", "u"] {
        assert_eq!(committed(&mut wire, &commit("g", topic, &[0], 7)).await, [0]);
    }
    assert_eq!(committed(&mut wire, &commit("gone", "t", &[0], 7)).await, [0]);
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![name("t")]);
    assert_eq!(wire.call(5, &delete).await.responses[0].error_code, 0);
    create(&mut wire, "t", 1).await;
    for _ in 0..2 {
        assert_eq!(offsets(&mut wire, "gone").await, []);
        let found = all_of(&mut wire, &["g"]).await;
        let [topic] = &found[0].topics[..] else { panic!("one topic") };
        assert_eq!(topic.name, name("u"));
        broker.restart().await;
        wire = broker.connect().await;
    }
}

#[tokio::test]
async fn at_the_bound_a_new_offset_is_refused_and_a_known_one_moves_on() {
    let broker = TestBroker::start_with(|config| config.limits.group_offsets = 2).await;
    let mut wire = broker.connect().await;
    create(&mut wire, "t", 3).await;
    let full = ResponseError::InvalidCommitOffsetSize.code();
    assert_eq!(committed(&mut wire, &commit("g", "t", &[0, 0, 1, 2], 1)).await, [0, 0, 0, full]);
    assert_eq!(committed(&mut wire, &commit("h", "t", &[0], 1)).await, [full]);
    assert_eq!(committed(&mut wire, &commit("g", "t", &[1, 2], 2)).await, [0, full]);
    assert_eq!(offsets(&mut wire, "g").await, [(0, 1), (1, 2)]);
    let twice = all_of(&mut wire, &["g", "g"]).await;
    assert_eq!(twice[1].error_code, ResponseError::InvalidRequest.code());
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![name("t")]);
    assert_eq!(wire.call(5, &delete).await.responses[0].error_code, 0);
    create(&mut wire, "t", 3).await;
    assert_eq!(committed(&mut wire, &commit("h", "t", &[0], 1)).await, [0]);
}

/// Commits ever higher offsets until the connection ends; returns the last one acknowledged.
async fn commit_on(addr: String, id: String, first: i64) -> i64 {
    let mut wire = Wire::connect(&addr).await;
    let mut last = first;
    while wire.try_send(9, &commit(&id, "t", &[0], last + 1)).await {
        let Some(_answer) = wire.receive_frame().await else { break };
        last += 1;
    }
    last
}

#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let ids = ["a", "b", "c"];
    let mut acknowledged = [0; 3];
    for round in 0..4 {
        let program = Program::start(dir.path());
        let mut wire = Wire::connect(&program.addr).await;
        if round == 0 {
            create(&mut wire, "t", 1).await;
        }
        let mut committing = JoinSet::new();
        for (at, id) in ids.into_iter().enumerate() {
            let found = offsets(&mut wire, id).await.first().map_or(0, |found| found.1);
            // The commit on its way at the kill may or may not be there.
            assert!((0..=1).contains(&(found - acknowledged[at])), "{found}: {acknowledged:?}");
            let (addr, id) = (program.addr.clone(), id.to_owned());
            committing.spawn(async move { (at, commit_on(addr, id, found).await) });
        }
        let goal = acknowledged[0] + 30;
        eventually(LONG, async || offsets(&mut wire, "a").await.iter().any(|it| it.1 > goal)).await;
        drop(program);
        while let Some(ended) = committing.join_next().await {
            let (at, last) = ended.unwrap();
            acknowledged[at] = last;
        }
    }
}

#[tokio::test]
async fn a_torn_tail_is_dropped_and_other_damage_refuses_the_start() {
    let (mut broker, mut wire) = start().await;
    let file = broker.dir.path().join("group-offsets.log");
    for offset in [1, 2] {
        assert_eq!(committed(&mut wire, &commit("g", "t", &[0], offset)).await, [0]);
    }
    broker.stop().await;
    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    fs::write(&file, damaged).unwrap();
    let started = Broker::start(Config::new(broker.dir.path(), "127.0.0.1:0")).await;
    let Err(StartError::Damaged { file: named, position: 0, .. }) = started else {
        panic!("{started:?}");
    };
    assert_eq!(named, file);
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    broker.restart().await;
    let mut wire = broker.connect().await;
    assert_eq!(offsets(&mut wire, "g").await, [(0, 1)]);
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_committed_until_a_restart() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    create(&mut wire, "t", 300).await;
    // The file cannot be rewritten, which it is when it has grown by 1 MiB.
    let in_the_way = broker.dir.path().join("group-offsets.log~");
    fs::create_dir(&in_the_way).unwrap();
    let mut large = commit("g", "t", &Vec::from_iter(0..300), 1);
    for partition in &mut large.topics[0].partitions {
        partition.committed_metadata = Some(text(&"x".repeat(4096)));
    }
    assert_eq!(committed(&mut wire, &large).await, [0; 300]);
    let failed = ResponseError::CoordinatorNotAvailable.code();
    assert_eq!(committed(&mut wire, &commit("g", "t", &[0], 2)).await, [failed]);
    assert_eq!(offsets(&mut wire, "g").await[0], (0, 1));
    fs::remove_dir(&in_the_way).unwrap();
    let mut broker = broker;
    broker.restart().await;
    let mut wire = broker.connect().await;
    assert_eq!(offsets(&mut wire, "g").await.len(), 300);
    assert_eq!(committed(&mut wire, &commit("g", "t", &[0], 2)).await, [0]);
}

#[tokio::test]
async fn the_file_does_not_grow_with_the_commits() {
    let (broker, mut wire) = start().await;
    let file = broker.dir.path().join("group-offsets.log");
    let mut large = commit("g", "t", &[0, 1, 2], 1);
    for partition in &mut large.topics[0].partitions {
        partition.committed_metadata = Some(text(&"x".repeat(4096)));
    }
    for _ in 0..200 {
        assert_eq!(committed(&mut wire, &large).await, [0; 3]);
    }
    let bytes = fs::metadata(file).unwrap().len();
    assert!(bytes < (1 << 20) + 50_000, "{bytes}");
}
