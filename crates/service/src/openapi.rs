//! `GET /openapi.json`: what a service offers, made from its code.

use actix_web::http::header::ContentType;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, Route, web};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::{ProblemDocument, get, method_not_allowed};

/// The routes that every service has.
#[derive(OpenApi)]
#[openapi(
    paths(crate::health::livez, crate::health::readyz, crate::metrics::metrics, openapi_json),
    components(schemas(ProblemDocument))
)]
pub struct OperationsApi;

/// Whether a process runs, or is ready.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct HealthDocument {
    /// `alive`; `starting`, `ready` or `draining`.
    pub(crate) status: String,
    /// What a person should know, by topic.
    #[serde(default)]
    pub(crate) details: std::collections::BTreeMap<String, String>,
}

/// Adds `/openapi.json` with this document and the routes that every service has.
pub fn openapi_route(document: utoipa::openapi::OpenApi, config: &mut ServiceConfig) {
    let document = document.merge_from(OperationsApi::openapi());
    // Made of constants: writing it cannot fail.
    let text = web::Bytes::from(document.to_json().unwrap_or_default());
    let answer = move || {
        let text = text.clone();
        async move { HttpResponse::Ok().content_type(ContentType::json()).body(text) }
    };
    let route: Route = get().to(answer);
    config.service(
        web::resource("/openapi.json")
            .route(route)
            .default_service(method_not_allowed("GET, HEAD")),
    );
}

/// What this service offers, as OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    responses((status = 200, description = "This document", content_type = "application/json"))
)]
#[expect(dead_code, reason = "describes the route above")]
fn openapi_json() {}
