//! ApiVersions: which requests the broker knows (KIP-35, KIP-511).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};

use crate::request::{APIS, Api};

pub(super) fn answer(known_version: bool) -> ApiVersionsResponse {
    let error_code = if known_version { 0 } else { ResponseError::UnsupportedVersion.code() };
    ApiVersionsResponse::default()
        .with_error_code(error_code)
        .with_api_keys(APIS.iter().map(version).collect())
}

fn version(api: &Api) -> ApiVersion {
    // librdkafka turns compression off unless Produce 0 is named, so Apache Kafka 4 names it as well
    // (KAFKA-18659), and like here refuses it when it comes.
    let is_produce = api.key as i16 == ApiKey::Produce as i16;
    ApiVersion::default()
        .with_api_key(api.key as i16)
        .with_min_version(if is_produce { 0 } else { api.min })
        .with_max_version(api.max)
}
