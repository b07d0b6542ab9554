//! Brokers that accept a connection and then do not do what a broker does.

use std::time::Duration;

use kafka::{
    ClusterConfig, Error, FetchError, Lane, ProduceError, Reader, TopicsConfig, TopicsError, Wait,
    WriterConfig, ensure,
};
use models::{Offset, Partition, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::support::{LONG, MIB, cluster, eventually, record, soon, writer};
use crate::wire::no_versions;

#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Reads what it is sent, and never answers.
    Silent,
    /// Closes every connection.
    Closes,
    /// Answers what is no answer.
    Babbles,
    /// Says that it speaks no version of anything.
    SpeaksNothing,
}

pub(crate) const TIMEOUT: Duration = Duration::from_millis(300);

/// A bad broker; requests to it time out soon.
async fn bad_broker(manner: Manner) -> ClusterConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(manner, stream));
        }
    });
    ClusterConfig { request_timeout: TIMEOUT, ..cluster(&addr) }
}

pub(crate) async fn silent_broker() -> ClusterConfig {
    bad_broker(Manner::Silent).await
}

async fn behave(manner: Manner, mut stream: TcpStream) {
    if matches!(manner, Manner::Closes) {
        return;
    }
    let mut request = [0; 1024];
    while stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        let answered = match manner {
            Manner::Silent | Manner::Closes => Ok(()),
            Manner::Babbles => stream.write_all(&[0xff; 64]).await,
            Manner::SpeaksNothing => stream.write_all(&no_versions(1)).await,
        };
        if answered.is_err() {
            return;
        }
    }
}

const ALL: [Manner; 4] = [Manner::Silent, Manner::Closes, Manner::Babbles, Manner::SpeaksNothing];

#[tokio::test]
async fn a_send_is_answered_at_its_deadline() {
    for manner in ALL {
        let cluster = bad_broker(manner).await;
        let (writer, _task) = writer(cluster, "t", WriterConfig::default());
        for deadline in [Duration::from_millis(100), Duration::from_millis(1_000)] {
            let began = Instant::now();
            let late = writer.produce(record("late"), Lane::Single, began + deadline).await;
            assert!(
                matches!(late, Err(ProduceError::DeadlinePassed { .. })),
                "{manner:?} {late:?}"
            );
            let took = began.elapsed();
            assert!(took >= deadline && took < deadline + Duration::from_secs(1), "{took:?}");
        }
        // Nothing piles up.
        eventually(soon(), async || writer.waiting() == (0, 0)).await;
    }
}

#[tokio::test]
async fn many_sends_to_a_silent_broker_are_all_answered_and_the_queue_stays_bounded() {
    let cluster = bad_broker(Manner::Silent).await;
    let (writer, task) = writer(cluster, "t", WriterConfig { max_queued_bytes: 10_000 });
    let deadline = Instant::now() + Duration::from_millis(500);
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let writer = writer.clone();
        sends.spawn(async move { writer.produce(record("late"), Lane::Single, deadline).await });
    }
    let (mut busy, mut late) = (0, 0);
    for result in tokio::time::timeout(LONG, sends.join_all()).await.unwrap() {
        match result {
            Err(ProduceError::Busy) => busy += 1,
            Err(ProduceError::DeadlinePassed { .. }) => late += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(busy > 0 && late > 0 && busy + late == 1_000, "{busy} {late}");
    writer.close();
    tokio::time::timeout(LONG, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_fetch_fails_in_time_and_names_the_broker() {
    for manner in [Manner::Silent, Manner::Closes, Manner::Babbles] {
        let cluster = bad_broker(manner).await;
        let addr = cluster.brokers[0].clone();
        let mut reader = Reader::new(cluster, "t", Partition(0));
        let began = Instant::now();
        let error = reader.fetch(Offset(0), MIB, Wait::ForRecords).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(3), "{manner:?} {:?}", began.elapsed());
        assert!(matches!(error, FetchError::Unavailable(_)), "{manner:?} {error}");
        assert!(error.to_string().contains(&addr), "{manner:?}: {error}");
        assert!(reader.bounds().await.is_err());
    }
}

#[tokio::test]
async fn topics_cannot_be_made_and_only_other_versions_are_final() {
    for (manner, is_retriable) in [
        (Manner::Silent, true),
        (Manner::Closes, true),
        (Manner::Babbles, true),
        (Manner::SpeaksNothing, false),
    ] {
        let cluster = bad_broker(manner).await;
        let config =
            TopicsConfig { topic: "n".into(), partitions_at_creation: 6, partitioner: None };
        let now = Timestamp::from_ms_clamped(0);
        let began = Instant::now();
        let Err(TopicsError::Unavailable(error)) = ensure(&cluster, &config, &[], now).await else {
            panic!("{manner:?}");
        };
        assert!(began.elapsed() < Duration::from_secs(3), "{manner:?} {:?}", began.elapsed());
        assert_eq!(error.is_retriable(), is_retriable, "{manner:?}: {error}");
    }
}

#[tokio::test]
async fn a_silent_broker_is_a_timeout() {
    let cluster = bad_broker(Manner::Silent).await;
    let mut reader = Reader::new(cluster, "t", Partition(0));
    let error = reader.bounds().await.unwrap_err();
    let Error::Unreachable { source, .. } = error else { panic!("{error}") };
    assert!(matches!(*source, Error::Timeout { after: TIMEOUT, .. }), "{source}");
}
