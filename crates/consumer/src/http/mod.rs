//! The routes.

mod notifications;
mod partitions;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Data, ServiceConfig};
use service::{Code, Current, Problem, get, method_not_allowed};

use crate::inboxes::{Inboxes, ReadError};

/// What the handlers share.
pub(crate) struct Shared {
    /// Empty until Kafka was reached, and while the topics are other ones.
    pub(crate) inboxes: Arc<Current<Inboxes>>,
    /// Where other processes reach this one.
    pub(crate) owner: String,
}

pub(crate) fn routes(shared: &Data<Shared>, config: &mut ServiceConfig) {
    let only_get = || method_not_allowed("GET, HEAD");
    config
        .app_data(shared.clone())
        .service(
            web::resource("/notifications/{userID}")
                .route(get().to(notifications::newest))
                .default_service(only_get()),
        )
        .service(
            web::resource("/v1/partitions")
                .route(get().to(partitions::list))
                .default_service(only_get()),
        );
}

/// When trying again makes sense.
const RETRY_AFTER_WAIT: Duration = Duration::from_secs(1);

impl Shared {
    fn inboxes(&self) -> Result<Arc<Inboxes>, Problem> {
        self.inboxes.get().ok_or_else(|| {
            Problem::new(Code::BrokerUnavailable, "Kafka has not been reached yet; try again")
                .retry_after(RETRY_AFTER_WAIT)
        })
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Restoring { .. } => {
                Self::new(Code::Restoring, error.to_string()).retry_after(RETRY_AFTER_WAIT)
            }
            ReadError::Store(_) | ReadError::Thread(_) => {
                tracing::error!(%error, "inbox cannot be read");
                Self::new(Code::Internal, "the inbox cannot be read; the log has the cause")
            }
        }
    }
}
