//! Errors as answers: RFC 9457 problem documents.

use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::BodyError;

/// What went wrong, for programs. Each code has one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// No such route.
    NotFound,
    /// The route exists, but not for this method.
    MethodNotAllowed,
    /// Malformed JSON, an unknown field, a bad value; the detail names the field.
    InvalidRequest,
    /// Not a cursor, or one of another list or of other filters.
    InvalidCursor,
    /// Not a position, or one of another partition or another life of the topic.
    InvalidPosition,
    /// Not for this page, or this user.
    Forbidden,
    /// No such user.
    UserNotFound,
    /// No such notification in the inbox.
    NotificationNotFound,
    /// The body did not arrive in time.
    RequestTimeout,
    /// What was asked to be applied is not yet.
    PositionNotReached,
    /// The body or the record is over its limit.
    TooLarge,
    /// The body is of another media type, or encoded.
    UnsupportedMediaType,
    /// The Idempotency-Key belongs to another request.
    IdempotencyKeyReused,
    /// Too much at once.
    TooManyRequests,
    /// There is no room for more of this, whoever asks.
    Overloaded,
    /// The inbox is being read from the log.
    Restoring,
    /// The log cannot be reached.
    BrokerUnavailable,
    /// A fault of ours; the cause is in the log.
    Internal,
}

impl Code {
    /// The code as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidCursor => "invalid_cursor",
            Self::InvalidPosition => "invalid_position",
            Self::Forbidden => "forbidden",
            Self::UserNotFound => "user_not_found",
            Self::NotificationNotFound => "notification_not_found",
            Self::RequestTimeout => "request_timeout",
            Self::PositionNotReached => "position_not_reached",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::TooManyRequests => "too_many_requests",
            Self::Overloaded => "overloaded",
            Self::Restoring => "restoring",
            Self::BrokerUnavailable => "broker_unavailable",
            Self::Internal => "internal",
        }
    }

    /// The status it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::InvalidCursor | Self::InvalidPosition => {
                StatusCode::BAD_REQUEST
            }
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound | Self::UserNotFound | Self::NotificationNotFound => {
                StatusCode::NOT_FOUND
            }
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PositionNotReached => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Overloaded | Self::Restoring | Self::BrokerUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An error as an answer. The request's id is added on the way out.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    closes: bool,
}

impl Problem {
    /// A problem with its explanation for people.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, allow: None, closes: false }
    }

    /// When trying again makes sense.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The connection ends with the answer: the request's body was not read to its end, and what is
    /// still to come would be read as the next request.
    pub fn close(self) -> Self {
        Self { closes: true, ..self }
    }

    /// What went wrong, for programs.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What went wrong, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The method that the route has.
    pub fn allow(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// The document, RFC 9457 section 3. `about:blank`: the status says what kind it is.
    pub(crate) fn document(&self, request_id: &str) -> String {
        let status = self.code.status();
        let document = ProblemDocument {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.as_str().into(),
            request_id: request_id.into(),
        };
        // Texts and a number: writing them cannot fail.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

/// An error, as RFC 9457 describes it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// Always `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for people.
    pub detail: String,
    /// What went wrong, for programs.
    pub code: String,
    /// The request's id, under which the log has more.
    pub request_id: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// The head of the answer; the body is written where the request's id is known.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = HttpResponse::build(self.status_code());
        answer.content_type("application/problem+json");
        if let Some(wait) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, wait.as_secs().max(1)));
        }
        if let Some(methods) = self.allow {
            answer.insert_header((header::ALLOW, HeaderValue::from_static(methods)));
        }
        if self.closes {
            answer.force_close();
        }
        let mut answer = answer.finish();
        answer.extensions_mut().insert(self.clone());
        answer
    }
}

/// When trying again makes sense, where nothing says better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::TooLarge { .. } => Code::TooLarge,
            BodyError::TooSlow { .. } => Code::RequestTimeout,
            BodyError::Busy => Code::TooManyRequests,
            BodyError::Broken(_) => Code::InvalidRequest,
        };
        let problem = Self::new(code, error.to_string()).close();
        if code == Code::TooManyRequests { problem.retry_after(RETRY_AFTER) } else { problem }
    }
}
