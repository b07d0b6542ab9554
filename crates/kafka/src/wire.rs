//! A small client of the Kafka protocol, for what the library lacks.
//!
//! One connection, one request at a time, each under a deadline, without Nagle's delay.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::{ClusterConfig, Error};

/// The largest answer that is read. Larger, and a broken broker can make us allocate that much;
/// smaller, and the metadata of a large cluster no longer fits.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// How long a connection may lie idle and be used again. Brokers close idle connections after ten
/// minutes (`connections.max.idle.ms`), and the request that finds out has failed.
pub(crate) const IDLE: Duration = Duration::from_secs(4 * 60);

/// How long a broker may take to accept a connection, and again to say what it speaks, which costs it
/// nothing. Larger, and after an outage the tries that began during it hold up recovery; smaller,
/// and a broker behind a slow line is never reached.
const GREETING_TIMEOUT: Duration = Duration::from_millis(700);

/// A connection to one broker. After any error it is of no more use.
pub(crate) struct Connection {
    stream: TcpStream,
    address: String,
    client_id: StrBytes,
    timeout: Duration,
    versions: HashMap<i16, (i16, i16)>,
    correlation_id: i32,
    used: Instant,
}

/// Connects to the first configured broker that answers.
pub(crate) async fn connect(cluster: &ClusterConfig) -> Result<Connection, Error> {
    let brokers = || cluster.brokers.join(",");
    let mut last = Error::Malformed { call: "connect".into(), reason: "no broker given".into() };
    for address in &cluster.brokers {
        match Connection::open(address, cluster).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(Error::Unreachable { brokers: brokers(), source: Box::new(last) })
}

impl Connection {
    pub(crate) async fn open(address: &str, cluster: &ClusterConfig) -> Result<Self, Error> {
        let timeout = cluster.request_timeout.min(GREETING_TIMEOUT);
        let connecting = TcpStream::connect(address);
        let stream = within(timeout, &format!("connect to {address}"), async {
            let stream = connecting.await.map_err(broken(address))?;
            stream.set_nodelay(true).map_err(broken(address))?;
            Ok(stream)
        })
        .await?;
        let mut connection = Self {
            stream,
            address: address.to_owned(),
            client_id: StrBytes::from_string(cluster.client_id.clone()),
            timeout: cluster.request_timeout,
            versions: HashMap::new(),
            correlation_id: 0,
            used: Instant::now(),
        };
        connection.learn_versions(timeout).await?;
        Ok(connection)
    }

    /// Every broker since 0.10 answers version 0 of ApiVersions (KIP-35).
    async fn learn_versions(&mut self, timeout: Duration) -> Result<(), Error> {
        let request = ApiVersionsRequest::default();
        let answer: ApiVersionsResponse = self.exchange(&request, 0, timeout).await?;
        refused("ApiVersions", answer.error_code, None)?;
        let range = |v: &kafka_protocol::messages::api_versions_response::ApiVersion| {
            (v.api_key, (v.min_version, v.max_version))
        };
        self.versions = answer.api_keys.iter().map(range).collect();
        Ok(())
    }

    /// Sends a request in the highest version both sides speak, and reads its answer.
    ///
    /// # Cancel safety
    /// Cancelled, the connection is of no more use.
    pub(crate) async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, Error> {
        self.call_within(request, R::VERSIONS.max, self.timeout).await
    }

    /// As [`Connection::call`], in a version up to `max`, and for requests that the broker itself
    /// may sit on for a while.
    pub(crate) async fn call_within<R: Request>(
        &mut self,
        request: &R,
        max: i16,
        timeout: Duration,
    ) -> Result<R::Response, Error> {
        let version = self.version::<R>(max)?;
        self.exchange(request, version, timeout).await
    }

    /// Whether it lay idle for so long that the broker may have closed it.
    pub(crate) fn is_idle(&self) -> bool {
        self.used.elapsed() >= IDLE
    }

    /// The highest version of a request, up to `max`, that both sides speak.
    pub(crate) fn version<R: Request>(&self, max: i16) -> Result<i16, Error> {
        let min = R::VERSIONS.min;
        let (theirs_min, theirs_max) = self.versions.get(&R::KEY).copied().unwrap_or((1, 0));
        let version = max.min(theirs_max);
        if version < min.max(theirs_min) {
            let call = format!("{} at {}", name::<R>(), self.address);
            return Err(Error::Version { call, min, max });
        }
        Ok(version)
    }

    async fn exchange<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<R::Response, Error> {
        let call = format!("{} to {}", name::<R>(), self.address);
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(self.client_id.clone()));
        let frame = frame(&header, request, version).map_err(malformed(&call))?;
        let mut answer = within(timeout, &call, async {
            self.stream.write_all(&frame).await.map_err(broken(&self.address))?;
            read_frame(&mut self.stream, &self.address).await
        })
        .await?;
        self.used = Instant::now();
        let answer_header = R::Response::header_version(version);
        let header =
            ResponseHeader::decode(&mut answer, answer_header).map_err(malformed(&call))?;
        if header.correlation_id != self.correlation_id {
            return Err(malformed(&call)("another request's answer"));
        }
        R::Response::decode(&mut answer, version).map_err(malformed(&call))
    }
}

fn frame<R: Request>(
    header: &RequestHeader,
    request: &R,
    version: i16,
) -> Result<BytesMut, Box<dyn std::error::Error + Send + Sync>> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version))?;
    request.encode(&mut frame, version)?;
    let length = i32::try_from(frame.len() - 4)?.to_be_bytes();
    if let Some(place) = frame.first_chunk_mut() {
        *place = length;
    }
    Ok(frame)
}

async fn read_frame(stream: &mut TcpStream, address: &str) -> Result<Bytes, Error> {
    let length = stream.read_i32().await.map_err(broken(address))?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_ANSWER_BYTES);
    let Some(length) = length else {
        let reason = "its length is out of bounds".to_owned();
        return Err(Error::Malformed { call: format!("a request to {address}"), reason });
    };
    let mut answer = BytesMut::with_capacity(length).limit(length);
    while answer.has_remaining_mut() {
        if stream.read_buf(&mut answer).await.map_err(broken(address))? == 0 {
            return Err(broken(address)(std::io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(answer.into_inner().freeze())
}

/// `host:port`, as a broker says them apart.
pub(crate) fn host_and_port(host: &str, port: i32) -> String {
    // An IPv6 address.
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The name of a request, for errors.
fn name<R: Request>() -> String {
    ApiKey::try_from(R::KEY).map_or_else(|()| R::KEY.to_string(), |key| format!("{key:?}"))
}

/// Runs a call under a deadline.
pub(crate) async fn within<T>(
    timeout: Duration,
    call: &str,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(timeout, future).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout { call: call.to_owned(), after: timeout }),
    }
}

/// Turns an error code in an answer into an error.
pub(crate) fn refused(call: &str, code: i16, message: Option<StrBytes>) -> Result<(), Error> {
    match code.err() {
        None => Ok(()),
        Some(code) => Err(Error::Answer {
            call: call.to_owned(),
            code,
            message: message.map(|text| text.to_string()),
        }),
    }
}

fn broken(address: &str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Connection { address: address.to_owned(), source }
}

fn malformed<E: Display>(call: &str) -> impl Fn(E) -> Error {
    move |reason| Error::Malformed { call: call.to_owned(), reason: reason.to_string() }
}
