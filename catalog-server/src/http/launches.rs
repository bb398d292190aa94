//! Datazones, plans, launches and data volumes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use catalog_launch::{LogQuery, SpecFile};
use catalog_ontology::record::Record;
use catalog_ontology::terms::Kind;
use catalog_records::{AccountName, Actor, IdempotencyKey, LaunchFilter, StoredLaunch};
use catalog_schemas::datazone::{Datazone, Datazones};
use catalog_schemas::id::{Identifier, LaunchId, Version, ZoneId};
use catalog_schemas::launch::{Launch, LaunchEvent, LaunchRequest, Launches};
use catalog_schemas::plan::{Plan, PlanRequest};
use catalog_schemas::problem::{Finding, Problem};
use catalog_schemas::volume::{MyVolume, Volume, Volumes, check_mount_path};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::http::accept::negotiate;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{Failure, request_id};
use crate::http::records::{Found, known};
use crate::http::viewer::{Permission, Viewer};
use crate::launcher::Asked;
use crate::pipeline;
use crate::view::Candidate;
use crate::view::volumes::Knower;

/// Lines of a log that are given unless more are asked for.
const TAIL: u32 = 1000;

/// The most lines of a log that are given otherwise than as a file.
const MOST_LINES: u32 = 10_000;

/// Lists the datazones with what is free at each.
#[utoipa::path(get, path = "/api/v1/datazones", tag = "run", responses((status = 200, description = "Datazones", body = Datazones)))]
pub async fn datazones(State(app): State<Arc<App>>) -> Json<Datazones> {
    Json(Datazones { datazones: app.launcher.datazones() })
}

/// Gives one datazone.
#[utoipa::path(get, path = "/api/v1/datazones/{id}", tag = "run", params(("id" = String, Path, description = "The datazone's id")),
    responses((status = 200, description = "The datazone", body = Datazone), (status = 404, description = "No such datazone", body = Problem)))]
pub async fn datazone(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Datazone>, Failure> {
    let found = app.launcher.datazones().into_iter().find(|zone| zone.id == id);
    found.map(Json).ok_or_else(|| Failure::not_found("datazone", &id))
}

/// Plans a launch: for every datazone an offer, or all its reasons against.
#[utoipa::path(post, path = "/api/v1/plans", tag = "run", request_body = PlanRequest,
    responses((status = 200, description = "The plan", body = Plan), (status = 404, description = "No such datalab", body = Problem), (status = 422, description = "The request fits no datazone", body = Problem)))]
pub async fn plan(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Json(request): Json<PlanRequest>,
) -> Result<Json<Plan>, Failure> {
    let candidate = candidate_for(&app, &viewer, &request, false).await?;
    let actor = viewer.may(Permission::Launch).ok();
    Ok(Json(app.launcher.plan(&candidate, &request, actor).await?))
}

/// Starts a launch from an offer, or plans and takes the best offer.
#[utoipa::path(post, path = "/api/v1/launches", tag = "run", request_body = LaunchRequest,
    responses((status = 202, description = "It is on its way", body = Launch), (status = 200, description = "The same request had started it", body = Launch),
        (status = 401, description = "Nobody is signed in", body = Problem), (status = 409, description = "No datazone can run it, or the quota is used up", body = Problem), (status = 410, description = "The offer expired", body = Problem)))]
pub async fn launch(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
    Json(request): Json<LaunchRequest>,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Launch)?;
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let body = serde_json::to_vec(&request).map_err(Failure::internal)?;
    let idempotency =
        key.map(|key| IdempotencyKey { key: key.to_owned(), request: hex::encode(Sha256::digest(&body)) });
    if let Some(key) = &idempotency
        && let Some(id) = app.ledger.idempotent_subject(&actor.account, key).await?
    {
        let stored = app.ledger.launch(&id).await?.ok_or_else(|| Failure::not_found("launch", &id))?;
        return Ok((StatusCode::OK, Json(stored.launch)).into_response());
    }
    let is_held = matches!(request, LaunchRequest::Offer { .. });
    let (candidate, asked) = chosen(&app, &viewer, actor, request).await?;
    let (stored, is_new) = app.launcher.begin(&candidate, asked, is_held, actor, idempotency, request_id()).await?;
    let place = HeaderValue::from_str(&format!("/api/v1/launches/{}", stored.launch.id)).map_err(Failure::internal)?;
    let status = if is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, [(header::LOCATION, place)], Json(stored.launch)).into_response())
}

/// Finds what is to be launched and where: by an offer, as an earlier launch, or by the best offer of a new plan.
async fn chosen(
    app: &App,
    viewer: &Viewer,
    actor: &Actor,
    request: LaunchRequest,
) -> Result<(Candidate, Asked), Failure> {
    match request {
        LaunchRequest::Plan(request) => {
            let candidate = candidate_for(app, viewer, &request, true).await?;
            let asked = app.launcher.choose(&candidate, *request, actor).await?;
            Ok((candidate, asked))
        }
        LaunchRequest::Offer { offer } => {
            let asked = app.launcher.find_offer(&offer, actor).await?;
            let asked = asked.ok_or_else(|| Failure::from(catalog_records::Error::OfferGone))?;
            Ok((candidate_for(app, viewer, &asked.request, true).await?, asked))
        }
        LaunchRequest::Again { launch } => {
            let before = own(app, viewer, &launch.parse::<LaunchId>()?).await?;
            let mut request = app.launcher.asked_before(&before)?.request;
            request.version = Some(before.launch.version.clone());
            let mut candidate = candidate_for(app, viewer, &request, true).await?;
            if let (Some(image), Some(digest)) = (&mut candidate.need.image, before.launch.digest) {
                // What ran is what runs again, whatever its tag says by now.
                image.digest = Some(digest);
            }
            let asked = app.launcher.choose(&candidate, request, actor).await?;
            Ok((candidate, asked))
        }
    }
}

/// Finds what is to be launched: by IRI, by `zone/identifier`, or by identifier in this zone. A pipeline that is run now, and
/// not only planned, has all its inputs.
async fn candidate_for(app: &App, viewer: &Viewer, request: &PlanRequest, is_run: bool) -> Result<Candidate, Failure> {
    let name = request.datalab.as_str();
    let missing = || Failure::not_found("datalab", name);
    let path = name.strip_prefix(&format!("{}/id/", app.base)).unwrap_or(name);
    let (zone, rest) = match path.split_once('/') {
        Some((zone, rest)) => (zone.parse::<ZoneId>()?, rest),
        None => (app.config.zone.id.clone(), path),
    };
    let (identifier, of_iri) =
        rest.split_once('/').map_or((rest, None), |(identifier, version)| (identifier, Some(version)));
    let identifier: Identifier = identifier.parse()?;
    // Who may not know of a record cannot launch it either.
    let found = Found::find(app, viewer, &zone, &identifier, None).await?;
    let digest_of = |version: &Version| found.version(version).and_then(|one| one.digest.clone());
    let mut digest = digest_of(&found.stored.version);
    let mut stored = Some(found.stored.clone()).filter(|stored| stored.state.is_public()).ok_or_else(missing)?;
    let version = request.version.as_deref().or(of_iri).filter(|version| *version != stored.version.as_str());
    if let Some(version) = version {
        let version: Version = version.parse()?;
        let one = app.ledger.version(&zone, &identifier, &version).await?.filter(|one| one.state.is_public());
        stored.document = one.ok_or_else(|| Failure::not_found("version", version.as_str()))?.document;
        digest = digest_of(&version);
    }
    check_datasets(app, viewer, &request.datasets).await?;
    let record = app.projection.record(&stored).ok_or_else(|| Failure::internal("the document cannot be read"))?;
    let iri = app.iri(zone.as_str(), identifier.as_str());
    let mut candidate = Candidate::of(&record, iri, &app.config.runner).ok_or_else(|| {
        let finding = Finding::error("launch.kind", format!("a {} cannot be launched", record.kind()));
        Failure::unprocessable(finding.pointer("/datalab").got(name).expected("a datalab or a pipeline"))
    })?;
    let is_pipeline = record.kind() == Kind::Pipeline && record.string("cwlFile").is_some();
    match digest.filter(|_| is_pipeline) {
        Some(digest) => candidate.files = workflow_files(app, record, &digest, request, is_run).await?,
        None if request.inputs.is_empty() => {}
        None => {
            let finding = Finding::error("input.unknown", "only a pipeline with a workflow has inputs");
            return Err(Failure::invalid_request(vec![finding.pointer("/inputs")]));
        }
    }
    Ok(candidate)
}

/// Reads a pipeline's workflow out of its package, and fits the inputs to it.
async fn workflow_files(
    app: &App,
    record: Record,
    digest: &str,
    request: &PlanRequest,
    is_run: bool,
) -> Result<Vec<SpecFile>, Failure> {
    let archive = app.ledger.blob(digest).await?.ok_or_else(|| Failure::not_found("package", digest))?;
    let inputs = request.inputs.clone();
    let gathered = tokio::task::spawn_blocking(move || pipeline::files(&record, &archive, &inputs, is_run)).await?;
    gathered.map_err(Failure::invalid_request)
}

/// Refuses datasets that the catalogue does not have for this viewer, all of them at once.
async fn check_datasets(app: &App, viewer: &Viewer, datasets: &[String]) -> Result<(), Failure> {
    let mut findings = Vec::new();
    for (position, given) in datasets.iter().enumerate() {
        let path = given.strip_prefix(&format!("{}/id/", app.base)).unwrap_or(given);
        let parts = path.split_once('/').and_then(|(zone, rest)| {
            let identifier = rest.split('/').next().unwrap_or(rest);
            Some((zone.parse::<ZoneId>().ok()?, identifier.parse::<Identifier>().ok()?))
        });
        let stored = match parts {
            Some((zone, identifier)) => known(app, viewer, &zone, &identifier).await?,
            None => None,
        };
        if !stored.is_some_and(|stored| stored.state.is_public() && stored.kind == "Dataset") {
            let message = format!("there is no dataset `{}`", given.chars().take(120).collect::<String>());
            findings
                .push(Finding::error("dataset.unknown", message).pointer(format!("/datasets/{position}")).got(given));
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::invalid_request(findings)) }
}

/// Lists the viewer's launches, newest first; who moderates sees all.
#[utoipa::path(get, path = "/api/v1/launches", tag = "run",
    responses((status = 200, description = "Launches", body = Launches), (status = 401, description = "Nobody is signed in", body = Problem)))]
pub async fn launches(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Json<Launches>, Failure> {
    let actor = viewer.may(Permission::Launch)?;
    let filter = LaunchFilter { owner: Some(actor.account.clone()), limit: 200, ..LaunchFilter::default() };
    let stored = app.ledger.launches(&filter).await?;
    Ok(Json(Launches { launches: stored.into_iter().map(|stored| stored.launch).collect() }))
}

/// Gives one launch.
#[utoipa::path(get, path = "/api/v1/launches/{id}", tag = "run", params(("id" = String, Path, description = "The launch's id")),
    responses((status = 200, description = "The launch", body = Launch), (status = 404, description = "No such launch of the viewer's", body = Problem)))]
pub async fn launch_get(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<LaunchId>,
) -> Result<Json<Launch>, Failure> {
    own(&app, &viewer, &id).await.map(|stored| Json(stored.launch))
}

/// Stops a launch; stopping again is the same.
#[utoipa::path(delete, path = "/api/v1/launches/{id}", tag = "run", params(("id" = String, Path, description = "The launch's id")),
    responses((status = 200, description = "It is stopping, or over", body = Launch), (status = 404, description = "No such launch of the viewer's", body = Problem)))]
pub async fn stop(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<LaunchId>,
) -> Result<Json<Launch>, Failure> {
    let stored = own(&app, &viewer, &id).await?;
    Ok(Json(app.launcher.stop(stored, viewer.may(Permission::Launch)?).await?.launch))
}

/// Lets a launch live on for another lifetime.
#[utoipa::path(post, path = "/api/v1/launches/{id}/renew", tag = "run", params(("id" = String, Path, description = "The launch's id")),
    responses((status = 200, description = "It lives on; `expires` says until when", body = Launch), (status = 404, description = "No such launch of the viewer's", body = Problem), (status = 409, description = "It is over, or cannot live longer", body = Problem)))]
pub async fn renew(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<LaunchId>,
) -> Result<Json<Launch>, Failure> {
    let stored = own(&app, &viewer, &id).await?;
    Ok(Json(app.launcher.renew(stored, viewer.may(Permission::Launch)?).await?.launch))
}

/// Gives what happened to a launch; follows it as server-sent events when asked for `text/event-stream`.
#[utoipa::path(get, path = "/api/v1/launches/{id}/events", tag = "run", params(("id" = String, Path, description = "The launch's id")),
    responses((status = 200, description = "Events", body = Vec<LaunchEvent>), (status = 404, description = "No such launch of the viewer's", body = Problem)))]
pub async fn events(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<LaunchId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    own(&app, &viewer, &id).await?;
    if !wants_stream(&headers) {
        return Ok(Json(app.ledger.launch_events(id.as_str(), 0).await?).into_response());
    }
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    Ok(Sse::new(follow_events(app, id, last)).keep_alive(KeepAlive::default()).into_response())
}

fn follow_events(app: Arc<App>, id: LaunchId, last: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    let start = (app, id, last, false);
    futures::stream::unfold(start, |(app, id, last, is_over)| async move {
        if is_over {
            return None;
        }
        loop {
            let events = app.ledger.launch_events(id.as_str(), last).await.ok()?;
            if let Some(newest) = events.last() {
                let next = (newest.number, newest.state.is_final());
                let items: Vec<Result<Event, Infallible>> = events
                    .iter()
                    .filter_map(|event| Event::default().id(event.number.to_string()).json_data(event).ok())
                    .map(Ok)
                    .collect();
                return Some((futures::stream::iter(items), (app, id, next.0, next.1)));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
    .flatten()
}

/// Which part of a log.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogPart {
    /// Only lines from then on, RFC 3339.
    #[param(value_type = Option<String>)]
    since: Option<jiff::Timestamp>,
    /// Only this many of the last lines, at most 10000; 1000 unless the log is downloaded.
    tail: Option<u32>,
    /// As a file, whole.
    #[serde(default)]
    download: bool,
}

/// Gives the end of a launch's log; follows it as server-sent events when asked for `text/event-stream`.
#[utoipa::path(get, path = "/api/v1/launches/{id}/logs", tag = "run", params(LogPart, ("id" = String, Path, description = "The launch's id")),
    responses((status = 200, description = "Lines", body = Vec<String>), (status = 404, description = "No such launch of the viewer's", body = Problem)))]
pub async fn logs(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<LaunchId>,
    Query(part): Query<LogPart>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let stored = own(&app, &viewer, &id).await?;
    let follow = wants_stream(&headers) && !part.download;
    // The log of a lab that was removed is kept here.
    let kept = app.ledger.launch_log(id.as_str()).await?;
    if !follow && !kept.is_empty() {
        let from = part.tail.map_or(0, |tail| kept.len().saturating_sub(tail as usize));
        return lines_answer(&headers, &part, &id, kept[from..].to_vec());
    }
    let tail = if part.download { part.tail } else { Some(part.tail.unwrap_or(TAIL).min(MOST_LINES)) };
    let lines = app.launcher.logs(&stored, LogQuery { since: part.since, tail, follow }).await?;
    if follow {
        // A log is text that strangers wrote: each line is one event, control characters are the viewer's to escape.
        let events = lines.filter_map(|line| async move {
            line.ok().map(|line| Ok::<_, Infallible>(Event::default().data(clean(&line.text))))
        });
        return Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response());
    }
    let lines = lines.filter_map(|line| async move { line.ok().map(|line| line.text) }).collect().await;
    lines_answer(&headers, &part, &id, lines)
}

fn lines_answer(headers: &HeaderMap, part: &LogPart, id: &LaunchId, lines: Vec<String>) -> Result<Response, Failure> {
    if part.download {
        let name = HeaderValue::from_str(&format!("attachment; filename=\"{id}.log\"")).map_err(Failure::internal)?;
        let text = lines.into_iter().map(|line| line + "\n").collect::<String>();
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        return Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response());
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if negotiate(accept, &["application/json", "text/plain"]) == Some(1) {
        let text = lines.into_iter().map(|line| line + "\n").collect::<String>();
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response());
    }
    Ok(Json(lines).into_response())
}

/// An event's data must be one line.
fn clean(line: &str) -> String {
    line.replace(['\r', '\n'], " ")
}

fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

/// Finds a launch that is the viewer's, or any for who moderates; another's is answered like none.
async fn own(app: &App, viewer: &Viewer, id: &LaunchId) -> Result<StoredLaunch, Failure> {
    viewer.may(Permission::Launch)?;
    let stored = app.ledger.launch(id.as_str()).await?.filter(|stored| viewer.is_or_moderates(&stored.launch.owner));
    stored.ok_or_else(|| Failure::not_found("launch", id.as_str()))
}

/// Lists the data volumes, with the viewer's own marked.
#[utoipa::path(get, path = "/api/v1/volumes", tag = "run", responses((status = 200, description = "Volumes", body = Volumes)))]
pub async fn volumes(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Json<Volumes>, Failure> {
    let mut volumes = volumes_for(&app, viewer.account()).await?;
    if let Some(account) = viewer.account() {
        let chosen = app.ledger.my_volumes(account).await?;
        for volume in &mut volumes {
            if let Some(mine) = chosen.iter().find(|mine| mine.volume == volume.key) {
                volume.mine = true;
                volume.my_mount_path.clone_from(&mine.mount_path);
            }
        }
    }
    app.launcher.tell_verified(&mut volumes);
    if viewer.moderates() {
        add_technical_details(&app, &mut volumes);
    }
    if let Ok(actor) = viewer.may(Permission::Launch) {
        let spaces = app.launcher.spaces(actor).await?;
        volumes.splice(0..0, spaces);
    }
    Ok(Json(Volumes { volumes }))
}

/// Returns the volumes that an account may see.
async fn volumes_for(app: &App, account: Option<&AccountName>) -> Result<Vec<Volume>, Failure> {
    let Some(account) = account else { return app.volumes.volumes_for(None).await };
    let teams = app.ledger.teams(account).await?;
    app.volumes.volumes_for(Some(Knower { account, teams: &teams })).await
}

fn add_technical_details(app: &App, volumes: &mut [Volume]) {
    for volume in volumes {
        for replica in &mut volume.replicas {
            let zone = app.config.datazone.iter().find(|zone| zone.id.as_str() == replica.datazone);
            let held = zone.and_then(|zone| zone.volume.iter().find(|held| held.volume == volume.key));
            replica.backend_source =
                held.map(|held| held.path.to_string_lossy().into_owned()).filter(|path| !path.is_empty());
        }
    }
}

/// Adds a volume to the viewer's own; adding again changes its path.
#[utoipa::path(put, path = "/api/v1/me/volumes/{key}", tag = "run", request_body = MyVolume, params(("key" = String, Path, description = "The volume's key")),
    responses((status = 204, description = "Added"), (status = 404, description = "No such volume", body = Problem), (status = 422, description = "Not a mount path, or taken", body = Problem)))]
pub async fn my_volume_add(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(key): Path<String>,
    Json(chosen): Json<MyVolume>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Launch)?;
    let volumes = volumes_for(&app, Some(&actor.account)).await?;
    let volume = volumes.iter().find(|volume| volume.key == key).ok_or_else(|| Failure::not_found("volume", &key))?;
    let path = chosen.mount_path.as_deref().map(str::trim).filter(|path| !path.is_empty());
    let invalid = |code, message: String| Failure::unprocessable(Finding::error(code, message).pointer("/mountPath"));
    if let Some(path) = path {
        check_mount_path(path).map_err(|error| invalid("mount.invalid", error.to_string()))?;
    }
    let wanted = path.unwrap_or(&volume.default_mount_path);
    for mine in app.ledger.my_volumes(&actor.account).await?.iter().filter(|mine| mine.volume != key) {
        let default =
            volumes.iter().find(|volume| volume.key == mine.volume).map(|volume| volume.default_mount_path.as_str());
        let taken = mine.mount_path.as_deref().or(default).unwrap_or_default();
        if overlaps(wanted, taken) {
            return Err(invalid(
                "mount.conflict",
                format!("`{wanted}` clashes with `{taken}`, where you mount {}", mine.volume),
            ));
        }
    }
    app.ledger.my_volume_add(&actor.account, &key, path, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says whether one path is, or lies below, the other.
fn overlaps(one: &str, other: &str) -> bool {
    let below = |inner: &str, outer: &str| {
        inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
    };
    !one.is_empty() && !other.is_empty() && (below(one, other) || below(other, one))
}

/// Removes a volume from the viewer's own; removing again is the same.
#[utoipa::path(delete, path = "/api/v1/me/volumes/{key}", tag = "run", params(("key" = String, Path, description = "The volume's key")),
    responses((status = 204, description = "Removed")))]
pub async fn my_volume_remove(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(key): Path<String>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Launch)?;
    app.ledger.my_volume_remove(&actor.account, &key, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::overlaps;

    #[test]
    fn paths_clash_when_one_holds_the_other() {
        assert!(overlaps("/data/user/a", "/data/user/a"));
        assert!(overlaps("/data/user", "/data/user/a"));
        assert!(!overlaps("/data/user/a", "/data/user/ab"));
    }
}
