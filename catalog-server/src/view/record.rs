//! A record for the API and its page.

use catalog_ontology::record::Record;
use catalog_ontology::signature::{self, SignatureError, Trust, TrustedKey};
use catalog_ontology::terms::{Kind, Visibility};
use catalog_records::{NamespaceKey, State, StoredRecord, StoredVersion};
use catalog_schemas::CONTEXT;
use catalog_schemas::governance::{Signature, SignatureView};
use catalog_schemas::record::{Parameter, RecordView, VersionView};
use catalog_schemas::volume::Volume;

use super::projection::{Projection, name};
use crate::catalog::FIRST_VERSION;

/// What a reader may see of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Public terms.
    Public,
    /// Private terms too: its developers, moderators and the application.
    Trusted,
}

/// What a view tells beside the record itself.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Every version of it.
    pub versions: &'a [StoredVersion],
    /// The catalogue's volumes.
    pub volumes: &'a [Volume],
    /// What its viewer may read.
    pub reader: Reader,
    /// The keys that may sign its packages.
    pub keys: &'a [NamespaceKey],
}

/// Makes the view of a record at a version for a reader.
pub fn record_view(projection: &Projection, stored: &StoredRecord, shown: &Record, told: &Told<'_>) -> RecordView {
    let Told { versions, volumes, reader, keys } = *told;
    let visibility = if reader == Reader::Trusted { Visibility::Private } else { Visibility::Public };
    let homes = projection.homes();
    let iri = homes.iri(stored.zone.as_str(), stored.identifier.as_str());
    let home = homes.elsewhere(stored.zone.as_str()).map(|_| iri.clone());
    let version = shown.version().map(str::to_owned);
    let current = version.as_deref().is_none_or(|version| version == stored.version.as_str());
    let mut view_versions: Vec<VersionView> = versions
        .iter()
        .filter(|version| reader == Reader::Trusted || version.was_public)
        .map(|version| version_view(version, stored, keys))
        .collect();
    view_versions.sort_by(|one, other| {
        // Versions that are not numbers come in the order in which they were published.
        catalog_records::compare_versions(&other.version, &one.version)
            .unwrap_or_else(|| other.published.cmp(&one.published))
    });
    let launchable = matches!(shown.kind(), Kind::Datalab | Kind::Pipeline);
    let zones = projection.zones_of(shown, stored);
    let mut needed = shown.volumes();
    for need in &mut needed {
        let key = need.volume.rsplit([':', '/']).next().unwrap_or(&need.volume);
        need.name = volumes
            .iter()
            .find(|volume| volume.key == key || volume.iri == need.volume)
            .map(|volume| volume.name.clone());
    }
    let document = if reader == Reader::Trusted { shown.json_ld_with_private(&iri) } else { shown.json_ld(&iri) };
    let view = RecordView {
        iri: match (&version, current) {
            (Some(version), false) => format!("{iri}/{version}"),
            _ => iri,
        },
        zone: stored.zone.to_string(),
        source: stored.source.clone(),
        also: stored.also.clone(),
        home,
        identifier: stored.identifier.to_string(),
        kind: shown.kind().as_str().to_owned(),
        state: stored.state.as_str().to_owned(),
        name: name(shown).to_owned(),
        alternate_name: shown.string("alternateName").map(str::to_owned),
        summary: shown.text("abstract", "en").unwrap_or_default().to_owned(),
        description: shown.text("description", "en").map(str::to_owned),
        current,
        official: shown.is_official(),
        modified: stored.modified.to_string(),
        seq: stored.seq,
        terms: shown.terms_view(visibility),
        document,
        versions: view_versions,
        needs: launchable.then(|| shown.needs()),
        not_launchable: (launchable && zones.is_empty()).then(|| reason(shown)),
        volumes: needed,
        personal_space: shown.boolean("personalSpace").filter(|_| launchable),
        team_space: shown.boolean("teamSpace").filter(|_| launchable),
        inputs: inputs(shown),
        zones,
        quality: Some(shown.quality()),
        cite: cite(projection, stored, shown, version.as_deref().filter(|_| !current)),
        reason: versions
            .iter()
            .filter(|one| one.version.as_str() == version.as_deref().unwrap_or(FIRST_VERSION))
            .find_map(|one| one.reason.clone()),
        replaced_by: shown.string("replacedBy").map(str::to_owned),
        may: Vec::new(),
        version,
    };
    let is_gone = stored.state == State::Withdrawn && reader == Reader::Public;
    if is_gone { tombstone(view) } else { view }
}

/// Leaves of a view what a tombstone says: that it was there, since when it is not, why, and what is used instead. Nothing of
/// what it said: it may have been withdrawn because of that.
fn tombstone(view: RecordView) -> RecordView {
    let document = serde_json::json!({ "@context": CONTEXT, "@id": view.iri, "@type": view.kind });
    RecordView {
        name: view.identifier.clone(),
        alternate_name: None,
        summary: String::new(),
        description: None,
        official: false,
        terms: Vec::new(),
        document,
        needs: None,
        not_launchable: None,
        volumes: Vec::new(),
        zones: Vec::new(),
        quality: None,
        cite: None,
        ..view
    }
}

/// Returns the inputs of a pipeline's workflow.
fn inputs(shown: &Record) -> Vec<Parameter> {
    if shown.kind() != Kind::Pipeline {
        return Vec::new();
    }
    let input = |node: &catalog_ontology::record::Fields| {
        Some(Parameter {
            name: node.text("name")?.to_owned(),
            kind: node.text("type").unwrap_or("Any").to_owned(),
            format: node.text("format").map(str::to_owned),
            required: node.boolean("required").unwrap_or(false),
        })
    };
    shown.nodes("input").into_iter().filter_map(input).collect()
}

fn cite(projection: &Projection, stored: &StoredRecord, shown: &Record, pinned: Option<&str>) -> Option<String> {
    if !stored.state.is_public() {
        return None;
    }
    let ledger = catalog_document::Ledger {
        base: projection.base().to_owned(),
        home: projection.homes().base_of(stored.zone.as_str()),
        zone: stored.zone.to_string(),
        pinned: pinned.map(str::to_owned),
        source: stored.source.clone(),
        issued: stored.created,
        modified: stored.modified,
        seq: stored.seq,
        package: None,
    };
    Some(catalog_document::citation::line(&catalog_document::Described::new(shown, ledger)))
}

fn reason(record: &Record) -> String {
    if record.kind() == Kind::Pipeline {
        "no configured datazone runs pipelines and can hold what it needs and makes".to_owned()
    } else if record.runtime("en").is_none() {
        "catalogued only: no public container image is named for it".to_owned()
    } else {
        "no configured datazone can hold what it needs".to_owned()
    }
}

/// Says what is known of a version's signature now; it was good when it came, and both it and the keys are looked at again.
fn signature_view(version: &StoredVersion, record: &StoredRecord, keys: &[NamespaceKey]) -> Option<SignatureView> {
    let signature: Signature = serde_json::from_str(version.signature.as_deref()?).ok()?;
    let document = serde_json::from_str(&version.document).ok()?;
    let statements = signature::statements_digest(&Record::from_document(&document).ok()?);
    let of = (record.identifier.as_str(), version.version.as_str());
    let trusted: Vec<_> = keys
        .iter()
        .map(|key| TrustedKey { public_key: key.public_key.clone(), revoked: key.revoked.is_some() })
        .collect();
    let state = match signature::verify(&signature, of, &statements, version.digest.as_deref(), &trusted) {
        Ok(Trust::Trusted) => "verified",
        Ok(Trust::Revoked) => "revoked",
        Err(SignatureError::UnknownKey(_)) => "unknown",
        Err(_) => "broken",
    };
    let key = keys.iter().find(|key| key.public_key == signature.public_key);
    Some(SignatureView {
        state: state.to_owned(),
        name: key.map(|key| key.name.clone()),
        namespace: key.map(|key| key.namespace.clone()),
        signature,
    })
}

fn version_view(stored: &StoredVersion, record: &StoredRecord, keys: &[NamespaceKey]) -> VersionView {
    let document: Option<serde_json::Value> = serde_json::from_str(&stored.document).ok();
    // What everybody may no longer read keeps no notes either.
    let document = document.filter(|_| stored.state != State::Withdrawn);
    let notes = document.and_then(|document| {
        let notes = document.get("releaseNotes")?;
        let text = notes
            .as_str()
            .or_else(|| notes.get("en")?.as_str())
            .or_else(|| notes.as_object()?.values().next()?.as_str());
        text.map(str::to_owned)
    });
    VersionView {
        version: stored.version.to_string(),
        state: stored.state.as_str().to_owned(),
        published: stored.published.to_string(),
        digest: stored.digest.clone(),
        size: stored.size,
        notes,
        reason: stored.reason.clone(),
        signature: signature_view(stored, record, keys),
    }
}
