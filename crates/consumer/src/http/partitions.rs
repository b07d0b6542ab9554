//! `GET /v1/partitions`.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use service::Problem;
use utoipa::ToSchema;

use super::Shared;
use super::document::AwayProblem;
use crate::partition::{State, Status};

/// Where each partition stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Partitions {
    partitions: Vec<PartitionStatus>,
}

/// Where a partition stands.
#[derive(Serialize, ToSchema)]
struct PartitionStatus {
    /// Its number.
    partition: i32,
    /// `restoring`: it has not reached the end of the log yet; `live`; `draining`: it stops.
    state: &'static str,
    /// Where the process is reached that keeps it.
    owner: String,
    /// The first offset not yet applied.
    next_offset: i64,
    /// The end of the log.
    high_watermark: i64,
    /// Their distance.
    lag: i64,
}

/// Where each partition stands.
#[utoipa::path(
    get,
    path = "/v1/partitions",
    tag = "operations",
    responses((status = 200, description = "Each partition", body = Partitions), AwayProblem)
)]
pub(crate) async fn list(shared: Data<Shared>) -> Result<HttpResponse, Problem> {
    let inboxes = shared.inboxes()?;
    let partitions = inboxes
        .partitions()
        .map(|(partition, status)| PartitionStatus {
            partition: partition.0,
            state: name(status),
            owner: shared.owner.clone(),
            next_offset: status.next_offset.0,
            high_watermark: status.high_watermark.0,
            lag: status.lag(),
        })
        .collect();
    Ok(HttpResponse::Ok().json(Partitions { partitions }))
}

fn name(status: Status) -> &'static str {
    match status.state {
        State::Restoring => "restoring",
        State::Live => "live",
        State::Draining => "draining",
    }
}
