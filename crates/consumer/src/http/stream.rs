//! `GET /v1/users/{id}/stream`.

use std::convert::Infallible;

use actix_web::http::{Method, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
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
        Some(events) => answer.streaming(stream::unfold(events, |mut events| async {
            let bytes = events.next().await?;
            Some((Ok::<_, Infallible>(bytes), events))
        })),
    })
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
    let beginning = beginning(last_event_id.as_deref(), &inbox, shared).await?;
    Ok(EventStream::open(&inboxes, &inbox, format, beginning, turn).await?)
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
        let detail = error.to_string();
        match error {
            NotOpened::Read(error) => error.into(),
            NotOpened::NotAdmitted(NotAdmitted::TooMany(_)) => {
                Self::new(Code::TooManyRequests, detail).retry_after(RETRY_AFTER_WAIT)
            }
            NotOpened::NotAdmitted(NotAdmitted::Closed) => {
                Self::new(Code::Overloaded, detail).retry_after(RETRY_AFTER_WAIT)
            }
        }
    }
}
