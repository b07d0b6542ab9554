//! What requests for an inbox have in common.

use std::fmt::Display;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpResponse, HttpResponseBuilder};
use models::{NotificationId, Position, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, de};
use service::{BodyLimits, Code, Parameters, Problem, read_json, require_media_type};
use tokio::time::Instant;

use super::{RETRY_AFTER_WAIT, Shared, tell_staleness};
use crate::inboxes::UserInbox;

/// The longest wait for a position. Longer, and proxies give up first.
const MAX_WAIT_MS: u64 = 30_000;

/// The wait for a position where none is given: longer than a record takes to be applied.
const WAIT_MS: u64 = 5_000;

/// What a read is to have applied, and by when.
#[derive(Debug)]
pub(super) struct Freshness {
    min_position: Option<Position>,
    wait: Duration,
}

/// An id as it is shown: the parser alone takes other spellings too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownId(pub(super) NotificationId);

pub(super) fn user_id(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|error| invalid("path value id", error))
}

pub(super) fn notification_id(text: &str) -> Result<NotificationId, Problem> {
    let id = read_id(text).map_err(|error| invalid("path value nid", error))?;
    Ok(id.0)
}

fn read_id(text: &str) -> Result<ShownId, &'static str> {
    const LENGTH: usize = 36;
    let id = Some(text).filter(|text| text.len() == LENGTH).and_then(|text| text.parse().ok());
    id.map(ShownId).ok_or("not a notification's id: a UUID, 8-4-4-4-12 hexadecimal digits")
}

impl<'de> Deserialize<'de> for ShownId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        read_id(&text).map_err(de::Error::custom)
    }
}

pub(super) fn invalid(what: &str, error: impl Display) -> Problem {
    Problem::new(Code::InvalidRequest, format!("{what}: {error}"))
}

/// Refuses a query on a route that takes none.
pub(super) fn no_parameters(request: &HttpRequest) -> Result<(), Problem> {
    Parameters::of(request, &[]).map(drop)
}

/// Reads a command's body.
pub(super) async fn read_body<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    shared: &Shared,
    max_bytes: usize,
) -> Result<T, Problem> {
    // What is not read to its end would be read as the next request.
    require_media_type(request.headers(), &["application/json"]).map_err(Problem::close)?;
    let limits = BodyLimits { max_bytes, timeout: shared.body_timeout };
    let body: Bytes = shared.commands.read(request.headers(), payload, limits).await?;
    read_json(&body)
}

impl Freshness {
    /// The parameters that say it.
    pub(super) const PARAMETERS: [&'static str; 2] = ["min_position", "wait_ms"];

    pub(super) fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let min_position = parameters.value("min_position", Code::InvalidPosition)?;
        let wait_ms = parameters.integer("wait_ms", 0..=MAX_WAIT_MS)?.unwrap_or(WAIT_MS);
        Ok(Self { min_position, wait: Duration::from_millis(wait_ms) })
    }

    /// Of a route that has no other parameters.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        Self::read(&Parameters::of(request, &Self::PARAMETERS)?)
    }

    /// Waits until what was asked for is applied.
    pub(super) async fn reached(&self, inbox: &UserInbox<'_>) -> Result<(), Problem> {
        let Some(position) = self.min_position else { return Ok(()) };
        let next_offset = inbox.offset_of(position).ok_or_else(foreign_position)?;
        if inbox.applied(next_offset, Instant::now() + self.wait).await {
            return Ok(());
        }
        let waited = self.wait.as_millis();
        let detail = format!("min_position was not applied within {waited} ms; try again");
        Err(Problem::new(Code::PositionNotReached, detail).retry_after(RETRY_AFTER_WAIT))
    }
}

pub(super) fn foreign_position() -> Problem {
    let detail =
        "the position is one of another inbox's partition, or of another life of the topic";
    Problem::new(Code::InvalidPosition, detail)
}

/// 200 with this as JSON, and how old it is.
pub(super) fn json(inbox: &UserInbox<'_>, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut answer = HttpResponse::Ok();
    tell_staleness(&mut answer, inbox.staleness());
    body_of(&mut answer, body)
}

fn body_of(
    answer: &mut HttpResponseBuilder,
    body: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Problem::new(Code::Internal, "the answer cannot be written; the log has the cause")
    })?;
    Ok(answer.content_type(ContentType::json()).body(body))
}
