//! `POST /v1/notifications/batch` and `POST /v1/users/batch`: NDJSON in, NDJSON out.

use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, stream};
use service::{Code, Problem, require_media_type};
use tokio::sync::mpsc::{self, Receiver};

use super::Shared;
use crate::batch::{self, Lines, NewUsers, Notifications, Piece, Work};
use crate::problem::RETRY_AFTER;

/// Newline-delimited JSON (<https://github.com/ndjson/ndjson-spec>).
const NDJSON: &str = "application/x-ndjson";

/// Pieces of results that wait for the connection. More, and a client that does not read costs more
/// memory.
const PIECES_WAITING: usize = 2;

/// Send many notifications.
///
/// Each line is a request as of `POST /v1/notifications`, with the key in its field
/// `idempotency_key`. The answer has a line for each, in their order, streamed while lines still come.
/// A bad line does not stop the rest; an empty one is skipped, but counted. A line has up to 1,200,000
/// bytes. No more lines are read while too many are in hand, or while results are not read.
#[utoipa::path(
    post,
    path = "/v1/notifications/batch",
    tag = "notifications",
    request_body(
        content = String, content_type = "application/x-ndjson",
        description = "Lines, each a `SendRequest`"
    ),
    responses(
        (status = 200, description = "Lines, each a `SendResult`: \
            `{\"line\":1,\"status\":201,\"notifications\":[...]}`, the same with 207, or \
            `{\"line\":2,\"status\":404,\"code\":\"user_not_found\",\"detail\":\"...\"}`",
            body = String, content_type = "application/x-ndjson"),
        (status = 415, response = super::openapi::UnsupportedMediaType),
        (status = 429, response = super::openapi::TooManyRequests),
    )
)]
pub(super) async fn notifications(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let in_hand = shared.batch.in_hand_bytes;
    let work = Notifications::new(shared.publisher.clone(), shared.produce_timeout, in_hand);
    respond(&request, payload, &shared, work)
}

/// Create or rename many users.
///
/// Each line is `{"id":1,"name":"Emma"}`. The answer has a line for each, in their order, streamed
/// while lines still come; what it says of a user can be read here by then.
#[utoipa::path(
    post,
    path = "/v1/users/batch",
    tag = "users",
    request_body(
        content = String, content_type = "application/x-ndjson",
        description = "Lines, each a `NewUser`"
    ),
    responses(
        (status = 200, description = "Lines, each a `UserResult`: `{\"line\":1,\"status\":201,\"id\":\"1\"}`, \
            the same with 200 where the user was there, or \
            `{\"line\":2,\"status\":400,\"code\":\"invalid_request\",\"detail\":\"...\"}`",
            body = String, content_type = "application/x-ndjson"),
        (status = 415, response = super::openapi::UnsupportedMediaType),
        (status = 429, response = super::openapi::TooManyRequests),
    )
)]
pub(super) async fn users(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let in_hand = shared.batch.in_hand_bytes;
    let work = NewUsers::new(shared.publisher.clone(), shared.produce_timeout, in_hand);
    respond(&request, payload, &shared, work)
}

/// Answers at once; the results follow while the request is read.
fn respond(
    request: &HttpRequest,
    payload: Payload,
    shared: &Shared,
    work: impl Work + 'static,
) -> Result<HttpResponse, Problem> {
    require_media_type(request.headers(), &[NDJSON]).map_err(Problem::close)?;
    let permit = shared.batches.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{} batches are in hand already", shared.batch.at_once);
        Problem::new(Code::TooManyRequests, detail).retry_after(RETRY_AFTER).close()
    })?;
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
    let lines = Lines::new(payload, shared.batch.idle_timeout);
    let running = batch::run(lines, work, pieces, shared.batch.unread_timeout, shared.stop.clone());
    // A task of its own: the connection does not look at its answer while the client does not read it.
    actix_web::rt::spawn(async move {
        running.await;
        drop(permit);
    });
    Ok(HttpResponse::Ok().content_type(NDJSON).streaming(results(waiting)))
}

/// The body of the answer. Where the end does not come it breaks off, so that nobody takes what there
/// is for all.
fn results(waiting: Receiver<Piece>) -> impl Stream<Item = Result<Bytes, CutOff>> {
    stream::unfold(Some(waiting), async |waiting: Option<Receiver<Piece>>| {
        let mut waiting = waiting?;
        match waiting.recv().await {
            Some(Piece::Results(results)) => Some((Ok(results), Some(waiting))),
            Some(Piece::End) => None,
            None => Some((Err(CutOff), None)),
        }
    })
}

/// Results were left unread for too long.
#[derive(Debug, thiserror::Error)]
#[error("the client did not read its results in time")]
struct CutOff;
