//! `GET /v1/users/{id}/ws`.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream, ProtocolError, Session};
use service::{Code, Origin, Problem};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::Shared;
use super::document::{
    BusyProblem, ForbiddenProblem, LastEventIdParameter, UnavailableProblems, UserIdText,
};
use super::request::user_id;
use super::stream::open;
use crate::live::{EndOfStream, EventStream, Format};

/// The largest frame that a client may send: it has nothing to say. Larger, and whoever floods us costs
/// more; a ping has at most 125 bytes.
const MAX_FRAME_BYTES: usize = 4 * 1024;

/// How often a client is asked whether it is there. One that did not answer by the next time is not.
/// Longer, and those who went without a word are kept for longer; shorter, and idle connections cost
/// more.
const PING_PERIOD: Duration = Duration::from_secs(20);

/// How long a client may take to make room for a frame. Longer, and those who do not read keep their
/// connection; shorter, and a short stall ends a stream.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The stream as a WebSocket.
///
/// Each text frame is `{"id", "event", "data"}`, as of the event stream; a frame with an `id` alone says
/// where the stream is. What a client sends is ignored, but for pings and a close. Close codes: 1012 the
/// service restarts, or the log is another one; 1013 the client read too slowly; 1002 what it sent is no
/// WebSocket frame; 1009 a frame of more than 4,096 bytes; 1011 a fault of ours.
#[utoipa::path(
    get,
    path = "/v1/users/{id}/ws",
    tag = "live",
    params(
        ("id" = inline(UserIdText), Path, description = "Whose inbox"),
        LastEventIdParameter
    ),
    responses(
        (status = 101, description = "A WebSocket (RFC 6455)"),
        ForbiddenProblem,
        BusyProblem,
        UnavailableProblems
    )
)]
pub(crate) async fn ws(
    request: HttpRequest,
    path: Path<String>,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path)?;
    only_from_pages_that_may_ask(&request, &shared.cors_origins)?;
    let (answer, session, messages) = actix_ws::handle(&request, payload).map_err(|error| {
        Problem::new(Code::InvalidRequest, format!("not a WebSocket handshake: {error}")).close()
    })?;
    let events = open(&request, &shared, &user_id, Format::Frames).await?;
    let messages = messages.max_frame_size(MAX_FRAME_BYTES);
    let mut pings = interval(PING_PERIOD);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one comes at once.
    let connection =
        Connection { session, messages, events, pings, has_answered: true, unread_bytes: 0 };
    actix_web::rt::spawn(connection.run());
    Ok(answer)
}

/// A browser lets any page open a WebSocket anywhere, and says which page it is: nothing else does
/// (RFC 6455, section 10.2).
fn only_from_pages_that_may_ask(request: &HttpRequest, origins: &[Origin]) -> Result<(), Problem> {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let is_own = authority.is_some() && authority == text(header::HOST);
    if is_own || origins.iter().any(|admitted| admitted.admits(origin)) {
        return Ok(());
    }
    let detail = "pages of this origin may not ask; --cors-origins names those that may";
    Err(Problem::new(Code::Forbidden, detail))
}

/// Bytes that may be on their way before the client has to show, with a pong, that it reads. Larger, and
/// those who read slowly take more memory; smaller, and catching up waits more often.
const WINDOW_BYTES: usize = 256 * 1024;

const HAVE_YOU_READ: &[u8] = b"read";

struct Connection {
    session: Session,
    messages: MessageStream,
    events: EventStream,
    pings: Interval,
    /// Whether the client answered the last ping, or said anything else since.
    has_answered: bool,
    /// Bytes of which it is not known that the client read them.
    unread_bytes: usize,
}

/// Why a connection ends; none: the client has gone, or does not answer.
type End = Option<CloseCode>;

impl Connection {
    async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        let Some(code) = end else { return };
        let reason = CloseReason { code, description: None };
        // Whoever does not take it is cut.
        let _closed = timeout(WRITE_TIMEOUT, self.session.close(Some(reason))).await;
    }

    async fn step(&mut self) -> Result<(), End> {
        tokio::select! {
            events = self.events.next() => match events {
                Some(lines) => self.send(lines).await,
                None => Err(Some(match self.events.end() {
                    EndOfStream::Restart => CloseCode::Restart,
                    EndOfStream::Slow => CloseCode::Again,
                    EndOfStream::Fault => CloseCode::Error,
                })),
            },
            message = self.messages.recv() => self.answer(message).await,
            _ = self.pings.tick() => {
                if !std::mem::replace(&mut self.has_answered, false) {
                    return Err(None);
                }
                in_time(self.session.ping(b"")).await
            }
        }
    }

    /// Sends each line as a frame.
    async fn send(&mut self, lines: Bytes) -> Result<(), End> {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // JSON is UTF-8.
            let Ok(text) = std::str::from_utf8(line) else { return Err(Some(CloseCode::Error)) };
            in_time(self.session.text(text)).await?;
            self.unread_bytes += text.len();
            if self.unread_bytes > WINDOW_BYTES {
                timeout(WRITE_TIMEOUT, self.until_read()).await.unwrap_or(Err(None))?;
            }
        }
        Ok(())
    }

    /// Waits until the client has read what it was sent: what waits to be sent has no other bound.
    async fn until_read(&mut self) -> Result<(), End> {
        in_time(self.session.ping(HAVE_YOU_READ)).await?;
        loop {
            let message = self.messages.recv().await;
            let is_read = matches!(&message, Some(Ok(Message::Pong(it))) if it == HAVE_YOU_READ);
            self.answer(message).await?;
            if is_read {
                self.unread_bytes = 0;
                return Ok(());
            }
        }
    }

    async fn answer(&mut self, message: Option<Result<Message, ProtocolError>>) -> Result<(), End> {
        self.has_answered = true;
        match message {
            Some(Ok(Message::Ping(payload))) => in_time(self.session.pong(&payload)).await,
            Some(Ok(Message::Close(_))) => Err(Some(CloseCode::Normal)),
            Some(Ok(
                Message::Text(_)
                | Message::Binary(_)
                | Message::Continuation(_)
                | Message::Pong(_)
                | Message::Nop,
            )) => Ok(()),
            Some(Err(ProtocolError::Overflow)) => Err(Some(CloseCode::Size)),
            None => Err(None),
            Some(Err(_)) => Err(Some(CloseCode::Protocol)),
        }
    }
}

async fn in_time(sending: impl Future<Output = Result<(), Closed>>) -> Result<(), End> {
    match timeout(WRITE_TIMEOUT, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Closed)) | Err(_) => Err(None),
    }
}
