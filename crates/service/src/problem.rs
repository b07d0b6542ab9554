//! Errors as answers: RFC 9457 problem documents.

use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

/// What went wrong, for programs. Each code has one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// No such route.
    NotFound,
    /// The route exists, but not for this method.
    MethodNotAllowed,
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
            Self::Restoring => "restoring",
            Self::BrokerUnavailable => "broker_unavailable",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Restoring | Self::BrokerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
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
}

impl Problem {
    /// A problem with its explanation for people.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, allow: None }
    }

    /// When trying again makes sense.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The method that the route has.
    pub fn allow(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// The document, RFC 9457 section 3. `about:blank`: the status says what kind it is.
    pub(crate) fn document(&self, request_id: &str) -> String {
        let status = self.code.status();
        let document = Document {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
        };
        // Texts and a number: writing them cannot fail.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
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
        let mut answer = answer.finish();
        answer.extensions_mut().insert(self.clone());
        answer
    }
}
