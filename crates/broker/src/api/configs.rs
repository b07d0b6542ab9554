//! DescribeConfigs: the configs of topics, and the few of the broker.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::{Context, NODE_ID, str_bytes};
use crate::topic_config::Described;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Where a value comes from, as the protocol numbers it.
pub(super) const FROM_TOPIC: i8 = 1;
pub(super) const FROM_DEFAULT: i8 = 5;

pub(super) fn describe(
    context: &Context,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|it| resource(context, it));
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn resource(context: &Context, asked: &DescribeConfigsResource) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(asked.resource_type)
        .with_resource_name(asked.resource_name.clone());
    match known(context, asked) {
        Ok(configs) => {
            let wanted = configs.iter().filter(|config| is_wanted(asked, config.name));
            result.with_configs(wanted.map(config_result).collect())
        }
        Err(error) => result
            .with_error_code(error.code())
            .with_error_message(Some(str_bytes(&error.to_string()))),
    }
}

fn known(
    context: &Context,
    asked: &DescribeConfigsResource,
) -> Result<Vec<Described>, ResponseError> {
    match asked.resource_type {
        TOPIC => {
            let topic = context.shared.catalog.topic(&asked.resource_name);
            let topic = topic.ok_or(ResponseError::UnknownTopicOrPartition)?;
            Ok(topic.overrides.describe())
        }
        BROKER if *asked.resource_name == *NODE_ID.to_string() => Ok(vec![Described {
            name: "auto.create.topics.enable",
            value: false.to_string(),
            is_default: true,
            config_type: 1,
        }]),
        _ => Err(ResponseError::InvalidRequest),
    }
}

fn is_wanted(asked: &DescribeConfigsResource, name: &str) -> bool {
    let keys = asked.configuration_keys.as_ref();
    // An empty list means all, as null does.
    keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| &**key == name))
}

fn config_result(config: &Described) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(str_bytes(config.name))
        .with_value(Some(str_bytes(&config.value)))
        .with_read_only(true)
        .with_config_source(source(config))
        .with_config_type(config.config_type)
}

pub(super) fn source(config: &Described) -> i8 {
    if config.is_default { FROM_DEFAULT } else { FROM_TOPIC }
}
