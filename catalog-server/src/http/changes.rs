//! This zone's own feed, and where the values of a record come from.

use std::sync::Arc;

use axum::extract::State;
use catalog_ontology::record::Record;
use catalog_records::{Feeding, State as RecordState, merge};
use catalog_schemas::harvest::{Feed, FeedEntry, Provenance, ProvenanceSource, TermProvenance, TermSource};
use catalog_schemas::id::{Identifier, ZoneId};
use catalog_schemas::problem::Problem;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::foreign;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Failure;
use crate::http::records::may_read;
use crate::http::viewer::Viewer;
use crate::policy::is_sandbox;
use crate::view::is_listed;

/// Entries of one answer at the most.
const MOST: u32 = 1000;

/// From where on.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct After {
    /// The sequence after which to begin; 0 from the beginning.
    after: u64,
    /// Entries wanted, up to 1,000.
    limit: u32,
}

impl Default for After {
    fn default() -> Self {
        Self { after: 0, limit: 200 }
    }
}

/// Gives what became of this zone's records after a sequence: each record once, as it is now, tombstones included.
///
/// Records of other zones are not handed on: their own zones speak for them.
#[utoipa::path(get, path = "/api/v1/changes", tag = "data", params(After),
    responses((status = 200, description = "A piece of the feed", body = Feed), (status = 400, description = "Not a sequence", body = Problem)))]
pub async fn changes(State(app): State<Arc<App>>, Query(after): Query<After>) -> Result<Json<Feed>, Failure> {
    let zone = app.config.zone.id.clone();
    let limit = after.limit.clamp(1, MOST);
    let (feeding, next) = app.ledger.feed_after(&zone, after.after, limit).await?;
    let is_full = feeding.len() as u32 == limit;
    let epoch = app.ledger.epoch().await?;
    let making = Arc::clone(&app);
    let listed: Vec<_> = feeding.iter().map(|feeding| &feeding.record).filter(|record| is_listed(record)).collect();
    let mut signed = foreign::handed_on(&app.ledger, &listed).await?;
    let entries = tokio::task::spawn_blocking(move || {
        let entry = |feeding: Feeding| {
            let package_signature = signed.remove(&feeding.record.id);
            Some(FeedEntry { package_signature, ..entry(&making, feeding)? })
        };
        feeding.into_iter().filter_map(entry).collect::<Vec<_>>()
    });
    Ok(Json(Feed {
        zone: zone.to_string(),
        base: app.base.clone(),
        epoch,
        entries: entries.await?,
        next,
        mark: app.ledger.change_mark(next).await?,
        after_mark: app.ledger.change_mark(after.after).await?,
        end: !is_full,
    }))
}

/// Makes an entry; nothing for what was never for everybody.
fn entry(app: &App, feeding: Feeding) -> Option<FeedEntry> {
    let Feeding { seq, record, reason } = feeding;
    // What was never for everybody leaves no trace in a feed either.
    if is_sandbox(record.identifier.as_str()) || !record.was_public {
        return None;
    }
    let is_public = is_listed(&record);
    // A record that is not shown any more is gone for whoever follows, whatever it is here.
    let state = if is_public { record.state } else { RecordState::Withdrawn };
    let document = if is_public {
        let json: Value = serde_json::from_str(&record.document).ok()?;
        let public = Record::from_document(&json).ok()?.public_document();
        Some(public)
    } else {
        None
    };
    let content_hash = document.as_ref().map(|document| hex::encode(Sha256::digest(document.to_string().as_bytes())));
    Some(FeedEntry {
        seq,
        iri: app.iri(record.zone.as_str(), record.identifier.as_str()),
        zone: record.zone.to_string(),
        identifier: record.identifier.to_string(),
        kind: record.kind,
        version: record.version.to_string(),
        state: state.as_str().to_owned(),
        source: record.source,
        modified: record.modified.to_string(),
        reason: reason.filter(|_| !is_public),
        document,
        content_hash,
        signature: None,
        key: None,
        package_signature: None,
    })
}

/// Says for every term of a record why it has its value: who is believed, who says otherwise, when and by which rule.
#[utoipa::path(get, path = "/api/v1/records/{zone}/{identifier}/provenance", tag = "find",
    params(("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name")),
    responses((status = 200, description = "Where its values come from", body = Provenance), (status = 404, description = "No such record", body = Problem)))]
pub async fn provenance(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((zone, identifier)): Path<(ZoneId, Identifier)>,
) -> Result<Json<Provenance>, Failure> {
    let sees_private = may_read(&app, &viewer, &zone, &identifier).await?;
    let said = app.ledger.sayings(&zone, &identifier).await?;
    let shown = |source: &str, document: &Value| -> Value {
        if sees_private {
            return document.clone();
        }
        Record::from_document(document).map_or_else(
            |error| {
                tracing::error!(%zone, %identifier, source, %error, "what a source said cannot be read");
                Value::Object(serde_json::Map::new())
            },
            |record| record.public_document(),
        )
    };
    let graph = |source: &str| format!("{}/graph/{source}", app.base);
    let mut sources: Vec<ProvenanceSource> = Vec::new();
    let sayings: Vec<merge::Saying> = said
        .sayings
        .iter()
        .map(|one| merge::Saying { document: shown(&one.saying.source, &one.saying.document), ..one.saying.clone() })
        .collect();
    for saying in merge::ranked(sayings.clone()) {
        let Some(stored) = said.sayings.iter().find(|one| one.saying.source == saying.source) else { continue };
        sources.push(ProvenanceSource {
            graph: graph(&saying.source),
            home: saying.home,
            precedence: saying.precedence,
            key: stored.key.clone(),
            run: stored.run,
            first_seen: stored.first_seen.to_string(),
            modified: stored.modified.to_string(),
            last_seen: stored.last_seen.map(|at| at.to_string()),
            content_hash: stored.content_hash.clone(),
            part: stored.part.clone(),
            source: saying.source,
        });
    }
    let patches: Vec<Value> = said.patches.iter().map(|(patch, _)| patch.clone()).collect();
    let overlaid = said.patches.last().map(|(_, at)| at.to_string());
    let origin = |source: &str, value: Value| {
        let stored = said.sayings.iter().find(|one| one.saying.source == source);
        TermSource {
            source: source.to_owned(),
            run: stored.and_then(|one| one.run),
            at: stored.map(|one| one.modified.to_string()).or(overlaid.clone()).unwrap_or_default(),
            value,
        }
    };
    let is_shown = |key: &str| sees_private || !is_private(&said, key);
    let terms = merge::merge(sayings, &patches)
        .decisions
        .into_iter()
        .filter(|decision| !decision.key.starts_with('@') && is_shown(&decision.key))
        .map(|decision| TermProvenance {
            key: decision.key,
            rule: decision.rule.to_owned(),
            winner: origin(&decision.winner, decision.value),
            losers: decision.losers.into_iter().map(|(source, value)| origin(&source, value)).collect(),
        })
        .collect();
    let home = app.homes.elsewhere(zone.as_str()).map(|_| app.iri(zone.as_str(), identifier.as_str()));
    Ok(Json(Provenance {
        iri: app.iri(zone.as_str(), identifier.as_str()),
        zone: zone.to_string(),
        identifier: identifier.to_string(),
        home,
        sources,
        terms,
    }))
}

/// Says whether a term is not for everybody; only a moderator's patch can hold one after the rest was filtered.
fn is_private(said: &catalog_records::StoredSayings, key: &str) -> bool {
    let kind = said.sayings.first().and_then(|one| one.saying.document.get("@type")?.as_str());
    let kind = kind.and_then(catalog_ontology::terms::Kind::from_word);
    kind.and_then(|kind| catalog_ontology::terms::Table::get().by_key(kind, key))
        .is_none_or(|term| term.visibility != catalog_ontology::terms::Visibility::Public)
}
