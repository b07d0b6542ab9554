//! `POST /send`, as in the tutorial.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use kafka::ProduceError;
use models::UserId;
use serde_json::json;
use service::{BodyError, NotAnInteger, atoi};
use utoipa::ToSchema;

use super::Shared;
use super::form::{self, FormError, SendForm};

use crate::publisher::{Receipt, SendError};

/// Send a text to one user, as the tutorial does.
///
/// Fields are `fromID`, `toID` and `message`.
#[utoipa::path(
    post,
    path = "/send",
    tag = "tutorial",
    request_body(description = "Up to 2,700,000 bytes", content(
        (SendFields = "application/x-www-form-urlencoded"),
        (SendFields = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "It is in the log", body = Message, headers(
            ("Notification-Id" = String, description = "The notification's id, a UUID"),
            ("Position" = String, description = "An inbox that has reached it shows the notification"))),
        (status = 400, description = "An id is no integer, or the form cannot be read", body = Message),
        (status = 404, description = "Sender or recipient does not exist", body = Message),
        (status = 408, description = "The body did not arrive in time", body = Message),
        (status = 413, description = "The body or the record is over its limit", body = Message),
        (status = 415, description = "The body is no form, or encoded", body = Message),
        (status = 503, description = "The log cannot be reached, or did not answer in time", body = Message,
            headers(("Retry-After" = u64, description = "Seconds"))),
    )
)]
pub(super) async fn send(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> HttpResponse {
    match try_send(&request, payload, &shared).await {
        Ok(receipt) => HttpResponse::Ok()
            .insert_header(("Notification-Id", receipt.id.to_string()))
            .insert_header(("Position", receipt.position.to_string()))
            .json(json!({"message": "Notification sent successfully!"})),
        Err(refusal) => refusal.answer(),
    }
}

/// The fields of the form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form")]
pub(super) struct SendFields {
    /// The sender's id.
    #[schema(rename = "fromID")]
    from_id: i64,
    /// The recipient's id.
    #[schema(rename = "toID")]
    to_id: i64,
    /// The text; empty where it is left out.
    message: Option<String>,
}

/// What the answer says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Message {
    /// For people.
    message: String,
}

async fn try_send(
    request: &HttpRequest,
    payload: Payload,
    shared: &Shared,
) -> Result<Receipt, Refusal> {
    let body = shared.body_budget.read(request.headers(), payload, shared.form).await?;
    let SendForm { from_id, to_id, message } = form::read(request.headers(), body).await?;
    let from = parse_id("fromID", &from_id)?;
    let to = parse_id("toID", &to_id)?;
    let publisher = shared.publisher.get().ok_or(Refusal::Connecting)?;
    let (from, to) = (user_id(from)?, user_id(to)?);
    Ok(publisher.send(from, to, message, service::now(), shared.deadline()).await?)
}

fn parse_id(field: &'static str, text: &str) -> Result<i64, Refusal> {
    atoi(text).map_err(|error| Refusal::Id { field, error })
}

/// The tutorial's ids begin with 1.
fn user_id(id: i64) -> Result<UserId, SendError> {
    let user_id = UserId::from_integer(id);
    if id > 0 { Ok(user_id) } else { Err(SendError::UserNotFound(user_id)) }
}

/// Why a send was not accepted.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("failed to parse ID from form value {field}: {error}")]
    Id { field: &'static str, error: NotAnInteger },
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("Kafka has not been reached yet; try again")]
    Connecting,
    #[error(transparent)]
    Send(#[from] SendError),
}

/// When trying again makes sense.
const RETRY_AFTER_WAIT: Duration = Duration::from_secs(1);

impl Refusal {
    fn answer(&self) -> HttpResponse {
        let status = self.status();
        let mut answer = HttpResponse::build(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((RETRY_AFTER, RETRY_AFTER_WAIT.as_secs()));
        }
        if !self.has_read_the_body() {
            // What is still to come would be read as the next request.
            answer.force_close();
        }
        answer.json(json!({"message": self.message()}))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Id { .. } => StatusCode::BAD_REQUEST,
            Self::Form(FormError::ContentType(_) | FormError::ContentEncoding(_)) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Body(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow { .. }) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::Busy) | Self::Connecting => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Send(SendError::UserNotFound(_)) => StatusCode::NOT_FOUND,
            Self::Send(SendError::Produce(ProduceError::TooLarge { .. })) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Send(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn message(&self) -> String {
        let may_be_sent = matches!(
            self,
            Self::Send(SendError::Produce(ProduceError::DeadlinePassed { may_be_written: true }))
        );
        if may_be_sent {
            return format!("{self}; whether the notification was sent is unknown");
        }
        self.to_string()
    }

    fn has_read_the_body(&self) -> bool {
        !matches!(self, Self::Body(_))
    }
}
