//! `GET /v1/users/{id}/export`.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use service::{Code, Problem};
use tokio::sync::mpsc;

use super::document::{BusyProblem, FreshnessParameters, InboxProblems, UserIdText};
use super::request::{Freshness, user_id};
use super::{RETRY_AFTER_WAIT, Shared, tell_staleness};
use crate::export::{self, Piece};

/// The export ended before its end: the connection ends without the last chunk, so that the client
/// knows.
#[derive(Debug, thiserror::Error)]
#[error("the export cannot go on; the log has the cause")]
struct CutOff;

/// A whole inbox, archived notifications too, newest first: one JSON object a line.
///
/// It is read page by page while it is sent: what arrives meanwhile is not in it, and what is changed
/// meanwhile may be. One that is cut off ends without the last chunk.
#[utoipa::path(
    get,
    path = "/v1/users/{id}/export",
    tag = "inbox",
    params(
        ("id" = inline(UserIdText), Path, description = "Whose inbox"),
        FreshnessParameters
    ),
    responses(
        (
            status = 200,
            description = "Lines of JSON, each as a notification of a page",
            body = String,
            content_type = "application/x-ndjson",
            headers(("Staleness" = u64, description = "Milliseconds since the log was last read, where that is long"))
        ),
        BusyProblem,
        InboxProblems
    )
)]
pub(crate) async fn export(
    request: HttpRequest,
    path: Path<String>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path)?;
    let freshness = Freshness::of(&request)?;
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(&user_id).await?;
    freshness.reached(&inbox).await?;
    let turn = shared.exports.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Code::TooManyRequests, "too many exports at once; try again")
            .retry_after(RETRY_AFTER_WAIT)
    })?;
    let mut answer = HttpResponse::Ok();
    tell_staleness(&mut answer, inbox.staleness());
    let pieces = export::start(inboxes.clone(), user_id, turn);
    Ok(answer.content_type("application/x-ndjson").streaming(stream::unfold(Some(pieces), next)))
}

type Pieces = mpsc::Receiver<Piece>;

async fn next(pieces: Option<Pieces>) -> Option<(Result<Bytes, CutOff>, Option<Pieces>)> {
    let mut pieces = pieces?;
    match pieces.recv().await {
        Some(Piece::Lines(lines)) => Some((Ok(Bytes::from(lines)), Some(pieces))),
        Some(Piece::End) => None,
        None => Some((Err(CutOff), None)),
    }
}
