//! `GET /livez` and `GET /readyz`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use actix_web::{HttpResponse, web};
use serde_json::json;
use tokio::sync::watch;

use crate::openapi::HealthDocument;

/// Whether a service may be sent requests.
///
/// Ready once it was live for the first time, and until it drains: a broker that goes away later is
/// a detail here and an alert elsewhere, because the service can still read.
#[derive(Debug, Default)]
pub struct Health {
    was_live: watch::Sender<bool>,
    is_draining: AtomicBool,
    details: Mutex<BTreeMap<&'static str, String>>,
}

impl Health {
    /// Everything needed was there once.
    pub fn set_live(&self) {
        self.was_live.send_replace(true);
    }

    /// Waits until everything needed was there once.
    pub async fn live(&self) {
        // The sender is ours, so the wait only ends with the value.
        let _ = self.was_live.subscribe().wait_for(|was_live| *was_live).await;
    }

    /// The service is stopping.
    pub fn set_draining(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// What a person should know, by topic; `None` takes it back.
    pub fn set_detail(&self, topic: &'static str, detail: Option<String>) {
        let mut details = self.details.lock().unwrap_or_else(PoisonError::into_inner);
        match detail {
            Some(detail) => details.insert(topic, detail),
            None => details.remove(topic),
        };
    }

    fn status(&self) -> &'static str {
        match (self.is_draining.load(Ordering::Acquire), *self.was_live.borrow()) {
            (true, _) => "draining",
            (false, true) => READY,
            (false, false) => "starting",
        }
    }
}

const READY: &str = "ready";

/// Whether the process runs.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    responses((status = 200, description = "It runs", body = HealthDocument))
)]
pub(crate) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// Whether it may be sent requests.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, description = "It may; `details` says what is wrong all the same", body = HealthDocument),
        (status = 503, description = "It starts, or stops", body = HealthDocument)
    )
)]
pub(crate) async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let details = health.details.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let status = health.status();
    let mut answer = match status {
        READY => HttpResponse::Ok(),
        _ => HttpResponse::ServiceUnavailable(),
    };
    let details = details.into_iter().map(|(topic, detail)| (topic.to_owned(), detail)).collect();
    answer.json(HealthDocument { status: status.to_owned(), details })
}
