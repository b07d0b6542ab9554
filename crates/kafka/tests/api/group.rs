//! Offsets that a group commits.

use std::time::Duration;

use kafka::{Error, GroupOffsets};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use models::{Offset, Partition};
use tokio::time::Instant;

use crate::bad_brokers::{TIMEOUT, silent_broker};
use crate::coordinator::Mishap;
use crate::fake::Fake;

const COORDINATOR_LOADING: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const UNKNOWN_MEMBER: i16 = 25;
const TEXT_TOO_LARGE: i16 = 12;

fn offsets(fake: &Fake) -> GroupOffsets {
    GroupOffsets::new(fake.cluster(), "g", "t")
}

fn place(partition: i32, offset: i64) -> (Partition, Offset, String) {
    (Partition(partition), Offset(offset), format!("text of {partition}"))
}

fn partitions(numbers: &[i32]) -> Vec<Partition> {
    numbers.iter().map(|it| Partition(*it)).collect()
}

/// Kinds of requests about groups so far.
fn requests(fake: &Fake) -> Vec<ApiKey> {
    fake.served().requests.iter().map(|(key, _)| *key).collect()
}

#[tokio::test]
async fn what_is_committed_is_found_again_in_every_version() {
    for is_old in [false, true] {
        let fake = Fake::start().await;
        fake.served().group.is_old = is_old;
        let mut group = offsets(&fake);
        assert_eq!(group.fetch(&partitions(&[0, 1])).await.unwrap(), [None, None]);
        group.commit(&[place(0, 0), place(2, 7)]).await.unwrap();
        group.commit(&[place(2, 8)]).await.unwrap();
        let found = group.fetch(&partitions(&[2, 1, 0])).await.unwrap();
        let of = |partition, offset| Some((Offset(offset), format!("text of {partition}")));
        assert_eq!(found, [of(2, 8), None, of(0, 0)], "in the order asked");
        let versions: Vec<_> = fake.served().requests.clone();
        let expected = if is_old { [3, 1, 2] } else { [6, 9, 9] };
        let kinds = [ApiKey::FindCoordinator, ApiKey::OffsetFetch, ApiKey::OffsetCommit];
        let expected: Vec<_> = kinds.into_iter().zip(expected).collect();
        assert_eq!(versions[..3], expected[..]);
        assert_eq!(versions.len(), 5, "the coordinator is looked up once");
    }
}

#[tokio::test]
async fn nothing_to_do_asks_nobody() {
    let fake = Fake::start().await;
    offsets(&fake).commit(&[]).await.unwrap();
    assert_eq!(offsets(&fake).fetch(&[]).await.unwrap(), []);
    assert_eq!(requests(&fake), []);
}

#[tokio::test]
async fn after_an_error_the_coordinator_is_looked_up_again() {
    use ApiKey::{FindCoordinator, OffsetCommit, OffsetFetch};
    for is_old in [false, true] {
        for mishap in [
            (FindCoordinator, Mishap::Code(COORDINATOR_NOT_AVAILABLE)),
            (OffsetCommit, Mishap::Code(NOT_COORDINATOR)),
            (OffsetCommit, Mishap::Code(COORDINATOR_LOADING)),
            (OffsetCommit, Mishap::HangsUp),
            (OffsetCommit, Mishap::LeavesOut),
        ] {
            let fake = Fake::start().await;
            fake.served().group.is_old = is_old;
            fake.served().group.mishaps.push_back(mishap);
            let mut group = offsets(&fake);
            let error = group.commit(&[place(0, 1), place(1, 1)]).await.unwrap_err();
            assert!(error.is_retriable(), "{mishap:?}: {error}");
            group.commit(&[place(0, 2)]).await.unwrap();
            for mishap in [Mishap::Code(NOT_COORDINATOR), Mishap::HangsUp, Mishap::LeavesOut] {
                fake.served().group.mishaps.push_back((OffsetFetch, mishap));
                let before = requests(&fake).len();
                let error = group.fetch(&partitions(&[0, 1])).await.unwrap_err();
                assert!(error.is_retriable(), "{mishap:?}: {error}");
                let found = group.fetch(&partitions(&[0])).await.unwrap();
                assert_eq!(found[0].as_ref().map(|it| it.0), Some(Offset(2)));
                let since = requests(&fake).split_off(before);
                assert_eq!(since, [OffsetFetch, FindCoordinator, OffsetFetch], "{mishap:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_coordinator_refuses_is_told_with_its_code() {
    for (number, expected) in [
        (UNKNOWN_MEMBER, ResponseError::UnknownMemberId),
        (TEXT_TOO_LARGE, ResponseError::OffsetMetadataTooLarge),
    ] {
        let fake = Fake::start().await;
        fake.served().group.mishaps.push_back((ApiKey::OffsetCommit, Mishap::Code(number)));
        let error = offsets(&fake).commit(&[place(0, 1)]).await.unwrap_err();
        assert!(!error.is_retriable());
        let Error::Answer { call, code, .. } = error else { panic!("{error}") };
        assert_eq!((call.as_str(), code), ("commit offsets of t for group g", expected));
        assert!(fake.served().group.committed.is_empty());
    }
}

#[tokio::test]
async fn a_silent_coordinator_is_a_timeout_in_time() {
    let mut group = GroupOffsets::new(silent_broker().await, "g", "t");
    let began = Instant::now();
    assert!(group.commit(&[place(0, 1)]).await.unwrap_err().is_retriable());
    assert!(group.fetch(&partitions(&[0])).await.unwrap_err().is_retriable());
    assert!(began.elapsed() < 2 * TIMEOUT + Duration::from_secs(1), "{:?}", began.elapsed());
}
