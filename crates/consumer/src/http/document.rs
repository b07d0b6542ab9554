//! The document of `GET /openapi.json`: what the routes take, and what else they answer.

use std::collections::BTreeMap;

use models::schema;
use service::ProblemDocument;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, OpenApi, PartialSchema, ToSchema};

use super::actions::MAX_IDS;

/// All routes of this service but those that every service has.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "kafka-notify consumer",
        description = "Inboxes: pages, commands, counts, exports, streams. The tutorial's route is kept as it is."
    ),
    paths(
        super::notifications::newest,
        super::send::send,
        super::partitions::list,
        super::list::list,
        super::one::one,
        super::one::change,
        super::one::delete,
        super::actions::act,
        super::counts::counts,
        super::export::export,
        super::stream::stream,
        super::ws::ws
    )
)]
pub(super) struct Api;

const UUID: &str = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";

/// 44 characters: what a position is as text.
const POSITION: &str = "^[A-Za-z0-9_-]{44}$";

/// A user id in a path.
pub(super) struct UserIdText;

/// A notification's id.
pub(super) struct NotificationIdText;

/// A query parameter is text, whatever it stands for.
fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

impl PartialSchema for UserIdText {
    fn schema() -> RefOr<Schema> {
        RefOr::T(schema::user_id_text())
    }
}

impl ToSchema for UserIdText {}

fn notification_id() -> Schema {
    text().pattern(Some(UUID)).min_length(Some(36)).max_length(Some(36)).into()
}

impl PartialSchema for NotificationIdText {
    fn schema() -> RefOr<Schema> {
        RefOr::T(notification_id())
    }
}

impl ToSchema for NotificationIdText {}

fn position() -> Schema {
    const DESCRIPTION: &str =
        "Everything below this position: that of a send, a page or a notification.";
    text().pattern(Some(POSITION)).description(Some(DESCRIPTION)).into()
}

fn status() -> Schema {
    let names = ["inbox", "unread", "read", "archived", "all"];
    let status = text().enum_values(Some(names)).default(Some("inbox".into()));
    status.description(Some("Only those in this state; inbox: not archived.")).into()
}

fn time(description: &str) -> Schema {
    let format = SchemaFormat::Custom("date-time".into());
    text().format(Some(format)).description(Some(description)).into()
}

fn since() -> Schema {
    time("Only those sent at this time or later.")
}

fn until() -> Schema {
    time("Only those sent before this time.")
}

fn tag() -> Schema {
    let longest = models::MAX_TAG_CHARACTERS;
    let pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$";
    let tag = text().min_length(Some(1)).max_length(Some(longest)).pattern(Some(pattern));
    tag.description(Some("Only those with this tag.")).into()
}

/// Which part of an inbox.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by hand, so that errors name it")]
pub(super) struct ListParameters {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 200, default = 20)]
    limit: u8,
    /// A `next_cursor`: the page behind it. It belongs to its user and filters.
    #[param(required = false, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: String,
    /// Only those in this state.
    #[param(required = false, schema_with = status)]
    status: String,
    /// Only those sent at this time or later.
    #[param(required = false, schema_with = since)]
    since: String,
    /// Only those sent before this time.
    #[param(required = false, schema_with = until)]
    until: String,
    /// Only those with this tag.
    #[param(required = false, schema_with = tag)]
    tag: String,
    /// Only those that this user sent.
    #[param(required = false, schema_with = schema::user_id_text)]
    from: String,
    /// Everything below this position has to be applied: that of a send, a page, a notification.
    #[param(required = false, schema_with = position)]
    min_position: String,
    /// How long to wait for `min_position`.
    #[param(required = false, minimum = 0, maximum = 30_000, default = 5_000)]
    wait_ms: u16,
}

/// How fresh an answer has to be.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by hand, so that errors name it")]
pub(super) struct FreshnessParameters {
    /// Everything below this position has to be applied: that of a send, a page, a notification.
    #[param(required = false, schema_with = position)]
    min_position: String,
    /// How long to wait for `min_position`.
    #[param(required = false, minimum = 0, maximum = 30_000, default = 5_000)]
    wait_ms: u16,
}

/// Where a stream begins, as browsers say it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what is read by hand, so that any text is a gap")]
pub(super) struct LastEventIdHeader {
    /// Everything below this position is known: that of an event, a page, a send.
    #[param(rename = "Last-Event-ID", required = false, schema_with = position)]
    last_event_id: String,
}

/// Where a stream begins, for who cannot set headers.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by hand, so that any text is a gap")]
pub(super) struct LastEventIdParameter {
    /// The same; the header wins.
    #[param(required = false, schema_with = position)]
    last_event_id: String,
}

/// What makes repeating a send safe.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what is handed on as it came")]
pub(super) struct SendParameters {
    /// Makes repeating the request safe: 1 to 255 visible characters.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    idempotency_key: String,
}

/// The body of a change.
pub(super) struct ChangeRequestSchema;

impl PartialSchema for ChangeRequestSchema {
    fn schema() -> RefOr<Schema> {
        let flag = |description: &str| {
            ObjectBuilder::new().schema_type(Type::Boolean).description(Some(description))
        };
        let change = ObjectBuilder::new()
            .property("read", flag("Whether it is read"))
            .property("archived", flag("Whether it is archived"))
            .min_properties(Some(1))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        RefOr::T(change.into())
    }
}

impl ToSchema for ChangeRequestSchema {}

/// The body of an action.
pub(super) struct ActionRequestSchema;

impl PartialSchema for ActionRequestSchema {
    fn schema() -> RefOr<Schema> {
        let each = ["read", "unread", "archive", "unarchive", "delete"];
        let all = ["read", "unread", "archive", "unarchive", "delete", "seen"];
        let ids = ArrayBuilder::new()
            .items(RefOr::T(notification_id()))
            .min_items(Some(1))
            .max_items(Some(MAX_IDS));
        let to_these = ObjectBuilder::new()
            .property("action", text().enum_values(Some(each)))
            .property("ids", ids)
            .required("action")
            .required("ids")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        let to_all_before = ObjectBuilder::new()
            .property("action", text().enum_values(Some(all)))
            .property("before", position())
            .required("action")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        RefOr::T(OneOfBuilder::new().item(to_these).item(to_all_before).into())
    }
}

impl ToSchema for ActionRequestSchema {}

const INVALID: (u16, &str) = (400, "A parameter or the body is not what it has to be");
const UNAVAILABLE: (u16, &str) =
    (503, "The inbox is being restored, or Kafka cannot be reached; the detail says what is known");
const LATE: (u16, &str) = (408, "The body did not arrive in time");
const TOO_LARGE: (u16, &str) = (413, "The body is too large");
const MEDIA_TYPE: (u16, &str) = (415, "The body is not application/json, or encoded");
const BUSY: (u16, &str) = (429, "Too much at once");

type Responses = BTreeMap<String, RefOr<Response>>;

/// Problem documents with these statuses. Trying again may help where `Retry-After` says when.
fn problems(statuses: &[(u16, &str)]) -> Responses {
    let mut responses = Responses::new();
    for (status, description) in statuses {
        let document = Ref::from_schema_name(ProblemDocument::name());
        let content = ContentBuilder::new().schema(Some(document)).build();
        let mut response = ResponseBuilder::new()
            .description(*description)
            .content("application/problem+json", content);
        if [412, 429, 503].contains(status) {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
            let header = HeaderBuilder::new().schema(Some(RefOr::T(Schema::from(seconds))));
            response = response.header("Retry-After", header.build());
        }
        responses.insert(status.to_string(), RefOr::T(response.build()));
    }
    responses
}

/// What reading an inbox may come to.
pub(super) struct InboxProblems;

impl IntoResponses for InboxProblems {
    fn responses() -> Responses {
        problems(&[INVALID, (412, "min_position was not applied within wait_ms"), UNAVAILABLE])
    }
}

/// There is no such notification.
pub(super) struct NotFoundProblem;

impl IntoResponses for NotFoundProblem {
    fn responses() -> Responses {
        problems(&[(404, "The inbox has no such notification")])
    }
}

/// What a command without a body may come to.
pub(super) struct UnavailableProblems;

impl IntoResponses for UnavailableProblems {
    fn responses() -> Responses {
        problems(&[INVALID, UNAVAILABLE])
    }
}

/// What a command with a body may come to.
pub(super) struct BodyProblems;

impl IntoResponses for BodyProblems {
    fn responses() -> Responses {
        problems(&[INVALID, LATE, TOO_LARGE, MEDIA_TYPE, BUSY, UNAVAILABLE])
    }
}

/// For whom it is not.
pub(super) struct ForbiddenProblem;

impl IntoResponses for ForbiddenProblem {
    fn responses() -> Responses {
        problems(&[(403, "The request is of a page of an origin that may not ask")])
    }
}

/// What is bounded in number.
pub(super) struct BusyProblem;

impl IntoResponses for BusyProblem {
    fn responses() -> Responses {
        problems(&[BUSY])
    }
}

/// What a send may come to.
pub(super) struct SendProblems;

impl IntoResponses for SendProblems {
    fn responses() -> Responses {
        problems(&[
            INVALID,
            (404, "A recipient, or the sender, does not exist; nothing was sent"),
            LATE,
            TOO_LARGE,
            MEDIA_TYPE,
            (422, "The Idempotency-Key belongs to another request"),
            BUSY,
            (503, "The producer or Kafka cannot be reached; the detail says what is known"),
        ])
    }
}

/// The tutorial's answer.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON that lies in the store as it is shown")]
pub(super) struct TutorialAnswer {
    /// Only where there are none.
    message: Option<String>,
    /// Oldest first.
    notifications: Vec<TutorialNotification>,
}

/// The tutorial's error.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON that is written by hand")]
pub(super) struct TutorialMessage {
    message: String,
}

/// A notification as the tutorial has it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON that lies in the store as it is shown")]
struct TutorialNotification {
    /// Who sent it: an id, unless it is a service, and a name.
    from: serde_json::Value,
    /// Whose inbox it is in.
    to: TutorialUser,
    /// The text.
    message: String,
}

/// A user as the tutorial has it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON that lies in the store as it is shown")]
struct TutorialUser {
    /// The id.
    #[schema(schema_with = schema::user_id)]
    id: String,
    /// The name.
    name: String,
}

/// What routes without parameters may come to.
pub(super) struct AwayProblem;

impl IntoResponses for AwayProblem {
    fn responses() -> Responses {
        problems(&[UNAVAILABLE])
    }
}
