//! `POST /v1/notifications`.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use models::{IdempotencyKey, RequestId, SendRequest};
use service::{Code, Problem, read_json, require_media_type};
use tokio::time::Instant;

use super::{Shared, builder, json};
use crate::answer::Answer;
use crate::batch::{fits, whole};
use crate::directory::NotFound;
use crate::problem::{key_in_hand, key_reused};
use crate::publisher::{Publisher, SendError};
use crate::remembered::{Beginning, InHand, Request};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: &str = "Idempotency-Replayed";

/// Send a notification to one or to many.
///
/// All users are looked up before anything is written. An answer of 201 means that the log has every
/// record, acknowledged by all replicas that are in sync.
#[utoipa::path(
    post,
    path = "/v1/notifications",
    tag = "notifications",
    params((
        "Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
        pattern = "^[!-~]+$",
        description = "The same sender, key and recipient are one notification, however often it is \
                       sent. 1 to 255 visible ASCII characters."
    )),
    request_body(
        content = models::SendBody,
        description = "Up to 16 MiB, and up to 16 MiB times recipients; each record up to 900,000 bytes"
    ),
    responses(
        (
            status = 201, description = "All of it is in the log", body = super::openapi::Sent,
            headers(("Idempotency-Replayed" = bool,
                description = "`true` on an answer that repeats an earlier one"))
        ),
        (status = 207, description = "Some of it is in the log; a retry with the same key adds the rest",
            body = super::openapi::PartlySent),
        (status = 400, response = super::openapi::InvalidRequest),
        (status = 404, response = super::openapi::UserNotFound),
        (status = 408, response = super::openapi::RequestTimeout),
        (status = 413, response = super::openapi::TooLarge),
        (status = 415, response = super::openapi::UnsupportedMediaType),
        (status = 422, description = "The key was used for another request",
            body = service::ProblemDocument, content_type = "application/problem+json"),
        (status = 429, response = super::openapi::TooManyRequests),
        (status = 503, response = super::openapi::Unavailable),
    )
)]
pub(super) async fn publish(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    // What is refused by its head alone leaves its body unread.
    let key = check(request.headers()).map_err(Problem::close)?;
    let body = shared.body_budget.read(request.headers(), payload, shared.json).await?;
    let deadline = shared.deadline();
    let request: SendRequest = read_json(&body)?;
    if request.idempotency_key.is_some() {
        let detail = "idempotency_key: here the key is sent in the header Idempotency-Key";
        return Err(Problem::new(Code::InvalidRequest, detail));
    }
    fits(body.len(), request.to.as_slice().len())?;
    // What many recipients make of a body counts as it does.
    let expanded = body.len() * (request.to.as_slice().len() - 1);
    let _reserved = shared.body_budget.reserve(expanded)?;
    drop(body);
    let publisher = shared.publisher()?;
    let Some(key) = key else { return publish_now(&publisher, request, None, deadline).await };
    match begin(&publisher, &request, &key, deadline).await? {
        Request::New(in_hand) => {
            publish_now(&publisher, request, Some((key, in_hand)), deadline).await
        }
        Request::Answered(answer) => {
            let mut replay = builder(StatusCode::CREATED);
            replay.insert_header((REPLAYED, "true"));
            Ok(replay.body(answer.into_vec()))
        }
        Request::Reused => Err(key_reused()),
    }
}

fn check(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    require_media_type(headers, &["application/json"])?;
    let mut keys = headers.get_all(IDEMPOTENCY_KEY);
    let Some(key) = keys.next() else { return Ok(None) };
    let invalid = |reason: &str| {
        Problem::new(Code::InvalidRequest, format!("header Idempotency-Key: {reason}"))
    };
    if keys.next().is_some() {
        return Err(invalid("it occurs twice"));
    }
    let key = std::str::from_utf8(key.as_bytes()).unwrap_or_default();
    key.parse()
        .map(Some)
        .map_err(|error: models::InvalidIdempotencyKey| invalid(&error.to_string()))
}

/// Looks the key up, and waits while another request has it in hand.
async fn begin(
    publisher: &Publisher,
    request: &SendRequest,
    key: &IdempotencyKey,
    deadline: Instant,
) -> Result<Request, Problem> {
    let (key, whole) = (RequestId::of_key(request, key), whole(request)?);
    loop {
        match publisher.remembered().begin(key, whole) {
            Beginning::InHand(ending) => {
                let waiting = tokio::time::timeout_at(deadline, ending.wait());
                waiting.await.map_err(|_| key_in_hand())?;
            }
            Beginning::Known(known) => return Ok(known),
        }
    }
}

async fn publish_now(
    publisher: &Publisher,
    request: SendRequest,
    key: Option<(IdempotencyKey, InHand)>,
    deadline: Instant,
) -> Result<HttpResponse, Problem> {
    let addressed = publisher.address(vec![request], deadline).await.into_iter().next();
    let addressed = addressed.unwrap_or(Err(NotFound::Unknown)).map_err(SendError::from)?;
    let drafts = publisher.draft(addressed, key.as_ref().map(|(key, _)| key), service::now())?;
    let deliveries = publisher.publish(drafts, deadline).await;
    match Answer::of(&deliveries) {
        Answer::Sent(answer) => {
            if let Some((_, in_hand)) = key {
                in_hand.remember(&answer);
            }
            Ok(json(StatusCode::CREATED, answer))
        }
        Answer::Partly(answer) => Ok(json(StatusCode::MULTI_STATUS, answer)),
        Answer::Refused(problem) => Err(problem),
    }
}
