//! The routes.

mod batch;
mod form;
mod notifications;
mod openapi;
mod send;
mod users;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder};
use service::{BodyBudget, BodyLimits, Current, Problem, get, method_not_allowed, openapi_route};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::BatchLimits;
use crate::problem::connecting;
use crate::publisher::Publisher;

/// What the handlers share.
pub(crate) struct Shared {
    /// Empty until Kafka was reached, and while the topics are other ones.
    pub publisher: Arc<Current<Publisher>>,
    /// Of `/send`.
    pub form: BodyLimits,
    /// Of v1.
    pub json: BodyLimits,
    pub body_budget: BodyBudget,
    pub produce_timeout: Duration,
    pub batch: BatchLimits,
    /// A permit for each batch.
    pub batches: Arc<Semaphore>,
    pub stop: CancellationToken,
}

impl Shared {
    fn publisher(&self) -> Result<Arc<Publisher>, Problem> {
        self.publisher.get().ok_or_else(connecting)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.produce_timeout
    }
}

pub(crate) fn routes(shared: &Data<Shared>, config: &mut ServiceConfig) {
    config.app_data(shared.clone());
    config.service(
        web::resource("/send")
            .route(web::post().to(send::send))
            .default_service(method_not_allowed("POST")),
    );
    config.service(
        web::resource("/v1/notifications")
            .route(web::post().to(notifications::publish))
            .default_service(method_not_allowed("POST")),
    );
    config.service(
        web::resource("/v1/notifications/batch")
            .route(web::post().to(batch::notifications))
            .default_service(method_not_allowed("POST")),
    );
    config.service(
        web::resource("/v1/users")
            .route(get().to(users::list))
            .default_service(method_not_allowed("GET, HEAD")),
    );
    // There may be a user with the id `batch`.
    config.service(
        web::resource("/v1/users/batch")
            .route(web::post().to(batch::users))
            .route(get().to(users::show))
            .route(web::put().to(users::put))
            .route(web::delete().to(users::delete))
            .default_service(method_not_allowed("GET, HEAD, PUT, DELETE, POST")),
    );
    config.service(
        web::resource("/v1/users/{id}")
            .route(get().to(users::show))
            .route(web::put().to(users::put))
            .route(web::delete().to(users::delete))
            .default_service(method_not_allowed("GET, HEAD, PUT, DELETE")),
    );
    openapi_route(openapi::document(), config);
}

/// An answer whose JSON is written already.
fn json(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    builder(status).body(body)
}

fn builder(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.content_type(ContentType::json());
    answer
}
