//! The routes.

mod actions;
mod counts;
mod document;
mod export;
mod list;
mod notifications;
mod one;
mod partitions;
mod problems;
mod request;
mod send;
mod stream;
mod web_inbox;
mod ws;

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponseBuilder;
use actix_web::web::{self, Data, ServiceConfig};
use service::{BodyBudget, Code, Current, Origin, Problem, get, method_not_allowed, openapi_route};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use crate::forward::Forwarder;
use crate::inboxes::Inboxes;
use crate::live::Turns;

/// What the handlers share.
pub(crate) struct Shared {
    /// Empty until Kafka was reached, and while the topics are other ones.
    pub(crate) inboxes: Arc<Current<Inboxes>>,
    /// Where other processes reach this one.
    pub(crate) owner: String,
    /// Bodies of commands.
    pub(crate) commands: BodyBudget,
    /// Bodies that are handed on.
    pub(crate) sends: BodyBudget,
    /// How long a body may take to arrive.
    pub(crate) body_timeout: Duration,
    pub(crate) forwarder: Forwarder,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) streams: Turns,
    /// How long a stream waits for the position that it is to begin with.
    pub(crate) stream_timeout: Duration,
    pub(crate) stop: CancellationToken,
    /// Pages of these origins may open WebSockets, too.
    pub(crate) cors_origins: Vec<Origin>,
}

pub(crate) fn routes(shared: &Data<Shared>, config: &mut ServiceConfig) {
    const USER: &str = "/v1/users/{id}";
    let only = |methods| move || method_not_allowed(methods);
    let only_get = only("GET, HEAD");
    let only_post = only("POST");
    let of_user = |path: &str| web::resource(format!("{USER}/{path}"));
    config
        .app_data(shared.clone())
        .service(
            web::resource("/notifications/{userID}")
                .route(get().to(notifications::newest))
                .default_service(only_get()),
        )
        .service(
            web::resource("/v1/notifications")
                .route(web::post().to(send::send))
                .default_service(only_post()),
        )
        .service(
            web::resource("/v1/partitions")
                .route(get().to(partitions::list))
                .default_service(only_get()),
        )
        .service(of_user("notifications").route(get().to(list::list)).default_service(only_get()))
        // Before the route of one notification, whose pattern it fits.
        .service(
            of_user("notifications/actions")
                .route(web::post().to(actions::act))
                .default_service(only_post()),
        )
        .service(
            of_user("notifications/{nid}")
                .route(get().to(one::one))
                .route(web::patch().to(one::change))
                .route(web::delete().to(one::delete))
                .default_service(only("GET, HEAD, PATCH, DELETE")()),
        )
        .service(of_user("counts").route(get().to(counts::counts)).default_service(only_get()))
        .service(of_user("stream").route(get().to(stream::stream)).default_service(only_get()))
        .service(of_user("ws").route(web::get().to(ws::ws)).default_service(only("GET")()))
        .service(of_user("export").route(get().to(export::export)).default_service(only_get()));
    web_inbox::routes(config);
    openapi_route(document::Api::openapi(), config);
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

/// Says how old the answer is, where the log could not be read for a while.
fn tell_staleness(answer: &mut HttpResponseBuilder, staleness: Option<Duration>) {
    if let Some(staleness) = staleness {
        answer.insert_header((STALENESS, staleness.as_millis().to_string()));
    }
}

const STALENESS: &str = "Staleness";
