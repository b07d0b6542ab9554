//! Groups as clients look them up.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, GroupId, ListGroupsRequest, OffsetCommitRequest,
};

use crate::support::{TestBroker, Wire, name, text};

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

async fn with_groups(ids: &[&str]) -> (TestBroker, Wire) {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.create_topic("t", &[]).await;
    for id in ids {
        let partitions = vec![OffsetCommitRequestPartition::default()];
        let topic =
            OffsetCommitRequestTopic::default().with_name(name("t")).with_partitions(partitions);
        let request =
            OffsetCommitRequest::default().with_group_id(group(id)).with_topics(vec![topic]);
        assert_eq!(wire.call(9, &request).await.topics[0].partitions[0].error_code, 0);
    }
    (broker, wire)
}

#[tokio::test]
async fn this_node_coordinates_every_group_and_nothing_else() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    let here: (&str, i32) =
        ("127.0.0.1", broker.addr().split_once(':').unwrap().1.parse().unwrap());
    let no_transactions = ResponseError::TransactionalIdAuthorizationFailed.code();
    let invalid = ResponseError::InvalidRequest.code();
    for version in 0..=3 {
        let request = FindCoordinatorRequest::default().with_key(text("g"));
        let found = wire.call(version, &request).await;
        assert_eq!((found.error_code, *found.node_id), (0, 1));
        assert_eq!((&*found.host, found.port), here);
        for (key_type, error) in [(1, no_transactions), (2, invalid)] {
            if version > 0 {
                let found = wire.call(version, &request.clone().with_key_type(key_type)).await;
                assert_eq!((found.error_code, *found.node_id), (error, -1));
            }
        }
    }
    for (key_type, error, node) in [(0, 0, 1), (1, no_transactions, -1), (2, invalid, -1)] {
        let request = FindCoordinatorRequest::default()
            .with_key_type(key_type)
            .with_coordinator_keys(vec![text("g"), text("h")]);
        let found = wire.call(4, &request).await.coordinators;
        assert_eq!((&*found[0].key, &*found[1].key), ("g", "h"));
        for found in found {
            assert_eq!((found.error_code, *found.node_id), (error, node));
            if error == 0 {
                assert_eq!((&*found.host, found.port), here);
            }
        }
    }
}

#[tokio::test]
async fn groups_that_committed_are_listed_in_every_version() {
    let (_broker, mut wire) = with_groups(&["b", "a"]).await;
    for version in 0..=5 {
        let listed = wire.call(version, &ListGroupsRequest::default()).await;
        assert_eq!(listed.error_code, 0);
        assert!(listed.groups.iter().map(|it| &*it.group_id.0).eq(["a", "b"]));
    }
    let cases: [(&[&str], &[&str], usize); 5] = [
        (&["empty"], &[], 2),
        (&["Stable", "Empty"], &["Classic"], 2),
        (&["Stable"], &[], 0),
        (&[], &["consumer"], 0),
        (&[], &["consumer", "classic"], 2),
    ];
    for (states, types, expected) in cases {
        let request = ListGroupsRequest::default()
            .with_states_filter(states.iter().map(|it| text(it)).collect())
            .with_types_filter(types.iter().map(|it| text(it)).collect());
        assert_eq!(wire.call(5, &request).await.groups.len(), expected, "{states:?} {types:?}");
    }
}

#[tokio::test]
async fn a_group_is_described_without_members_in_every_version() {
    let (_broker, mut wire) = with_groups(&["a"]).await;
    for version in 0..=5 {
        let request =
            DescribeGroupsRequest::default().with_groups(vec![group("a"), group("nobody")]);
        let groups = wire.call(version, &request).await.groups;
        let told: Vec<_> = groups.iter().map(|it| (&*it.group_state, it.error_code)).collect();
        assert_eq!(told, [("Empty", 0), ("Dead", 0)]);
        assert!(groups.iter().all(|it| it.members.is_empty()));
    }
}
