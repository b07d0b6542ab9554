//! The routes.

mod form;
mod send;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Data, ServiceConfig};
use service::{BodyBudget, BodyLimits, Current, method_not_allowed};

use crate::publisher::Publisher;

/// What the handlers share.
pub(crate) struct Shared {
    /// Empty until Kafka was reached, and while the topics are other ones.
    pub publisher: Arc<Current<Publisher>>,
    pub body_limits: BodyLimits,
    pub body_budget: BodyBudget,
    pub produce_timeout: Duration,
}

pub(crate) fn routes(shared: &Data<Shared>, config: &mut ServiceConfig) {
    config.app_data(shared.clone()).service(
        web::resource("/send")
            .route(web::post().to(send::send))
            .default_service(method_not_allowed("POST")),
    );
}
