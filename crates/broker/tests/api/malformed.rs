//! Bytes that are no request end their connection, and nothing else.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};
use tokio::io::AsyncWriteExt;

use crate::support::{TestBroker, batch, encode, produce};

/// A request header with this key and version, and a body.
fn frame(key: i16, version: i16, flexible: bool, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(1);
    frame.put_i16(-1);
    if flexible {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    frame.freeze()
}

fn cases() -> Vec<(&'static str, Bytes)> {
    let whole = encode(9, 1, &produce("t", batch(&["value"])));
    let huge = [0x7f, 0xff, 0xff, 0xff];
    let huge_compact = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let many = [&[0x00, 0x0f, 0xff, 0xff][..], &[0; 4_000_000]].concat();
    vec![
        ("nothing", Bytes::new()),
        ("half a header", Bytes::from_static(&[0, 3, 0])),
        ("no such request", frame(9_999, 0, false, &[])),
        ("a negative key", frame(-1, 0, false, &[])),
        ("a version too high", frame(3, 99, true, &[])),
        ("a version too low", frame(0, 2, false, &[])),
        ("a negative version", frame(3, -1, false, &[])),
        ("a client id that is not there", Bytes::from_static(&[0, 3, 0, 1, 0, 0, 0, 1, 0, 9])),
        ("a client id of a wrong length", Bytes::from_static(&[0, 3, 0, 1, 0, 0, 0, 1, 0x80, 0])),
        ("a huge array", frame(3, 1, false, &huge)),
        ("a huge compact array", frame(3, 9, true, &huge_compact)),
        ("a varint without end", frame(3, 9, true, &[0xff; 9])),
        ("a million empty items", frame(3, 1, false, &many)),
        ("many tags in the header", frame(3, 9, false, &huge_compact)),
        ("many tags in the body", frame(3, 9, true, &[0, 0, 0, 0, 0xff, 0xff, 0x03])),
        ("a topic that is not text", frame(3, 1, false, &[0, 0, 0, 1, 0, 1, 0xff])),
        ("records that are not there", frame(0, 3, false, &[0xff, 0xff, 0, 1, 0, 0, 0, 9])),
        ("half a produce", Bytes::copy_from_slice(&whole[..whole.len() / 2])),
    ]
}

async fn check_alive(broker: &TestBroker) {
    let mut other = broker.connect().await;
    let request = MetadataRequest::default().with_topics(None);
    assert_eq!(other.call(12, &request).await.brokers.len(), 1);
}

#[tokio::test]
async fn a_frame_that_is_no_request_closes_its_connection_only() {
    let broker = TestBroker::start().await;
    let mut bystander = broker.connect().await;
    for (case, frame) in cases() {
        let mut wire = broker.connect().await;
        wire.send_frame(&frame).await;
        assert_eq!(wire.receive_frame().await, None, "{case}");
        check_alive(&broker).await;
    }
    bystander.call(3, &ApiVersionsRequest::default()).await;
}

#[tokio::test]
async fn a_length_that_is_none_closes_its_connection_only() {
    let broker = TestBroker::start().await;
    let starts: [&[u8]; 4] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x01, 0x00, 0x00, 0x01],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for start in starts {
        let mut wire = broker.connect().await;
        wire.stream.write_all(start).await.unwrap();
        assert_eq!(wire.receive_frame().await, None, "{start:?}");
        check_alive(&broker).await;
    }
}

#[tokio::test]
async fn a_client_that_goes_halfway_through_a_request_is_no_trouble() {
    let broker = TestBroker::start().await;
    let mut wire = broker.connect().await;
    wire.stream.write_all(&[0, 0, 1, 0, 0, 3]).await.unwrap();
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.receive_frame().await, None);
    check_alive(&broker).await;
}
