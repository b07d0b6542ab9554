//! Quotas on producing: DescribeClientQuotas (KIP-546).

use kafka_protocol::messages::DescribeClientQuotasRequest;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_client_quotas_response::EntityData;
use kafka_protocol::protocol::StrBytes;

use crate::wire::{self, refused};
use crate::{ClusterConfig, Error};

/// A limit on how much a client may produce.
#[derive(Clone, Debug, PartialEq)]
pub struct ProduceQuota {
    /// Whom it is for, as `client-id=kafka-notify-producer`; a default has `<default>`.
    pub entity: String,
    /// Bytes a second, for each broker.
    pub bytes_per_second: f64,
}

/// How an entity is matched.
const EXACTLY: i8 = 0;
const THE_DEFAULT: i8 = 1;

const CLIENT_ID: &str = "client-id";
const PRODUCE_RATE: &str = "producer_byte_rate";

/// The quotas on what this client id produces, its own and the default one. `None` where the broker
/// does not tell: the request is not of its protocol, or not allowed.
///
/// # Errors
/// The cluster could not be asked.
pub async fn produce_quotas(
    cluster: &ClusterConfig,
    client_id: &str,
) -> Result<Option<Vec<ProduceQuota>>, Error> {
    let mut connection = wire::connect(cluster).await?;
    let own = ComponentData::default()
        .with_entity_type(StrBytes::from_static_str(CLIENT_ID))
        .with_match_type(EXACTLY)
        .with_match(Some(StrBytes::from_string(client_id.to_owned())));
    let default = ComponentData::default()
        .with_entity_type(StrBytes::from_static_str(CLIENT_ID))
        .with_match_type(THE_DEFAULT)
        .with_match(None);
    let mut quotas = Vec::new();
    for component in [own, default] {
        let request = DescribeClientQuotasRequest::default()
            .with_components(vec![component])
            .with_strict(false);
        let answer = match connection.call(&request).await {
            Ok(answer) => answer,
            Err(Error::Version { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match refused("DescribeClientQuotas", answer.error_code, answer.error_message) {
            Ok(()) => {}
            Err(Error::Answer { code, .. }) if !code.is_retriable() => return Ok(None),
            Err(error) => return Err(error),
        }
        for entry in answer.entries.unwrap_or_default() {
            let name = |entity: &EntityData| {
                let name = entity.entity_name.as_deref().unwrap_or("<default>");
                format!("{}={name}", &*entity.entity_type)
            };
            let entity = entry.entity.iter().map(name).collect::<Vec<_>>().join(" ");
            let rates = entry.values.iter().filter(|value| &*value.key == PRODUCE_RATE);
            quotas.extend(
                rates.map(|rate| ProduceQuota {
                    entity: entity.clone(),
                    bytes_per_second: rate.value,
                }),
            );
        }
    }
    Ok(Some(quotas))
}
