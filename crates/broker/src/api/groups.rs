//! Groups as clients look them up: FindCoordinator, ListGroups, DescribeGroups. A group is a name under
//! which offsets are committed; it has no members.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    BrokerId, DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, GroupId, ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{Context, NODE_ID, str_bytes};
use crate::endpoint::Endpoint;

/// The longest group id. Apache Kafka has no bound of its own. Larger: each committed offset may take that
/// much more memory. Smaller: clients that make long ids are refused.
const GROUP_ID_BYTES: usize = 1024;

/// What is looked for, as the protocol numbers it.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// The state of a group without members, and of one that is not there.
const EMPTY: &str = "Empty";
const DEAD: &str = "Dead";

const CLASSIC: &str = "classic";

/// Whether a group may have this id.
pub(super) fn check_id(group: &str) -> Result<(), ResponseError> {
    let legal = (1..=GROUP_ID_BYTES).contains(&group.len());
    legal.then_some(()).ok_or(ResponseError::InvalidGroupId)
}

/// This node coordinates every group.
pub(super) fn find_coordinator(
    context: &Context,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let found = coordinator(context, request.key_type);
    if version >= 4 {
        let keys = request.coordinator_keys.into_iter();
        let coordinators = keys.map(|key| found.clone().with_key(key)).collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(found.error_message)
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

fn coordinator(context: &Context, key_type: i8) -> Coordinator {
    let error = match key_type {
        GROUP => {
            let Endpoint { host, port } = context.endpoint();
            return Coordinator::default()
                .with_error_message(None)
                .with_node_id(BrokerId(NODE_ID))
                .with_host(str_bytes(&host))
                .with_port(i32::from(port));
        }
        // The answer that ends a transactional producer, as InitProducerId has it.
        TRANSACTION => ResponseError::TransactionalIdAuthorizationFailed,
        _ => ResponseError::InvalidRequest,
    };
    Coordinator::default()
        .with_error_code(error.code())
        .with_error_message(Some(str_bytes(&error.to_string())))
        .with_node_id(BrokerId(-1))
        .with_port(-1)
}

pub(super) fn list(context: &Context, request: &ListGroupsRequest) -> ListGroupsResponse {
    let wanted =
        is_wanted(&request.states_filter, EMPTY) && is_wanted(&request.types_filter, CLASSIC);
    let names = if wanted { context.shared.offsets.groups() } else { Vec::new() };
    let listed = |name: &String| {
        ListedGroup::default()
            .with_group_id(GroupId(str_bytes(name)))
            .with_group_state(str_bytes(EMPTY))
            .with_group_type(str_bytes(CLASSIC))
    };
    ListGroupsResponse::default().with_groups(names.iter().map(listed).collect())
}

/// An empty filter lets everything through.
fn is_wanted(filter: &[StrBytes], word: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(word))
}

pub(super) fn describe(
    context: &Context,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let state = if context.shared.offsets.has_group(&group) { EMPTY } else { DEAD };
        groups.push(
            DescribedGroup::default().with_group_id(group).with_group_state(str_bytes(state)),
        );
    }
    DescribeGroupsResponse::default().with_groups(groups)
}
