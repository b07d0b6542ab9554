//! `GET /notifications/{userID}`, as in the tutorial.

use actix_web::HttpResponse;
use actix_web::http::header::{ContentType, LINK};
use actix_web::web::{Data, Path, Query};
use inbox::{Entry, Page};
use models::{Notification, Offset, UserId};
use serde_json::json;
use service::{Problem, atoi};

use super::document::{AwayProblem, TutorialAnswer, TutorialMessage};
use super::{Shared, list, tell_staleness};
use crate::filter::{Filter, Slice};
use crate::inboxes::UserInbox;

/// The most notifications an answer has.
const MAX_LIMIT: usize = 1_000;

/// The newest notifications of a user, oldest first, as the tutorial has it.
///
/// Of more than `limit`, or than 8 MiB, the newest; `Link` with `rel="next"` leads to the older ones.
#[utoipa::path(
    get,
    path = "/notifications/{userID}",
    tag = "tutorial",
    params(
        (
            "userID" = inline(String),
            Path,
            description = "Whose inbox: an integer",
            pattern = "^[+-]?[0-9]{1,18}$"
        ),
        (
            "limit" = inline(Option<u16>),
            Query,
            description = "At most so many",
            minimum = 1,
            maximum = 1000
        )
    ),
    responses(
        (
            status = 200,
            description = "The notifications, or the message that there are none",
            body = TutorialAnswer,
            headers(
                ("Link" = String, description = "Where older ones are, if there are any"),
                ("Staleness" = u64, description = "Milliseconds since the log was last read, where that is long")
            )
        ),
        (status = 400, description = "The id or the limit is no integer", body = TutorialMessage),
        AwayProblem
    )
)]
pub(crate) async fn newest(
    user_id: Path<String>,
    parameters: Query<Vec<(String, String)>>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = match atoi(&user_id) {
        Ok(id) => UserId::from_integer(id),
        Err(error) => {
            return Ok(refused(format!("failed to parse ID from path value userID: {error}")));
        }
    };
    let limit = match read_limit(&parameters) {
        Ok(limit) => limit,
        Err(reason) => return Ok(refused(reason)),
    };
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(&user_id).await?;
    let newest = Slice { filter: Filter::all(), limit, before: None };
    let read = |page: Page| Ok((body(&page.entries), page.next));
    let (body, next) = inbox.page(newest.query(), read).await?;
    let mut answer = HttpResponse::Ok();
    tell_staleness(&mut answer, inbox.staleness());
    if let Some(next) = next {
        answer.insert_header((LINK, link(&inbox, next, limit)));
    }
    Ok(answer.content_type(ContentType::json()).body(body))
}

/// To what is older (RFC 8288), through the v1 route.
fn link(inbox: &UserInbox<'_>, next: Offset, limit: usize) -> String {
    let user_id = inbox.user_id;
    let cursor = Filter::all().cursor(user_id, inbox.log.topic_id, inbox.log.partition, next);
    let limit = limit.min(list::MAX_LIMIT);
    format!(
        "</v1/users/{user_id}/notifications?cursor={cursor}&status=all&limit={limit}>; rel=\"next\""
    )
}

fn refused(message: String) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"message": message}))
}

fn read_limit(parameters: &[(String, String)]) -> Result<usize, String> {
    let mut limits = parameters.iter().filter(|(name, _)| name == "limit");
    let limit = match (limits.next(), limits.next()) {
        (None, _) => return Ok(MAX_LIMIT),
        (Some((_, limit)), None) => atoi(limit).ok().and_then(|limit| usize::try_from(limit).ok()),
        (Some(_), Some(_)) => None,
    };
    let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("query value limit is not an integer from 1 to {MAX_LIMIT}"))
}

/// The answer, oldest first.
fn body(newest: &[Entry]) -> Vec<u8> {
    if newest.is_empty() {
        return br#"{"message":"No notifications found for user","notifications":[]}"#.to_vec();
    }
    let size: usize = newest.iter().map(|entry| entry.json.len() + 1).sum();
    let mut body = Vec::with_capacity(size + 32);
    body.extend_from_slice(br#"{"notifications":["#);
    for (index, entry) in newest.iter().rev().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_entry(&mut body, entry);
    }
    body.extend_from_slice(b"]}");
    body
}

/// The tutorial's three fields and no others.
fn write_entry(body: &mut Vec<u8>, entry: &Entry) {
    if entry.is_plain {
        return body.extend_from_slice(&entry.json);
    }
    // The store holds what our own writer wrote, so it can be read again.
    if let Ok(notification) = serde_json::from_slice::<Notification>(&entry.json) {
        let plain = notification.into_plain();
        if let Ok(json) = serde_json::to_vec(&plain) {
            body.extend_from_slice(&json);
        }
    }
}
