//! `GET /v1/users/{id}/stream`.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::http::{Method, header};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use models::{Position, UserId};
use service::{Code, Parameters, Problem};
use tokio::time::Instant;

use super::document::{
    BusyProblem, LastEventIdHeader, LastEventIdParameter, UnavailableProblems, UserIdText,
};
use super::request::user_id;
use super::{RETRY_AFTER_WAIT, Shared};
use crate::inboxes::UserInbox;
use crate::live::{Beginning, EventStream, Format, GapReason, NotAdmitted, NotOpened};

/// The parameter and the header that say where a stream begins. A browser sends the header when it
/// connects again, and the same URL as before.
const LAST_EVENT_ID: &str = "last_event_id";
const LAST_EVENT_ID_HEADER: &str = "Last-Event-ID";

/// What happens to an inbox, as it happens.
///
/// Events are `notification`, `changed`, `counts`, `gap` and `closing`. With a `Last-Event-ID` the stream
/// begins with what happened since, exactly once and in order, or says with `gap` that this is not known
/// any more. There is no end: the server ends a stream with `closing`, and a client comes back.
#[utoipa::path(
    get,
    path = "/v1/users/{id}/stream",
    tag = "live",
    params(
        ("id" = inline(UserIdText), Path, description = "Whose inbox"),
        LastEventIdHeader,
        LastEventIdParameter
    ),
    responses(
        (
            status = 200,
            description = "Server-sent events, without an end",
            body = String,
            content_type = "text/event-stream"
        ),
        BusyProblem,
        UnavailableProblems
    )
)]
pub(crate) async fn stream(
    request: HttpRequest,
    path: Path<String>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path)?;
    let events = if request.method() == Method::HEAD {
        None
    } else {
        Some(open(&request, &shared, &user_id, Format::EventStream).await?)
    };
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // What stands between passes on what it gets, when it gets it.
        .insert_header(("X-Accel-Buffering", "no"));
    Ok(match events {
        None => answer.finish(),
        Some(events) => answer.streaming(Body::new(events)),
    })
}

/// What is handed to the server at once. Larger, and the buffer of each connection that ever had so much
/// to send keeps that size; smaller, and sending takes more chunks.
const PIECE_BYTES: usize = 4 * 1024;

/// How often the server may ask in vain. It asks again and again, as fast as it can, while a client goes
/// on to send requests behind the one for a stream; else some few times between two events.
const MAX_ASKED_IN_VAIN: usize = 10_000;

/// A client sends requests behind the one for a stream, which has no end.
#[derive(Debug, thiserror::Error)]
#[error("a stream is the last answer of its connection")]
struct TooMuchAsked;

/// A stream as the body of an answer.
struct Body {
    events: BoxStream<'static, Bytes>,
    /// What is to be handed over next.
    rest: Bytes,
    asked_in_vain: usize,
}

impl Body {
    fn new(events: EventStream) -> Self {
        let events = stream::unfold(events, |mut events| async {
            let bytes = events.next().await?;
            Some((bytes, events))
        });
        Self { events: events.boxed(), rest: Bytes::new(), asked_in_vain: 0 }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, TooMuchAsked>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while self.rest.is_empty() {
            match self.events.poll_next_unpin(context) {
                Poll::Ready(Some(bytes)) => self.rest = bytes,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    self.asked_in_vain += 1;
                    if self.asked_in_vain > MAX_ASKED_IN_VAIN {
                        return Poll::Ready(Some(Err(TooMuchAsked)));
                    }
                    return Poll::Pending;
                }
            }
        }
        self.asked_in_vain = 0;
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}

/// Opens a stream as the request asks for it.
pub(super) async fn open(
    request: &HttpRequest,
    shared: &Shared,
    user_id: &UserId,
    format: Format,
) -> Result<EventStream, Problem> {
    let last_event_id = last_event_id(request)?;
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(user_id).await?;
    let turn = shared.streams.take().ok_or_else(|| {
        let detail = format!("{} streams are open; try again", shared.streams.max_streams());
        Problem::new(Code::Overloaded, detail).retry_after(RETRY_AFTER_WAIT)
    })?;
    let opening = async {
        let beginning = beginning(last_event_id.as_deref(), &inbox, shared).await?;
        Ok(EventStream::open(&inboxes, &inbox, format, beginning, turn).await?)
    };
    // Nobody waits for a log that is away when the service stops.
    shared.stop.run_until_cancelled(opening).await.unwrap_or(Err(NotAdmitted::Closed.into()))
}

fn last_event_id(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let parameters = Parameters::of(request, &[LAST_EVENT_ID])?;
    let header = request.headers().get(LAST_EVENT_ID_HEADER);
    // One that is no text is none of ours, and what is known since is not told.
    let header = header.map(|value| value.to_str().unwrap_or("?"));
    let text = header.filter(|text| !text.is_empty()).or(parameters.text(LAST_EVENT_ID));
    Ok(text.filter(|text| !text.is_empty()).map(ToOwned::to_owned))
}

async fn beginning(
    last_event_id: Option<&str>,
    inbox: &UserInbox<'_>,
    shared: &Shared,
) -> Result<Beginning, Problem> {
    let Some(text) = last_event_id else { return Ok(Beginning::Now) };
    let Ok(position) = text.parse::<Position>() else {
        return Ok(Beginning::Gap(GapReason::Reset));
    };
    let deadline = Instant::now() + shared.stream_timeout;
    inbox.beginning(position, deadline).await.map_err(|error| {
        let detail = format!("the position is not applied yet: {error}; try again");
        Problem::new(Code::BrokerUnavailable, detail).retry_after(RETRY_AFTER_WAIT)
    })
}

impl From<NotOpened> for Problem {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::Read(error) => error.into(),
            NotOpened::NotAdmitted(error) => error.into(),
        }
    }
}

impl From<NotAdmitted> for Problem {
    fn from(error: NotAdmitted) -> Self {
        let code = match error {
            NotAdmitted::TooMany(_) => Code::TooManyRequests,
            NotAdmitted::Closed => Code::Overloaded,
        };
        Self::new(code, error.to_string()).retry_after(RETRY_AFTER_WAIT)
    }
}
