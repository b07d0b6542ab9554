//! What happens to every request: an id, a count, a line in the log.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use uuid::Uuid;

use crate::unread::Unread;
use crate::{Code, Metrics, Problem};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a request.
const MAX_REQUEST_ID_BYTES: usize = 128;

pub(crate) async fn observe(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let metrics = request.app_data::<web::Data<Metrics>>().cloned();
    // For handlers that hand the request on.
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(X_REQUEST_ID, value);
    }
    let unread = Unread::of(&mut request);
    // An error here comes from middleware inside of us, of which there is none.
    let answer = next.call(request).await?;
    let mut answer = explained(answer.map_into_boxed_body(), &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(X_REQUEST_ID, value);
    }
    let route = answer.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let status = answer.status().as_u16();
    let took = started.elapsed();
    if let Some(metrics) = metrics {
        // A method may be any word; those we do not serve count as one.
        let is_served =
            method.is_safe() || matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        let method = if is_served { method.as_str() } else { "other" };
        metrics.count(method, &route, status, took);
    }
    if let Some(unread) = unread {
        answer = unread.until_sent(answer);
    }
    tracing::debug!(request_id = id, route, status, took_ms = took.as_secs_f64() * 1e3, "answered");
    Ok(answer)
}

fn request_id(request: &ServiceRequest) -> String {
    let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_usable = |id: &&str| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID_BYTES
            && id.bytes().all(|b| b.is_ascii_graphic())
    };
    given.filter(is_usable).map_or_else(|| Uuid::new_v4().to_string(), ToOwned::to_owned)
}

/// Writes the body of a problem, and makes a problem of errors that are not ours.
fn explained(answer: ServiceResponse, request_id: &str) -> ServiceResponse {
    let mut answer = answer;
    let problem = answer.response_mut().extensions_mut().remove::<Problem>();
    if let Some(problem) = problem {
        return answer.map_body(|_, _| BoxBody::new(problem.document(request_id)));
    }
    if !answer.status().is_server_error() || answer.response().error().is_none() {
        return answer;
    }
    if let Some(error) = answer.response().error() {
        tracing::error!(request_id, %error, "request failed");
    }
    let problem = Problem::new(Code::Internal, "an internal error; the log has its cause");
    let document = problem.document(request_id);
    let request = answer.request().clone();
    let response = problem.error_response().set_body(BoxBody::new(document));
    ServiceResponse::new(request, response)
}
