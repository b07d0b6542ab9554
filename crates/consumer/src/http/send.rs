//! `POST /v1/notifications`, handed on to the producer.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use models::SendRequest;
use service::{BodyLimits, Code, Problem};

use super::Shared;
use super::document::{SendParameters, SendProblems};
use crate::forward::{Forwarded, PASSED_ON};

/// The largest body, as the producer has it.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Sends a notification: handed on to the producer, whose answer it is.
///
/// So that a web page that this service serves has one origin. It is the producer's route; where it
/// cannot be reached the answer is 503, and says whether the notification may have been sent.
#[utoipa::path(
    post,
    path = "/v1/notifications",
    tag = "sending",
    params(SendParameters),
    request_body = SendRequest,
    responses(
        (status = 201, description = "Sent: an id and a position for each recipient", body = serde_json::Value),
        (status = 207, description = "Sent to some: each recipient with its status", body = serde_json::Value),
        SendProblems
    )
)]
pub(crate) async fn send(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let limits = BodyLimits { max_bytes: MAX_BODY_BYTES, timeout: shared.body_timeout };
    let body = shared.sends.read(request.headers(), payload, limits).await?;
    let answer = shared.forwarder.send(passed_on(&request), body).await?;
    answered(answer)
}

/// The two HTTP libraries have types of their own for headers.
fn passed_on(request: &HttpRequest) -> Vec<(&'static str, Vec<u8>)> {
    let value = |name: &&'static str| {
        let value = request.headers().get(*name)?;
        Some((*name, value.as_bytes().to_vec()))
    };
    PASSED_ON.iter().filter_map(value).collect()
}

fn answered(answer: Forwarded) -> Result<HttpResponse, Problem> {
    let Forwarded { status, headers, body } = answer;
    let status = StatusCode::from_u16(status).map_err(|_| {
        Problem::new(Code::Internal, "the producer's answer has no status that is known")
    })?;
    let mut answer = HttpResponse::build(status);
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(&value);
        if let Ok(value) = value {
            answer.insert_header((HeaderName::from_static(name), value));
        }
    }
    Ok(answer.body(body))
}
