//! `GET`, `PATCH` and `DELETE /v1/users/{id}/notifications/{nid}`.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use models::{Change, NotificationId, NotificationView};
use serde::{Deserialize, Deserializer};
use service::{Code, Problem};
use tokio::time::Instant;

use super::Shared;
use super::document::{
    BodyProblems, ChangeRequestSchema, FreshnessParameters, InboxProblems, NotFoundProblem,
    NotificationIdText, UnavailableProblems, UserIdText,
};
use super::request::{Freshness, json, no_parameters, notification_id, read_body, user_id};
use crate::inboxes::{Found, UserInbox};

/// The largest body of a change. Larger, and whoever floods us with them costs more; it is some ten
/// bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What to change: at least one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRequest {
    #[serde(default, deserialize_with = "given")]
    read: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    archived: Option<bool>,
}

/// What is there is not null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    bool::deserialize(deserializer).map(Some)
}

impl ChangeRequest {
    fn changes(&self) -> Result<Vec<Change>, Problem> {
        let changes = [self.read.map(Change::Read), self.archived.map(Change::Archived)];
        let changes: Vec<_> = changes.into_iter().flatten().collect();
        if changes.is_empty() {
            let detail = "nothing to change: give read, or archived, or both";
            return Err(Problem::new(Code::InvalidRequest, detail));
        }
        Ok(changes)
    }
}

/// One notification.
///
/// That there is none is checked against the end of the log before it is answered; where the log is
/// away the answer is what is known here, and says with `Staleness` how old that is.
#[utoipa::path(
    get,
    path = "/v1/users/{id}/notifications/{nid}",
    tag = "inbox",
    params(
        ("id" = inline(UserIdText), Path, description = "Whose inbox"),
        ("nid" = inline(NotificationIdText), Path, description = "Which notification"),
        FreshnessParameters
    ),
    responses(
        (
            status = 200,
            description = "The notification",
            body = NotificationView,
            headers(("Staleness" = u64, description = "Milliseconds since the log was last read, where that is long"))
        ),
        NotFoundProblem,
        InboxProblems
    )
)]
pub(crate) async fn one(
    request: HttpRequest,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path.0)?;
    let id = notification_id(&path.1)?;
    let freshness = Freshness::of(&request)?;
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(&user_id).await?;
    freshness.reached(&inbox).await?;
    let deadline = Instant::now() + inboxes.command_timeout;
    match inbox.find(id, deadline).await? {
        Found { notification: Some(notification), .. } => json(&inbox, &notification),
        Found { notification: None, doubt: None } => Err(not_found(id)),
        Found { notification: None, doubt: Some(_) } => Ok(perhaps_not_found(id, &inbox)),
    }
}

fn not_found(id: NotificationId) -> Problem {
    Problem::new(Code::NotificationNotFound, format!("the inbox has no notification {id}"))
}

/// As far as is known here, and how old that is.
fn perhaps_not_found(id: NotificationId, inbox: &UserInbox<'_>) -> HttpResponse {
    let mut answer = not_found(id).error_response();
    let staleness = inbox.age().as_millis().to_string();
    if let Ok(staleness) = staleness.parse() {
        let name = actix_web::http::header::HeaderName::from_static("staleness");
        answer.headers_mut().insert(name, staleness);
    }
    answer
}

/// Marks one notification read or unread, archived or not.
///
/// Answers once the change can be read.
#[utoipa::path(
    patch,
    path = "/v1/users/{id}/notifications/{nid}",
    tag = "inbox",
    params(
        ("id" = inline(UserIdText), Path, description = "Whose inbox"),
        ("nid" = inline(NotificationIdText), Path, description = "Which notification")
    ),
    request_body = inline(ChangeRequestSchema),
    responses(
        (status = 200, description = "The notification after the change", body = NotificationView),
        NotFoundProblem,
        BodyProblems
    )
)]
pub(crate) async fn change(
    request: HttpRequest,
    path: Path<(String, String)>,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path.0)?;
    let id = notification_id(&path.1)?;
    no_parameters(&request)?;
    let body: ChangeRequest = read_body(&request, payload, &shared, MAX_BODY_BYTES).await?;
    let changes = body.changes()?;
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(&user_id).await?;
    json(&inbox, &inbox.change(id, &changes).await?)
}

/// Deletes one notification.
///
/// Answers once it is gone.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}/notifications/{nid}",
    tag = "inbox",
    params(
        ("id" = inline(UserIdText), Path, description = "Whose inbox"),
        ("nid" = inline(NotificationIdText), Path, description = "Which notification")
    ),
    responses((status = 204, description = "It is gone"), NotFoundProblem, UnavailableProblems)
)]
pub(crate) async fn delete(
    request: HttpRequest,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path.0)?;
    let id = notification_id(&path.1)?;
    no_parameters(&request)?;
    let inboxes = shared.inboxes()?;
    inboxes.of(&user_id).await?.delete(id).await?;
    Ok(HttpResponse::NoContent().finish())
}
