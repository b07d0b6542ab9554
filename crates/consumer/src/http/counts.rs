//! `GET /v1/users/{id}/counts`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use service::Problem;

use super::Shared;
use super::document::{FreshnessParameters, InboxProblems, UserIdText};
use super::request::{Freshness, json, user_id};
use crate::views::CountsView;

/// The counts of an inbox.
#[utoipa::path(
    get,
    path = "/v1/users/{id}/counts",
    tag = "inbox",
    params(
        ("id" = inline(UserIdText), Path, description = "Whose inbox"),
        FreshnessParameters
    ),
    responses(
        (
            status = 200,
            description = "The counts",
            body = CountsView,
            headers(("Staleness" = u64, description = "Milliseconds since the log was last read, where that is long"))
        ),
        InboxProblems
    )
)]
pub(crate) async fn counts(
    request: HttpRequest,
    path: Path<String>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path)?;
    let freshness = Freshness::of(&request)?;
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(&user_id).await?;
    freshness.reached(&inbox).await?;
    json(&inbox, &inbox.log.counts(inbox.head().await?))
}
