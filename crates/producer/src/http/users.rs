//! `/v1/users`.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use models::{User, UserId, UserName, UserView, UsersCursor};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use service::{Code, Parameters, Problem, read_json, require_media_type};
use utoipa::ToSchema;

use super::{Shared, builder};
use crate::publisher::{Deletion, Publisher};

/// The most users of a page.
const MAX_LIMIT: u64 = 200;
const DEFAULT_LIMIT: u64 = 20;

/// A name for a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutUser {
    /// The name to show, of 1 to 200 characters without control characters.
    #[schema(schema_with = models::schema::name)]
    name: UserName,
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(super) struct UsersPage {
    /// In the order of their ids.
    users: Vec<UserView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// A user was removed.
#[derive(Serialize, ToSchema)]
pub(super) struct UserDeleted {
    /// From when on what was sent to the user before is not shown.
    #[schema(format = DateTime)]
    hidden_at: String,
    /// When the last of it is gone from the log; null where the log keeps records for good.
    #[schema(format = DateTime)]
    purged_by: Option<String>,
}

/// Create or rename a user.
///
/// The answer comes after this instance has read the change back.
#[utoipa::path(
    put,
    path = "/v1/users/{id}",
    tag = "users",
    params(("id" = inline(super::openapi::UserIdText), Path, description = "The user's id")),
    request_body(content = PutUser, description = "Up to 16 MiB"),
    responses(
        (status = 200, description = "It was there, and has this name now", body = UserView),
        (status = 201, description = "It is created", body = UserView),
        (status = 400, response = super::openapi::InvalidRequest),
        (status = 408, response = super::openapi::RequestTimeout),
        (status = 413, response = super::openapi::TooLarge),
        (status = 415, response = super::openapi::UnsupportedMediaType),
        (status = 429, response = super::openapi::TooManyRequests),
        (status = 503, response = super::openapi::Unavailable),
    )
)]
pub(super) async fn put(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let id = user_id(&request).and_then(|id| {
        require_media_type(request.headers(), &["application/json"])?;
        Ok(id)
    });
    // What is refused by its head alone leaves its body unread.
    let id = id.map_err(Problem::close)?;
    let body = shared.body_budget.read(request.headers(), payload, shared.json).await?;
    let deadline = shared.deadline();
    let PutUser { name } = read_json(&body)?;
    let user = User { id, name: name.into() };
    let is_new = shared.publisher()?.put_user(user.clone(), service::now(), deadline).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(builder(status).json(view(user)))
}

/// Look a user up.
#[utoipa::path(
    get,
    path = "/v1/users/{id}",
    tag = "users",
    params(("id" = inline(super::openapi::UserIdText), Path, description = "The user's id")),
    responses(
        (status = 200, description = "The user", body = UserView, headers(
            ("Staleness" = u64, description = "Where Kafka cannot be read: the answer's age in milliseconds"))),
        (status = 400, response = super::openapi::InvalidRequest),
        (status = 404, response = super::openapi::UserNotFound),
        (status = 503, response = super::openapi::Unavailable),
    )
)]
pub(super) async fn show(
    request: HttpRequest,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let id = user_id(&request)?;
    Parameters::of(&request, &[])?;
    let publisher = shared.publisher()?;
    let user = publisher.user(id, shared.deadline()).await?;
    Ok(fresh(&publisher, &view(user)))
}

/// List the users in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/users",
    tag = "users",
    params(
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 200,
            description = "How many users a page has at the most; 20 where it is left out"),
        ("cursor" = Option<String>, Query,
            description = "The `next_cursor` of the page before, unchanged"),
    ),
    responses(
        (status = 200, description = "A page of users", body = UsersPage, headers(
            ("Staleness" = u64, description = "Where Kafka cannot be read: the answer's age in milliseconds"))),
        (status = 400, description = "A bad parameter (`invalid_request`), or a bad cursor (`invalid_cursor`)",
            body = service::ProblemDocument, content_type = "application/problem+json"),
        (status = 503, response = super::openapi::Unavailable),
    )
)]
pub(super) async fn list(
    request: HttpRequest,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::of(&request, &["limit", "cursor"])?;
    let limit = parameters.integer("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let cursor: Option<UsersCursor> = parameters.value("cursor", Code::InvalidCursor)?;
    let publisher = shared.publisher()?;
    let (after, limit) = (cursor.map(|it| it.after), usize::try_from(limit).unwrap_or(usize::MAX));
    let (users, has_more) = publisher.users(after, limit, shared.deadline()).await?;
    let last = users.last().filter(|_| has_more).map(|user| user.id.clone());
    let next_cursor = last.map(|after| UsersCursor { after }.to_string());
    let page = UsersPage { users: users.into_iter().map(view).collect(), next_cursor };
    Ok(fresh(&publisher, &page))
}

/// Remove a user, and everything in its inbox.
///
/// It may be repeated, and it works for a user that is not in the directory: its inbox may be there.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}",
    tag = "users",
    params(("id" = inline(super::openapi::UserIdText), Path, description = "The user's id")),
    responses(
        (status = 202, description = "It is removed; the log is purged later", body = UserDeleted),
        (status = 400, response = super::openapi::InvalidRequest),
        (status = 503, response = super::openapi::Unavailable),
    )
)]
pub(super) async fn delete(
    request: HttpRequest,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let id = user_id(&request)?;
    let deadline = shared.deadline();
    let deletion = shared.publisher()?.delete_user(id, service::now(), deadline).await?;
    let Deletion { hidden_at, purged_by } = deletion;
    let purged_by = purged_by.map(|time| time.to_string());
    let deleted = UserDeleted { hidden_at: hidden_at.to_string(), purged_by };
    Ok(builder(StatusCode::ACCEPTED).json(deleted))
}

/// The id in the path. Out of the path as it was sent, because what is not UTF-8 is refused, not
/// replaced.
fn user_id(request: &HttpRequest) -> Result<UserId, Problem> {
    let invalid =
        |reason: String| Problem::new(Code::InvalidRequest, format!("path value id: {reason}"));
    let text = request.uri().path().rsplit('/').next().unwrap_or_default();
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| invalid("not UTF-8".to_owned()))?;
    text.parse().map_err(|error: models::InvalidUserId| invalid(error.to_string()))
}

fn view(user: User) -> UserView {
    UserView { id: user.id.to_string(), name: user.name }
}

/// An answer out of the directory, with its age where it is not up to date.
fn fresh(publisher: &Publisher, body: &impl Serialize) -> HttpResponse {
    let mut answer = builder(StatusCode::OK);
    if let Some(staleness) = publisher.staleness() {
        answer.insert_header(("Staleness", staleness.as_millis().to_string()));
    }
    answer.json(body)
}
