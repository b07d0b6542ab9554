//! `GET /v1/partitions`.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use service::Problem;

use super::Shared;
use crate::partition::{State, Status};

#[derive(Serialize)]
struct Partitions<'a> {
    partitions: Vec<PartitionStatus<'a>>,
}

#[derive(Serialize)]
struct PartitionStatus<'a> {
    partition: i32,
    state: &'static str,
    owner: &'a str,
    next_offset: i64,
    high_watermark: i64,
    lag: i64,
}

pub(crate) async fn list(shared: Data<Shared>) -> Result<HttpResponse, Problem> {
    let inboxes = shared.inboxes()?;
    let partitions = inboxes
        .partitions()
        .map(|(partition, status)| PartitionStatus {
            partition: partition.0,
            state: name(status),
            owner: &shared.owner,
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
