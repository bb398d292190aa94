//! Records as JSON for their viewer, and as documents of linked data.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use catalog_graph::GraphSyntax;
use catalog_ontology::record::{Record, RecordIris};
use catalog_ontology::terms::Visibility;
use catalog_records::{StoredRecord, StoredVersion};
use catalog_schemas::id::{Identifier, Version, ZoneId};
use catalog_schemas::problem::Problem;
use catalog_schemas::record::RecordView;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::app::App;
use crate::http::accept::negotiate;
use crate::http::extract::{Json, Path, Query};
use crate::http::packages::matches_tag;
use crate::http::problem::Failure;
use crate::http::viewer::{Permission, Viewer};
use crate::view::{Reader, record_view};

/// Which version is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AtVersion {
    /// A version; the current one when absent.
    #[param(value_type = Option<String>)]
    version: Option<Version>,
}

/// Gives a record as its viewer may read it.
#[utoipa::path(get, path = "/api/v1/records/{zone}/{identifier}", tag = "find", params(AtVersion,
        ("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name")),
    responses((status = 200, description = "The record", body = RecordView), (status = 304, description = "Unchanged"),
        (status = 404, description = "No such record", body = Problem), (status = 410, description = "Withdrawn", body = RecordView)))]
pub async fn record(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((zone, identifier)): Path<(ZoneId, Identifier)>,
    Query(at): Query<AtVersion>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let found = Found::find(&app, &viewer, &zone, &identifier, at.version.as_ref()).await?;
    let tag = found.tag()?;
    if headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|given| matches_tag(given, &tag))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let volumes = app.volumes.volumes(&app.base).await?;
    let view = record_view(&app.projection, &found.stored, &found.shown, &found.versions, &volumes, found.reader);
    let status = if found.is_withdrawn { StatusCode::GONE } else { StatusCode::OK };
    let caching = HeaderValue::from_static("no-cache");
    let vary = HeaderValue::from_static("Cookie, Authorization");
    Ok((status, [(header::ETAG, tag), (header::CACHE_CONTROL, caching), (header::VARY, vary)], Json(view))
        .into_response())
}

/// A record at a version, and what its viewer may see.
struct Found {
    stored: StoredRecord,
    shown: Record,
    versions: Vec<StoredVersion>,
    reader: Reader,
    is_withdrawn: bool,
}

impl Found {
    async fn find(
        app: &App,
        viewer: &Viewer,
        zone: &ZoneId,
        identifier: &Identifier,
        version: Option<&Version>,
    ) -> Result<Self, Failure> {
        let name = format!("{zone}/{identifier}");
        let missing = || Failure::not_found("record", &name);
        let mut stored = app.ledger.record(zone, identifier).await?.ok_or_else(missing)?;
        let reader = reader(app, viewer, identifier).await?;
        let is_known = stored.state.is_public() || stored.state == catalog_records::State::Withdrawn;
        if !is_known && reader == Reader::Public {
            return Err(missing());
        }
        let versions = app.ledger.versions(zone, identifier).await?;
        let mut is_withdrawn = stored.state == catalog_records::State::Withdrawn;
        if let Some(version) = version.filter(|version| **version != stored.version) {
            let one = versions.iter().find(|one| one.version == *version).ok_or_else(missing)?;
            is_withdrawn = !one.state.is_public();
            stored.document.clone_from(&one.document);
            stored.modified = one.changed;
            stored.created = one.published;
            let mut shown =
                app.projection.record(&stored).ok_or_else(|| Failure::internal("the document cannot be read"))?;
            crate::view::set(&mut shown, "state", serde_json::json!(one.state.as_str()));
            return Ok(Self { stored, shown, versions, reader, is_withdrawn });
        }
        let shown = app.projection.record(&stored).ok_or_else(|| Failure::internal("the document cannot be read"))?;
        Ok(Self { stored, shown, versions, reader, is_withdrawn })
    }

    fn tag(&self) -> Result<HeaderValue, Failure> {
        let reader = if self.reader == Reader::Trusted { "-t" } else { "" };
        HeaderValue::from_str(&format!("\"{}{reader}\"", self.stored.seq)).map_err(Failure::internal)
    }
}

/// Says what a viewer may read: developers of the namespace and moderators read private terms too.
async fn reader(app: &App, viewer: &Viewer, identifier: &Identifier) -> Result<Reader, Failure> {
    if viewer.moderates() {
        return Ok(Reader::Trusted);
    }
    let Ok(actor) = viewer.may(Permission::Publish(identifier)) else { return Ok(Reader::Public) };
    let owner = app.ledger.owner(&identifier.namespace()).await?;
    Ok(if owner.as_ref() == Some(&actor.account) { Reader::Trusted } else { Reader::Public })
}

/// Leads from an identifier to its page or to its data, or gives the data when the path has a suffix.
#[utoipa::path(get, path = "/id/{zone}/{identifier}", tag = "data",
    params(("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name, also with .ttl, .jsonld, .rdf or .nt")),
    responses((status = 200, description = "The data"), (status = 303, description = "See the page, or the data"),
        (status = 404, description = "No such record", body = Problem), (status = 406, description = "No such format", body = Problem), (status = 410, description = "Withdrawn", body = Problem)))]
pub async fn identifier(
    State(app): State<Arc<App>>,
    Path((zone, last)): Path<(ZoneId, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // An identifier may itself end like a suffix; the whole name wins when there is such a record.
    if let Ok(identifier) = last.parse::<Identifier>()
        && app.ledger.record(&zone, &identifier).await?.is_some()
    {
        return lead(&app, &zone, &identifier, None, &headers).await;
    }
    let (name, syntax) = split_suffix(&last).ok_or_else(|| Failure::not_found("record", &format!("{zone}/{last}")))?;
    document(&app, &zone, &name.parse::<Identifier>()?, None, syntax, &headers).await
}

/// The same for one version of a record.
#[utoipa::path(get, path = "/id/{zone}/{identifier}/{version}", tag = "data",
    params(("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name"), ("version" = String, Path, description = "A version, also with .ttl, .jsonld, .rdf or .nt")),
    responses((status = 200, description = "The data"), (status = 303, description = "See the page, or the data"),
        (status = 404, description = "No such version", body = Problem), (status = 406, description = "No such format", body = Problem), (status = 410, description = "Withdrawn", body = Problem)))]
pub async fn version(
    State(app): State<Arc<App>>,
    Path((zone, identifier, last)): Path<(ZoneId, Identifier, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Ok(version) = last.parse::<Version>()
        && app.ledger.version(&zone, &identifier, &version).await?.is_some()
    {
        return lead(&app, &zone, &identifier, Some(&version), &headers).await;
    }
    let (name, syntax) = split_suffix(&last).ok_or_else(|| Failure::not_found("version", &last))?;
    document(&app, &zone, &identifier, Some(&name.parse()?), syntax, &headers).await
}

fn split_suffix(last: &str) -> Option<(&str, GraphSyntax)> {
    let (name, suffix) = last.rsplit_once('.')?;
    GraphSyntax::ALL.into_iter().find(|syntax| syntax.suffix() == suffix).map(|syntax| (name, syntax))
}

/// Redirects with 303: an identifier names the thing, not its description (Cool URIs for the Semantic Web, section 4.2).
async fn lead(
    app: &App,
    zone: &ZoneId,
    identifier: &Identifier,
    version: Option<&Version>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let mut offered = vec!["text/html"];
    offered.extend(GraphSyntax::ALL.map(GraphSyntax::media_type));
    offered.push("application/json");
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let chosen = negotiate(accept, &offered).ok_or_else(|| {
        let detail = format!("a record is given as {}", offered.join(", "));
        Failure::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "no such format", detail)
    })?;
    let anybody = Viewer::anonymous();
    let found = Found::find(app, &anybody, zone, identifier, version).await?;
    let of_version = version.map(|version| format!("/{version}")).unwrap_or_default();
    if found.is_withdrawn {
        let reason = found.versions.iter().rev().find_map(|one| one.reason.clone());
        let reason = reason.unwrap_or_else(|| "no reason was given".to_owned());
        let detail = format!("{reason}; its tombstone is at {}/record/{zone}/{identifier}{of_version}", app.base);
        return Err(Failure::new(StatusCode::GONE, "withdrawn", "this record was withdrawn", detail));
    }
    let place = match chosen {
        0 => format!("/record/{zone}/{identifier}{of_version}"),
        1..=4 => format!("/id/{zone}/{identifier}{of_version}.{}", GraphSyntax::ALL[chosen - 1].suffix()),
        _ => format!(
            "/api/v1/records/{zone}/{identifier}{}",
            version.map(|v| format!("?version={v}")).unwrap_or_default()
        ),
    };
    Ok(([(header::VARY, HeaderValue::from_static("Accept"))], Redirect::to(&place)).into_response())
}

async fn document(
    app: &App,
    zone: &ZoneId,
    identifier: &Identifier,
    version: Option<&Version>,
    syntax: GraphSyntax,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let found = Found::find(app, &Viewer::anonymous(), zone, identifier, version).await?;
    if found.is_withdrawn {
        return Err(Failure::new(
            StatusCode::GONE,
            "withdrawn",
            "this record was withdrawn",
            "its data is no longer given",
        ));
    }
    let tag =
        HeaderValue::from_str(&format!("\"{}-{}\"", found.stored.seq, syntax.suffix())).map_err(Failure::internal)?;
    if headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|given| matches_tag(given, &tag))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    // Every syntax says the same, so all are written from the same statements.
    let iris = RecordIris::new(&app.base, zone.as_str(), &found.shown);
    let body = syntax.write(&found.shown.triples(&iris, Visibility::Public))?;
    let link = format!("<{}>; rel=\"canonical\"", app.iri(zone.as_str(), identifier.as_str()));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(syntax.media_type())),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (header::LINK, HeaderValue::from_str(&link).map_err(Failure::internal)?),
    ];
    Ok((headers, body).into_response())
}
