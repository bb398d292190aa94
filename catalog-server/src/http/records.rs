//! Records as JSON for their viewer.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_ontology::record::Record;
use catalog_records::{StoredRecord, StoredVersion};
use catalog_schemas::id::{Identifier, Version, ZoneId};
use catalog_schemas::problem::Problem;
use catalog_schemas::record::RecordView;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::app::App;
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
pub(super) struct Found {
    pub(super) stored: StoredRecord,
    pub(super) shown: Record,
    pub(super) versions: Vec<StoredVersion>,
    reader: Reader,
    pub(super) is_withdrawn: bool,
}

impl Found {
    pub(super) async fn find(
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

/// Says whether a viewer reads what is private to a record, which must be one that they may know of.
pub(super) async fn may_read(
    app: &App,
    viewer: &Viewer,
    zone: &ZoneId,
    identifier: &Identifier,
) -> Result<bool, Failure> {
    Ok(Found::find(app, viewer, zone, identifier, None).await?.reader == Reader::Trusted)
}

/// Says what a viewer may read: developers of the namespace and moderators read private terms too.
async fn reader(app: &App, viewer: &Viewer, identifier: &Identifier) -> Result<Reader, Failure> {
    if viewer.moderates() {
        return Ok(Reader::Trusted);
    }
    let Ok(actor) = viewer.may(Permission::Publish(identifier)) else { return Ok(Reader::Public) };
    let develops = app.ledger.develops(&actor.account, &identifier.namespace()).await?;
    Ok(if develops { Reader::Trusted } else { Reader::Public })
}
