//! Harvest sources and their runs, for those who look after them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_records::{Decision, Naming, Origin};
use catalog_schemas::harvest::{NewRun, ReviewDecision, RunView, Runs, SourceSettings, SourceView, Sources};
use catalog_schemas::problem::{Finding, Problem};
use http::StatusCode;

use crate::app::App;
use crate::harvest;
use crate::http::extract::{Json, Path};
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::{Permission, Viewer};

/// Runs listed at once.
const RUNS: u32 = 50;
/// Identities to decide listed at once.
const REVIEWS: u32 = 200;
/// Decided identities listed at once.
const DECIDED: u32 = 50;

/// Lists the sources with how each is, and identities that wait for somebody to decide.
#[utoipa::path(get, path = "/api/v1/sources", tag = "harvest",
    responses((status = 200, description = "The sources", body = Sources), (status = 403, description = "For moderators", body = Problem)))]
pub async fn sources(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Json<Sources>, Failure> {
    viewer.may(Permission::Moderate)?;
    let mut sources = Vec::new();
    for source in app.ledger.harvest_sources().await? {
        sources.push(harvest::view(&app, source).await?);
    }
    let (reviews, decided) = (app.ledger.reviews(REVIEWS).await?, app.ledger.reviews_decided(DECIDED).await?);
    Ok(Json(Sources { sources, reviews, decided }))
}

/// Describes a source, new or otherwise than before.
#[utoipa::path(post, path = "/api/v1/sources", tag = "harvest", request_body = SourceSettings,
    responses((status = 201, description = "The source", body = SourceView), (status = 403, description = "For administrators", body = Problem),
        (status = 422, description = "It cannot be used", body = Problem)))]
pub async fn define(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Json(settings): Json<SourceSettings>,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Administer)?;
    if settings.options.contains_key("folder") || settings.url.starts_with("file:") {
        let finding =
            Finding::error("source.folder", "a folder of the server is read only when its configuration says so");
        return Err(Failure::unprocessable(finding.pointer("/folder").fix("write it into `alidade.toml`")));
    }
    harvest::check(app.config.zone.id.as_str(), &settings)
        .map_err(|error| Failure::unprocessable(Finding::error("source.settings", error.to_string())))?;
    let known = app.ledger.source(&settings.id).await?;
    if known.as_ref().is_some_and(|known| known.origin == Origin::Configuration && !known.retired) {
        let finding = Finding::error("source.configured", "the configuration file describes this source");
        return Err(Failure::unprocessable(finding.pointer("/id").fix("change it there, or give another id")));
    }
    let id = settings.id.clone();
    app.ledger.source_define(settings, Origin::Api, actor, &request_id()).await?;
    app.harvester.wake();
    let source = app.ledger.source(&id).await?.ok_or_else(|| Failure::not_found("source", &id))?;
    let status = if known.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(harvest::view(&app, source).await?)).into_response())
}

/// Says how a source is.
#[utoipa::path(get, path = "/api/v1/sources/{id}", tag = "harvest", params(("id" = String, Path, description = "The source")),
    responses((status = 200, description = "The source", body = SourceView), (status = 404, description = "No such source", body = Problem)))]
pub async fn source(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<SourceView>, Failure> {
    viewer.may(Permission::Moderate)?;
    Ok(Json(harvest::view(&app, found(&app, &id).await?).await?))
}

/// Retires a source that the API described: it runs no more, what it brought stays.
#[utoipa::path(delete, path = "/api/v1/sources/{id}", tag = "harvest", params(("id" = String, Path, description = "The source")),
    responses((status = 204, description = "It is retired"), (status = 404, description = "No such source", body = Problem)))]
pub async fn retire(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Administer)?;
    if found(&app, &id).await?.origin == Origin::Configuration {
        let finding = Finding::error("source.configured", "the configuration file describes this source");
        return Err(Failure::unprocessable(finding.fix("take it out there")));
    }
    app.ledger.source_retire(&id, actor, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists a source's runs, newest first.
#[utoipa::path(get, path = "/api/v1/sources/{id}/runs", tag = "harvest", params(("id" = String, Path, description = "The source")),
    responses((status = 200, description = "The runs", body = Runs), (status = 404, description = "No such source", body = Problem)))]
pub async fn runs(State(app): State<Arc<App>>, viewer: Viewer, Path(id): Path<String>) -> Result<Json<Runs>, Failure> {
    viewer.may(Permission::Moderate)?;
    found(&app, &id).await?;
    Ok(Json(Runs { runs: app.ledger.runs(&id, RUNS).await? }))
}

/// Asks for a run; gives the one that waits or runs already when there is one.
#[utoipa::path(post, path = "/api/v1/sources/{id}/runs", tag = "harvest", request_body = Option<NewRun>, params(("id" = String, Path, description = "The source")),
    responses((status = 202, description = "The run is queued", body = RunView), (status = 404, description = "No such source", body = Problem)))]
pub async fn run(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Moderate)?;
    let asked: NewRun = if body.iter().all(u8::is_ascii_whitespace) {
        NewRun::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Failure::bad_request("json", error.to_string()))?
    };
    found(&app, &id).await?;
    let run = app.ledger.run_queue(&id, asked.dry_run, actor.account.as_str(), &request_id()).await?;
    app.harvester.wake();
    let place = format!("{}/api/v1/sources/{id}/runs/{}", app.base, run.number);
    Ok((StatusCode::ACCEPTED, [(http::header::LOCATION, place)], Json(run)).into_response())
}

/// Gives the report of a run.
#[utoipa::path(get, path = "/api/v1/sources/{id}/runs/{number}", tag = "harvest",
    params(("id" = String, Path, description = "The source"), ("number" = u64, Path, description = "The run")),
    responses((status = 200, description = "The run", body = RunView), (status = 404, description = "No such run", body = Problem)))]
pub async fn report(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((id, number)): Path<(String, u64)>,
) -> Result<Json<RunView>, Failure> {
    viewer.may(Permission::Moderate)?;
    let run = app.ledger.run(&id, number).await?;
    run.map(Json).ok_or_else(|| Failure::not_found("run", &format!("{id}/{number}")))
}

/// Approves a run that is held because of how much it would remove, and applies it.
#[utoipa::path(post, path = "/api/v1/sources/{id}/runs/{number}/approve", tag = "harvest",
    params(("id" = String, Path, description = "The source"), ("number" = u64, Path, description = "The run")),
    responses((status = 200, description = "It is applied", body = RunView), (status = 400, description = "It is not held", body = Problem),
        (status = 404, description = "No such run", body = Problem)))]
pub async fn approve(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((id, number)): Path<(String, u64)>,
) -> Result<Json<RunView>, Failure> {
    let actor = viewer.may(Permission::Moderate)?;
    Ok(Json(harvest::approve(&app, &id, number, actor, &request_id()).await?))
}

/// Decides an identity: `same` makes one record of what the source brought and the record that is named, and leaves a
/// tombstone with its successor; `apart` leaves both. Later runs keep to it.
#[utoipa::path(post, path = "/api/v1/reviews/{number}/decide", tag = "harvest", request_body = ReviewDecision,
    params(("number" = u64, Path, description = "The review")),
    responses((status = 204, description = "It is decided"), (status = 404, description = "No such review waits", body = Problem),
        (status = 409, description = "What is there does not allow it", body = Problem), (status = 422, description = "No such decision", body = Problem)))]
pub async fn decide(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(number): Path<u64>,
    Json(asked): Json<ReviewDecision>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Moderate)?;
    let decision = decision(&app, number, &asked).await?;
    let homes = app.clone();
    let naming: Naming = Arc::new(move |zone, identifier| homes.homes.iri(zone, identifier));
    app.ledger.review_decide(number, decision, naming, actor, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn decision(app: &App, number: u64, asked: &ReviewDecision) -> Result<Decision, Failure> {
    match (asked.decision.as_str(), &asked.record) {
        ("apart", None) => Ok(Decision::Apart),
        ("same", record) => {
            let record = match record {
                Some(record) => record.clone(),
                None => only_record(app, number).await?,
            };
            let (zone, identifier) = record.split_once('/').ok_or_else(|| {
                Failure::unprocessable(Finding::error("review.record", "a record is `zone/identifier`"))
            })?;
            Ok(Decision::Same(zone.parse()?, identifier.parse()?))
        }
        ("apart", Some(_)) => {
            let finding = Finding::error("review.record", "only what is the same is the same as a record");
            Err(Failure::unprocessable(finding.pointer("/record").fix("remove it")))
        }
        (other, _) => {
            let finding = Finding::error("review.decision", "an identity is decided `same` or `apart`");
            Err(Failure::unprocessable(finding.pointer("/decision").got(other).expected("same, apart")))
        }
    }
}

/// Finds the record in question when there is one only.
async fn only_record(app: &App, number: u64) -> Result<String, Failure> {
    let review = app.ledger.review(number).await?.ok_or_else(|| Failure::not_found("review", &number.to_string()))?;
    match <[String; 1]>::try_from(review.records) {
        Ok([record]) => Ok(record),
        Err(_) => {
            let finding =
                Finding::error("review.record", "several records are in question: say which it is the same as");
            Err(Failure::unprocessable(finding.pointer("/record")))
        }
    }
}

/// Takes a decision back: what was made one is two again, and the case waits as before.
#[utoipa::path(post, path = "/api/v1/reviews/{number}/reopen", tag = "harvest", params(("number" = u64, Path, description = "The review")),
    responses((status = 204, description = "It waits again"), (status = 404, description = "No such review was decided", body = Problem),
        (status = 409, description = "What is there does not allow it", body = Problem)))]
pub async fn reopen(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(number): Path<u64>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Moderate)?;
    app.ledger.review_reopen(number, actor, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(app: &App, id: &str) -> Result<catalog_records::StoredSource, Failure> {
    let source = app.ledger.source(id).await?.filter(|source| !source.retired);
    source.ok_or_else(|| Failure::not_found("source", id))
}
