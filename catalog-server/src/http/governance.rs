//! The life of records: editing, states, the moderators' queue, differences.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use catalog_ontology::form::fields;
use catalog_ontology::manifest::{self, Writer};
use catalog_ontology::record::Record;
use catalog_ontology::terms::Visibility;
use catalog_records::workflow::steps_from;
use catalog_records::{Patch, Queued, State, Transition};
use catalog_schemas::governance::{Difference, EditForm, Queue, QueueItem, StateChange, StateChanged};
use catalog_schemas::id::{Identifier, Version, ZoneId};
use catalog_schemas::problem::{Finding, Problem};
use catalog_schemas::record::{Act, RecordView};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::packages::{PublishOptions, acknowledged};
use crate::http::problem::{Failure, request_id};
use crate::http::records::Found;
use crate::http::viewer::{Permission, Viewer};
use crate::view::{Reader, difference};

/// The most versions that a list of waiting ones holds.
const QUEUE: u32 = 500;

/// Returns as whom a viewer may write a record: its developer's words first, then a moderator's.
fn writers(app: &App, viewer: &Viewer, found: &Found) -> Vec<Writer> {
    let mut writers = Vec::new();
    // What another zone says of its record is not ours to amend; only a moderator lays something over it.
    if found.stored.zone == app.config.zone.id && found.develops {
        writers.push(Writer::Developer);
    }
    if viewer.moderates() {
        writers.push(Writer::Moderator);
    }
    writers
}

/// Returns what a viewer may do with what was found.
pub fn acts(app: &App, viewer: &Viewer, found: &Found) -> Vec<Act> {
    let (developer, moderator) = (found.develops, viewer.moderates());
    if !developer && !moderator || found.stored.state == State::Withdrawn {
        return Vec::new();
    }
    let mut acts = Vec::new();
    let is_current = found.shown.version().is_none_or(|version| version == found.stored.version.as_str());
    if is_current && !writers(app, viewer, found).is_empty() {
        acts.push(Act { name: "edit".to_owned(), state: None, reason: false });
    }
    if found.stored.zone == app.config.zone.id {
        let review = app.config.policy.reviews(found.stored.identifier.as_str());
        acts.extend(steps_from(found.stored.state, developer, moderator, review).into_iter().map(|step| Act {
            name: step.name.to_owned(),
            state: Some(step.to.as_str().to_owned()),
            reason: step.reason,
        }));
    }
    acts
}

/// Sets fields of a record under the term table, as a JSON merge patch (RFC 7396) in the keys of a manifest.
///
/// A developer amends the current version: the package stays as it was published, the amendment lies over its words and
/// ends with the next version. A moderator lays an overlay over every version, now and later.
#[utoipa::path(patch, path = "/api/v1/records/{zone}/{identifier}", tag = "find",
    params(PublishOptions, ("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name"),
        ("Alidade-Acknowledge" = Option<String>, Header, description = "Codes of warnings to take responsibility for, separated by commas"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the record as it was read; 412 when it changed since")),
    request_body(content = Object, content_type = "application/merge-patch+json", description = "Keys with their new values; null removes"),
    responses((status = 200, description = "The record as it is now", body = RecordView), (status = 403, description = "A field that is not yours to write", body = Problem),
        (status = 404, description = "No such record", body = Problem), (status = 409, description = "Withdrawn", body = Problem),
        (status = 412, description = "Somebody was faster", body = Problem), (status = 422, description = "Faults in the patch, all of them", body = Problem)))]
pub async fn patch(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Path((zone, identifier)): Path<(ZoneId, Identifier)>,
    Query(taken): Query<PublishOptions>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Account)?;
    let found = Found::find(&app, &viewer, &zone, &identifier, None).await?;
    let writers = writers(&app, &viewer, &found);
    if writers.is_empty() {
        return Err(Failure::forbidden(format!("only the developers of `{identifier}` and moderators edit it")));
    }
    if found.is_withdrawn {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            "withdrawn",
            "this record was withdrawn",
            "nothing of it changes",
        ));
    }
    let expected = expected(&headers, found.stored.seq)?;
    let document = found.document()?;
    let judged = tokio::task::spawn_blocking(move || manifest::patch(&document, &body, &writers)).await?;
    if judged.is_forbidden() {
        return Err(Failure::write_forbidden(judged.findings));
    }
    if !judged.findings.is_empty() {
        return Err(Failure::invalid_request(judged.findings));
    }
    let words = (&found.document()?, &judged.merged);
    let acknowledged = app.catalog.judge_patch(words, &judged.warnings, &acknowledged(&headers, &taken))?;
    let version = found.stored.version.clone();
    let amendment = judged.developer.map(|part| (version, part));
    let patch = Patch { amendment, overlay: judged.moderator, acknowledged };
    if !patch.is_empty() {
        app.catalog.patch(&zone, &identifier, patch, expected, actor, &request_id()).await?;
    }
    let found = Found::find(&app, &viewer, &zone, &identifier, None).await?;
    let seq = found.stored.seq;
    let headers = [(header::ETAG, found.tag()?), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, [("alidade-seq", seq.to_string())], Json(found.view(&app, &viewer).await?)).into_response())
}

/// Reads the sequence that the sender saw; the one found when they do not say.
fn expected(headers: &HeaderMap, found: u64) -> Result<u64, Failure> {
    let Some(given) = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()) else { return Ok(found) };
    let tag = given.trim().trim_matches('"');
    if tag == "*" {
        return Ok(found);
    }
    tag.trim_end_matches("-t").parse().map_err(|_| {
        let detail = "`If-Match` takes the ETag that the record came with";
        Failure::new(StatusCode::PRECONDITION_FAILED, "changed", "somebody was faster", detail)
    })
}

/// Gives the form by which the viewer edits a record: what they may write of it, as it is now.
#[utoipa::path(get, path = "/api/v1/records/{zone}/{identifier}/form", tag = "find",
    params(("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name")),
    responses((status = 200, description = "The form", body = EditForm), (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "Neither a developer of it nor a moderator", body = Problem), (status = 404, description = "No such record", body = Problem)))]
pub async fn form(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Path((zone, identifier)): Path<(ZoneId, Identifier)>,
) -> Result<Json<EditForm>, Failure> {
    viewer.may(Permission::Account)?;
    let found = Found::find(&app, &viewer, &zone, &identifier, None).await?;
    let writers = writers(&app, &viewer, &found);
    if writers.is_empty() {
        return Err(Failure::forbidden(format!("only the developers of `{identifier}` and moderators edit it")));
    }
    let document: serde_json::Value = serde_json::from_str(&found.stored.document).map_err(Failure::internal)?;
    let record = Record::from_document(&document).map_err(Failure::internal)?;
    Ok(Json(EditForm {
        name: found.shown.name("en").to_owned(),
        version: found.stored.version.to_string(),
        seq: found.stored.seq,
        overlay: !writers.contains(&Writer::Developer),
        fields: fields(&record, &writers),
    }))
}

/// Takes a step in the life of a version: submits, approves, returns, deprecates, restores or withdraws it.
#[utoipa::path(post, path = "/api/v1/packages/{identifier}/{version}/state", tag = "publish", request_body = StateChange,
    params(("identifier" = String, Path, description = "namespace.name"), ("version" = String, Path, description = "Such as 0.3.1")),
    responses((status = 200, description = "The state that it has now", body = StateChanged), (status = 403, description = "Not your step", body = Problem),
        (status = 404, description = "No such version", body = Problem), (status = 409, description = "No such step from its state", body = Problem),
        (status = 422, description = "No reason, or no such state", body = Problem)))]
pub async fn state(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Path((identifier, version)): Path<(Identifier, Version)>,
    Json(change): Json<StateChange>,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Account)?.clone();
    let zone = app.config.zone.id.clone();
    let found = Found::find(&app, &viewer, &zone, &identifier, Some(&version)).await?;
    if !found.develops && !viewer.moderates() {
        return Err(Failure::forbidden(format!(
            "only the developers of `{identifier}` and moderators change its state"
        )));
    }
    let to = State::from_word(&change.state).ok_or_else(|| {
        let finding = Finding::error("value.enum", "there is no such state").pointer("/state").got(&change.state);
        Failure::unprocessable(finding.expected("draft, submitted, published, deprecated or withdrawn"))
    })?;
    check_reason(&change, to)?;
    let patch = match &change.replaced_by {
        Some(successor) => Some(successor_of(&app, &viewer, &found, to, successor)?),
        None => None,
    };
    let transition = Transition {
        zone,
        identifier,
        version,
        to,
        reason: change.reason,
        patch,
        review: false,
        actor,
        request: request_id(),
    };
    let seq = app.catalog.transition(transition).await?;
    let changed = StateChanged { state: to.as_str().to_owned(), seq };
    Ok(([("alidade-seq", seq.to_string())], Json(changed)).into_response())
}

fn check_reason(change: &StateChange, to: State) -> Result<(), Failure> {
    let reason = change.reason.as_deref().unwrap_or_default().trim();
    let needed = matches!(to, State::Withdrawn);
    if reason.chars().count() > 500 || needed && reason.is_empty() {
        let finding = Finding::error("withdrawal.reason", "this step needs a reason of 1 to 500 characters");
        return Err(Failure::unprocessable(finding.pointer("/reason")));
    }
    Ok(())
}

/// Makes the patch that names a record's successor, in the words of whoever deprecates it.
fn successor_of(app: &App, viewer: &Viewer, found: &Found, to: State, successor: &str) -> Result<Patch, Failure> {
    if to != State::Deprecated {
        let finding = Finding::error("value.unexpected", "only what is deprecated has a successor");
        return Err(Failure::unprocessable(finding.pointer("/replacedBy").fix("remove it")));
    }
    let document = found.document()?;
    let given = serde_json::json!({ "replacedBy": successor }).to_string();
    let judged = manifest::patch(&document, given.as_bytes(), &writers(app, viewer, found));
    if !judged.findings.is_empty() {
        return Err(Failure::invalid_request(judged.findings));
    }
    let version = found.shown.version().unwrap_or(crate::catalog::FIRST_VERSION).parse()?;
    let amendment = judged.developer.map(|part| (version, part));
    Ok(Patch { amendment, overlay: judged.moderator, acknowledged: Vec::new() })
}

/// Lists what waits: submissions, the longest waiting first, and the viewer's own drafts. Moderators see every submission.
#[utoipa::path(get, path = "/api/v1/queue", tag = "publish",
    responses((status = 200, description = "What waits", body = Queue), (status = 401, description = "Nobody is signed in", body = Problem)))]
pub async fn queue(Shared(app): Shared<Arc<App>>, viewer: Viewer) -> Result<Json<Queue>, Failure> {
    let actor = viewer.may(Permission::Account)?;
    let own = actor.account.as_str();
    let of = (!viewer.moderates()).then_some(own);
    let submitted = app.ledger.queue(State::Submitted, of, QUEUE).await?;
    let drafts = app.ledger.queue(State::Draft, Some(own), QUEUE).await?;
    let items = |queued: Vec<Queued>| queued.into_iter().map(item).collect();
    Ok(Json(Queue { submitted: items(submitted), drafts: items(drafts) }))
}

fn item(queued: Queued) -> QueueItem {
    let document: serde_json::Value = serde_json::from_str(&queued.document).unwrap_or_default();
    let name = ["name", "title"].iter().find_map(|key| document.get(key)?.as_object());
    let name = name.and_then(|names| names.get("en").or_else(|| names.values().next())?.as_str());
    QueueItem {
        name: name.unwrap_or(queued.identifier.name()).to_owned(),
        zone: queued.zone.to_string(),
        identifier: queued.identifier.to_string(),
        kind: queued.kind,
        version: queued.version.to_string(),
        state: queued.state.as_str().to_owned(),
        publisher: queued.publisher,
        since: queued.changed.to_string(),
        published: queued.published,
        acknowledged: queued.acknowledged,
        reason: queued.reason,
    }
}

/// Which versions are compared.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The version to look at; the current one when absent.
    #[param(value_type = Option<String>)]
    version: Option<Version>,
    /// The version to compare it with; the one that everybody sees when absent.
    #[param(value_type = Option<String>)]
    against: Option<Version>,
}

/// Says how two versions of a record differ, term by term, as far as the viewer may read them.
#[utoipa::path(get, path = "/api/v1/records/{zone}/{identifier}/difference", tag = "find", params(Compared,
        ("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name")),
    responses((status = 200, description = "The difference", body = Difference), (status = 404, description = "No such record or version", body = Problem),
        (status = 410, description = "Withdrawn", body = Problem)))]
pub async fn compare(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Path((zone, identifier)): Path<(ZoneId, Identifier)>,
    Query(compared): Query<Compared>,
) -> Result<Json<Difference>, Failure> {
    let newer = Found::find(&app, &viewer, &zone, &identifier, compared.version.as_ref()).await?;
    let gone = |found: &Found| {
        found
            .is_withdrawn
            .then(|| Failure::new(StatusCode::GONE, "withdrawn", "this version was withdrawn", "it is no longer shown"))
    };
    if let Some(gone) = gone(&newer) {
        return Err(gone);
    }
    let current = newer.stored.version.clone();
    let looked_at = newer.shown.version().unwrap_or(crate::catalog::FIRST_VERSION);
    let against = match compared.against {
        Some(against) => Some(against),
        // What everybody sees now; nothing when that is what is looked at, or when nothing is seen yet.
        None => (current.as_str() != looked_at).then_some(current),
    };
    let older = match against {
        Some(version) => Some(Found::find(&app, &viewer, &zone, &identifier, Some(&version)).await?),
        None => None,
    };
    if let Some(gone) = older.as_ref().and_then(gone) {
        return Err(gone);
    }
    let visibility = if newer.reader == Reader::Trusted { Visibility::Private } else { Visibility::Public };
    let older = older.as_ref().map(Found::said).transpose()?;
    Ok(Json(difference(older.as_ref(), &newer.said()?, visibility)))
}
