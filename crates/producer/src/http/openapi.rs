//! The routes as OpenAPI 3.1.
#![expect(unused_qualifications, reason = "utoipa's macros write them")]

use models::SendRequest;
use service::ProblemDocument;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{OpenApi, PartialSchema, ToResponse, ToSchema};

use crate::batch::NewUser;

/// The publisher's routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "kafka-notify producer",
        description = "Publishes notifications to Kafka, and keeps the directory of users."
    ),
    paths(
        super::send::send,
        super::notifications::publish,
        super::batch::notifications,
        super::users::list,
        super::users::show,
        super::users::put,
        super::users::delete,
        super::batch::users,
    ),
    components(
        schemas(SendRequest, SendResult, NewUser, UserResult),
        responses(
            InvalidRequest,
            UserNotFound,
            RequestTimeout,
            TooLarge,
            UnsupportedMediaType,
            TooManyRequests,
            Unavailable,
        )
    )
)]
struct Api;

pub(super) fn document() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

/// A user id as text.
pub(super) struct UserIdText;

impl PartialSchema for UserIdText {
    fn schema() -> RefOr<Schema> {
        models::schema::user_id_text().into()
    }
}

impl ToSchema for UserIdText {}

// Descriptions of what is written without them: see `answer.rs` and `batch.rs`.

/// All of a request is in the log.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct Sent {
    /// One for each recipient, in the order asked.
    notifications: Vec<SentTo>,
}

/// A notification that is in the log.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
struct SentTo {
    /// The notification's id, a UUID.
    #[schema(format = "uuid")]
    id: String,
    /// The recipient.
    to: String,
    /// An inbox that has reached it shows the notification.
    position: String,
}

/// Some of a request is in the log.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct PartlySent {
    /// One for each recipient, in the order asked.
    notifications: Vec<PartlySentTo>,
}

/// A notification that is in the log, or why it is not.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
struct PartlySentTo {
    /// The recipient.
    to: String,
    /// 201 where it is in the log.
    status: u16,
    /// Where it is in the log: the notification's id, a UUID.
    #[schema(format = "uuid", nullable = false)]
    id: Option<String>,
    /// Where it is in the log: an inbox that has reached it shows the notification.
    #[schema(nullable = false)]
    position: Option<String>,
    /// Where it is not: what went wrong, for programs.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Where it is not: what went wrong, for people.
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// What became of a line of a batch of notifications.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
struct SendResult {
    /// The line's number, from 1.
    line: u64,
    /// 201, 207, or that of a problem.
    status: u16,
    /// With 201 and 207: as of `POST /v1/notifications`.
    #[schema(nullable = false)]
    notifications: Option<Vec<PartlySentTo>>,
    /// What went wrong, for programs.
    #[schema(nullable = false)]
    code: Option<String>,
    /// What went wrong, for people.
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// What became of a line of a batch of users.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
struct UserResult {
    /// The line's number, from 1.
    line: u64,
    /// 201 created, 200 renamed, or that of a problem.
    status: u16,
    /// With 201 and 200: the user's id.
    #[schema(nullable = false)]
    id: Option<String>,
    /// What went wrong, for programs.
    #[schema(nullable = false)]
    code: Option<String>,
    /// What went wrong, for people.
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// Malformed JSON, an unknown field, or a bad value; the detail names it
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct InvalidRequest(ProblemDocument);

/// There is no such user; the detail names the id
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct UserNotFound(ProblemDocument);

/// The body did not arrive in time
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct RequestTimeout(ProblemDocument);

/// The body, or a record made of it, is over the limit
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct TooLarge(ProblemDocument);

/// The body is of another media type, or encoded
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct UnsupportedMediaType(ProblemDocument);

/// Too much at once; try again later
#[derive(ToResponse)]
#[response(
    content_type = "application/problem+json",
    headers(("Retry-After" = u64, description = "Seconds"))
)]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct TooManyRequests(ProblemDocument);

/// The log cannot be reached, or did not answer in time; the detail says whether anything may have
/// been written
#[derive(ToResponse)]
#[response(
    content_type = "application/problem+json",
    headers(("Retry-After" = u64, description = "Seconds"))
)]
#[expect(dead_code, reason = "describes an answer")]
pub(super) struct Unavailable(ProblemDocument);
