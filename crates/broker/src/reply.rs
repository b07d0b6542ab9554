//! A response, encoded.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use tokio::sync::OwnedSemaphorePermit;

use crate::request::Head;

/// What is written back for one request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A frame with its length, and the memory it was granted.
    Frame { frame: Bytes, memory: Option<OwnedSemaphorePermit> },
    /// The request wants no response (acks=0).
    Nothing,
    /// The request wants no response and failed. Closing tells the client that something is wrong, as
    /// Apache Kafka does.
    Close,
}

impl Reply {
    pub(crate) fn encode<R>(head: Head, response: &R) -> anyhow::Result<Reply>
    where
        R: Encodable + HeaderVersion,
    {
        let header_version = R::header_version(head.version);
        let header = ResponseHeader::default().with_correlation_id(head.correlation_id);
        let bytes = header.compute_size(header_version)? + response.compute_size(head.version)?;
        let mut frame = BytesMut::with_capacity(4 + bytes);
        frame.put_i32(i32::try_from(bytes)?);
        header.encode(&mut frame, header_version)?;
        response.encode(&mut frame, head.version)?;
        Ok(Reply::Frame { frame: frame.freeze(), memory: None })
    }

    /// Keeps granted memory until the response is written.
    pub(crate) fn holding(self, granted: Option<OwnedSemaphorePermit>) -> Reply {
        match self {
            Reply::Frame { frame, .. } => Reply::Frame { frame, memory: granted },
            other @ (Reply::Nothing | Reply::Close) => other,
        }
    }
}
