//! `GET /livez` and `GET /readyz`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use actix_web::{HttpResponse, web};
use serde_json::json;

/// Whether a service may be sent requests.
///
/// Ready once it was live for the first time, and until it drains: a broker that goes away later is
/// a detail here and an alert elsewhere, because the service can still read.
#[derive(Debug, Default)]
pub struct Health {
    was_live: AtomicBool,
    is_draining: AtomicBool,
    details: Mutex<BTreeMap<&'static str, String>>,
}

impl Health {
    /// Everything needed was there once.
    pub fn set_live(&self) {
        self.was_live.store(true, Ordering::Release);
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

    /// Whether the service may be sent requests.
    pub fn is_ready(&self) -> bool {
        self.was_live.load(Ordering::Acquire) && !self.is_draining.load(Ordering::Acquire)
    }

    fn status(&self) -> &'static str {
        if self.is_draining.load(Ordering::Acquire) {
            "draining"
        } else if self.is_ready() {
            "ready"
        } else {
            "starting"
        }
    }
}

pub(crate) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

pub(crate) async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let details = health.details.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut answer = match health.is_ready() {
        true => HttpResponse::Ok(),
        false => HttpResponse::ServiceUnavailable(),
    };
    answer.json(json!({"status": health.status(), "details": details}))
}
