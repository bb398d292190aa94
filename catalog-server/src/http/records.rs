//! Records as JSON for their viewer.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use catalog_ontology::record::Record;
use catalog_records::{State, StoredRecord, StoredVersion, merge_patch};
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
use crate::view::{Reader, Told, is_discoverable, is_listed, record_view};

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
    Shared(app): Shared<Arc<App>>,
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
    let view = found.view(&app, &viewer).await?;
    let status = if found.is_withdrawn { StatusCode::GONE } else { StatusCode::OK };
    let caching = HeaderValue::from_static("no-cache");
    let vary = HeaderValue::from_static("Cookie, Authorization");
    Ok((status, [(header::ETAG, tag), (header::CACHE_CONTROL, caching), (header::VARY, vary)], Json(view))
        .into_response())
}

/// A record at a version, and what its viewer may see.
pub struct Found {
    /// The record, with the document of the version asked for.
    pub stored: StoredRecord,
    /// The same, completed.
    pub shown: Record,
    /// Every version.
    pub versions: Vec<StoredVersion>,
    /// What the viewer may read.
    pub reader: Reader,
    /// Whether what was asked for is withdrawn.
    pub is_withdrawn: bool,
    /// Whether everybody may come across the record.
    pub is_listed: bool,
    /// Whether the viewer develops it.
    pub develops: bool,
}

impl Found {
    /// Finds a record for its viewer; what they may not know of is not there.
    ///
    /// # Errors
    ///
    /// 404; whatever the ledger says.
    pub async fn find(
        app: &App,
        viewer: &Viewer,
        zone: &ZoneId,
        identifier: &Identifier,
        version: Option<&Version>,
    ) -> Result<Self, Failure> {
        let name = format!("{zone}/{identifier}");
        let missing = || Failure::not_found("record", &name);
        let mut stored = app.ledger.record(zone, identifier).await?.ok_or_else(missing)?;
        // A namespace is owned here: that another zone uses the same name says nothing of who develops there.
        let develops = stored.zone == app.config.zone.id && develops(app, viewer, identifier).await?;
        let reader = if develops || viewer.moderates() { Reader::Trusted } else { Reader::Public };
        if !may_know(app, viewer, &stored, reader).await? {
            return Err(missing());
        }
        let is_listed = is_listed(&stored);
        let versions = app.ledger.versions(zone, identifier).await?;
        // What everybody saw is gone for them, whatever its developers prepare since.
        if reader == Reader::Public
            && !stored.state.is_public()
            && let Some(last) = versions.iter().filter(|one| one.was_public).max_by_key(|one| one.changed)
            && last.version != stored.version
        {
            stored.version = last.version.clone();
            stored.document = amended(last)?;
            stored.created = last.published;
            stored.modified = last.changed;
            stored.state = State::Withdrawn;
        }
        let mut is_withdrawn = stored.state == State::Withdrawn;
        if let Some(version) = version.filter(|version| **version != stored.version) {
            let one = versions.iter().find(|one| one.version == *version).ok_or_else(missing)?;
            // A draft of a known record is nobody's business but its developers' and moderators'.
            if reader == Reader::Public && !one.was_public {
                return Err(missing());
            }
            is_withdrawn = one.state == State::Withdrawn;
            stored.document = amended(one)?;
            stored.modified = one.changed;
            stored.created = one.published;
            stored.state = one.state;
        }
        let shown = app.projection.record(&stored).ok_or_else(|| Failure::internal("the document cannot be read"))?;
        Ok(Self { stored, shown, versions, reader, is_withdrawn, is_listed, develops })
    }

    /// Returns the document that is shown, as the ledger has it.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn document(&self) -> Result<serde_json::Value, Failure> {
        serde_json::from_str(&self.stored.document).map_err(Failure::internal)
    }

    /// Returns a version.
    pub fn version(&self, version: &Version) -> Option<&StoredVersion> {
        self.versions.iter().find(|one| one.version == *version)
    }

    /// Returns what the publisher says in this version, with amendments: without dates and state, which are the platform's to
    /// say, and without what a moderator laid over every version.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn said(&self) -> Result<Record, Failure> {
        let version = self.shown.version().unwrap_or(self.stored.version.as_str());
        let one = self.versions.iter().find(|one| one.version.as_str() == version);
        let text = one.map_or_else(|| Ok(self.stored.document.clone()), amended)?;
        let document: serde_json::Value = serde_json::from_str(&text).map_err(Failure::internal)?;
        Record::from_document(&document).map_err(Failure::internal)
    }

    /// Returns the record of a version as its package says it, without what was laid over it since.
    ///
    /// # Errors
    ///
    /// When there is no such version, or its document cannot be read.
    pub fn as_published(&self, version: &Version) -> Result<Record, Failure> {
        let one = self.version(version).ok_or_else(|| Failure::not_found("version", version.as_str()))?;
        let document: serde_json::Value = serde_json::from_str(&one.document).map_err(Failure::internal)?;
        Record::from_document(&document).map_err(Failure::internal)
    }

    /// Makes the view of it for its viewer.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn view(&self, app: &App, viewer: &Viewer) -> Result<RecordView, Failure> {
        let volumes = app.volumes.volumes().await?;
        let keys = match self.versions.iter().any(|version| version.signature.is_some()) {
            true => app.ledger.keys_of(&self.stored.identifier.namespace()).await?,
            false => Vec::new(),
        };
        let told = Told { versions: &self.versions, volumes: &volumes, reader: self.reader, keys: &keys };
        let mut view = record_view(&app.projection, &self.stored, &self.shown, &told);
        if self.stored.zone != app.config.zone.id {
            self.add_foreign_signatures(app, &mut view).await?;
        }
        view.may = crate::http::governance::acts(app, viewer, self);
        Ok(view)
    }

    /// Adds what the home zone says of the signatures of its packages.
    async fn add_foreign_signatures(&self, app: &App, view: &mut RecordView) -> Result<(), Failure> {
        let (zone, identifier) = (&self.stored.zone, &self.stored.identifier);
        for version in &mut view.versions {
            let found = app.ledger.foreign_signature(zone, identifier, &version.version.parse()?).await?;
            version.signature =
                found.and_then(|found| crate::foreign::shown(&found, identifier.as_str(), &version.version));
        }
        Ok(())
    }

    /// Returns the tag of this state of it for this kind of reader.
    ///
    /// # Errors
    ///
    /// Never in practice: a number is a header's value.
    pub fn tag(&self) -> Result<HeaderValue, Failure> {
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

/// Returns a record that the viewer may know of.
pub(super) async fn known(
    app: &App,
    viewer: &Viewer,
    zone: &ZoneId,
    identifier: &Identifier,
) -> Result<Option<StoredRecord>, Failure> {
    let Some(stored) = app.ledger.record(zone, identifier).await? else { return Ok(None) };
    let is_home = stored.zone == app.config.zone.id;
    let is_trusted = viewer.moderates() || is_home && develops(app, viewer, identifier).await?;
    let reader = if is_trusted { Reader::Trusted } else { Reader::Public };
    // A draft may stand behind a tombstone; what it says is its developers'.
    let is_known = may_know(app, viewer, &stored, reader).await?;
    Ok((is_known && (reader == Reader::Trusted || !stored.state.is_in_work())).then_some(stored))
}

/// Returns a version's document with its developers' amendments.
fn amended(version: &StoredVersion) -> Result<String, Failure> {
    if version.amendments.is_empty() {
        return Ok(version.document.clone());
    }
    let mut document: serde_json::Value = serde_json::from_str(&version.document).map_err(Failure::internal)?;
    for amendment in &version.amendments {
        merge_patch(&mut document, &serde_json::from_str(amendment).map_err(Failure::internal)?);
    }
    Ok(document.to_string())
}

/// Says whether a viewer may know that a record exists: everybody of what is listed or has left a tombstone; its developers,
/// moderators and those whom it names of anything. A tombstone stays while a new version is prepared; a draft that was withdrawn leaves
/// none.
async fn may_know(app: &App, viewer: &Viewer, stored: &StoredRecord, reader: Reader) -> Result<bool, Failure> {
    if reader == Reader::Trusted || is_listed(stored) {
        return Ok(true);
    }
    if crate::policy::is_sandbox(stored.identifier.as_str()) {
        return Ok(false);
    }
    if !stored.state.is_public() {
        return Ok(stored.was_public && is_discoverable(&stored.document));
    }
    Ok(stored.state.is_public() && is_allowed(app, viewer, &stored.document).await?)
}

/// Says whether a record names its viewer, or a team of theirs, among those whom it is for.
async fn is_allowed(app: &App, viewer: &Viewer, document: &str) -> Result<bool, Failure> {
    let Some(account) = viewer.account() else { return Ok(false) };
    let Ok(document) = serde_json::from_str::<serde_json::Value>(document) else { return Ok(false) };
    let names = |key: &str, name: &str| {
        let named = document.get(key).and_then(serde_json::Value::as_array);
        named.is_some_and(|named| named.iter().any(|one| one.as_str() == Some(name)))
    };
    if names("allowedUser", account.as_str()) {
        return Ok(true);
    }
    // Most records name no team, and then nobody's teams need to be looked up.
    if document.get("allowedGroup").is_none() {
        return Ok(false);
    }
    Ok(app.ledger.teams(account).await?.iter().any(|team| names("allowedGroup", team)))
}

/// Says whether a viewer develops a record: decides about its namespace, with a credential that may publish there.
async fn develops(app: &App, viewer: &Viewer, identifier: &Identifier) -> Result<bool, Failure> {
    let Ok(actor) = viewer.may(Permission::Publish(identifier)) else { return Ok(false) };
    Ok(app.ledger.develops(&actor.account, &identifier.namespace()).await?)
}
