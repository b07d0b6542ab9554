//! Bare handlers: what the framework alone costs for the same requests and answers.

use actix_web::error::ErrorServiceUnavailable;
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::produce::Log;
use crate::request;

/// The form of a send.
#[derive(Debug, Deserialize)]
pub(super) struct SendForm {
    #[serde(rename = "fromID")]
    pub(super) from_id: i64,
    #[serde(rename = "toID")]
    pub(super) to_id: i64,
    pub(super) message: String,
}

/// An inbox in memory, written as JSON at each request.
#[derive(Debug, Serialize)]
pub(super) struct Inbox {
    notifications: Vec<Notification>,
}

#[derive(Debug, Serialize)]
struct Notification {
    from: User,
    to: User,
    message: String,
}

#[derive(Debug, Serialize)]
struct User {
    id: i64,
    name: String,
}

impl Inbox {
    /// So many notifications with messages of this length.
    pub(super) fn new(notifications: u32, message_bytes: u32) -> Self {
        let notification = |_| Notification {
            from: User { id: 2, name: "Bruno".to_owned() },
            to: User { id: 1, name: "Emma".to_owned() },
            message: request::message(message_bytes as usize),
        };
        Self { notifications: (0..notifications).map(notification).collect() }
    }
}

#[post("/send")]
pub(super) async fn send(
    form: Form<SendForm>,
    log: Data<Option<Log>>,
) -> actix_web::Result<HttpResponse> {
    if let Some(log) = log.as_ref() {
        log.produce(form.into_inner()).await.map_err(ErrorServiceUnavailable)?;
    }
    Ok(HttpResponse::Ok().json(json!({"message": "Notification sent successfully!"})))
}

#[get("/notifications/{user}")]
pub(super) async fn query(_user: Path<i64>, inbox: Data<Inbox>) -> HttpResponse {
    HttpResponse::Ok().json(&**inbox)
}
