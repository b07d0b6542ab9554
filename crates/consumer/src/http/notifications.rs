//! `GET /notifications/{userID}`, as in the tutorial.

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::{Data, Path, Query};
use inbox::{Entry, Page};
use models::{Notification, UserId};
use serde_json::json;
use service::{Problem, atoi};

use super::Shared;
use crate::inboxes::Newest;

/// The most notifications an answer has.
const MAX_LIMIT: usize = 1_000;

/// The most bytes of notifications an answer has; it ends with the one that passes this. Larger,
/// and slow readers of large inboxes cost that much memory each; smaller, and ordinary inboxes are
/// cut short.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

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
    let Newest { page, staleness } = shared.inboxes()?.newest(user_id, limit).await?;
    let mut answer = HttpResponse::Ok();
    if let Some(staleness) = staleness {
        answer.insert_header(("Staleness", staleness.as_millis().to_string()));
    }
    Ok(answer.content_type(ContentType::json()).body(body(&page)))
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
fn body(page: &Page) -> Vec<u8> {
    let newest = fitting(&page.entries);
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

fn fitting(newest_first: &[Entry]) -> &[Entry] {
    let mut bytes = 0;
    let fit = newest_first.iter().take_while(|entry| {
        let fits = bytes < MAX_ANSWER_BYTES;
        bytes += entry.json.len();
        fits
    });
    newest_first.get(..fit.count()).unwrap_or(newest_first)
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
