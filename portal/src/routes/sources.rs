//! Harvest sources and their runs.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use catalog_schemas::harvest::ReviewDecision;

use super::visit::{Visit, see};
use crate::link::run_path;
use crate::{field, page, words};

pub(super) async fn sources(visit: Visit) -> Response {
    match visit.client.sources().await {
        Ok(all) => visit.page(page::sources::sources(&all, &words::now())),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn source(visit: Visit, Path(id): Path<String>) -> Response {
    match (visit.client.source(&id).await, visit.client.runs(&id).await) {
        (Ok(source), Ok(runs)) => visit.page(page::sources::source(&source, &runs.runs, &words::now())),
        (Err(error), _) | (_, Err(error)) => visit.failed(error),
    }
}

pub(super) async fn run(visit: Visit, Path((id, number)): Path<(String, u64)>) -> Response {
    match visit.client.run(&id, number).await {
        Ok(run) => visit.page(page::sources::run(&run, &words::now())),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn start(visit: Visit, Path(id): Path<String>, body: Bytes) -> Response {
    let dry = field::text(&field::pairs(&body), "dry") == Some("1");
    match visit.client.run_start(&id, dry).await {
        Ok(run) => see(&run_path(&id, run.number)),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn approve(visit: Visit, Path((id, number)): Path<(String, u64)>) -> Response {
    match visit.client.run_approve(&id, number).await {
        Ok(_) => see(&run_path(&id, number)),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn decide(visit: Visit, Path(number): Path<u64>, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let record = field::text(&pairs, "same").map(str::to_owned);
    let apart = field::text(&pairs, "apart").map(|_| "apart");
    let decision = record.as_ref().map(|_| "same").or(apart).unwrap_or_default().to_owned();
    match visit.client.review_decide(number, &ReviewDecision { decision, record }).await {
        Ok(()) => see("/sources"),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn reopen(visit: Visit, Path(number): Path<u64>) -> Response {
    match visit.client.review_reopen(number).await {
        Ok(()) => see("/sources"),
        Err(error) => visit.failed(error),
    }
}
