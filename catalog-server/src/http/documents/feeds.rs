//! The change log as feeds: LDES for machines that follow, Atom for readers.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use catalog_document::ldes::{self, Fragment, Member, What};
use catalog_document::xml::Xml;
use catalog_document::{Described, Syntax};
use catalog_records::{Change, StoredRecord};
use catalog_schemas::problem::Problem;
use http::HeaderMap;
use serde::Deserialize;

use super::{described_all, document, is_unchanged, link, syntax_of, tag, unchanged};
use crate::app::App;
use crate::homes::Homes;
use crate::http::extract::Query;
use crate::http::problem::Failure;
use crate::policy::is_sandbox;
use crate::view::is_listed;

/// The syntaxes of the stream; those that name graphs first, as they keep a member and its record together.
const SYNTAXES: [Syntax; 6] =
    [Syntax::TriG, Syntax::NQuads, Syntax::JsonLd, Syntax::Turtle, Syntax::NTriples, Syntax::RdfXml];

/// Entries of one page of the Atom feed.
const ENTRIES: u32 = 50;

/// Which fragment is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct After {
    /// The sequence that the fragment's changes come after.
    #[serde(default)]
    after: u64,
}

/// Gives the changes as a linked data event stream, a fragment at a time.
#[utoipa::path(get, path = "/feed", tag = "data", params(After),
    responses((status = 200, description = "A fragment (tree:Node) of the ldes:EventStream"), (status = 304, description = "Unchanged"),
        (status = 406, description = "No such format", body = Problem)))]
pub async fn stream(
    State(app): State<Arc<App>>,
    Query(asked): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let syntax = syntax_of(&headers, None, &SYNTAXES)?;
    let tag = tag(&format!("{}-{}-{}", app.ledger.last_seq(), asked.after, syntax.suffix()))?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    // What fits is given; the fragment is full when as many changes were found as it may hold.
    let limit = u32::try_from(ldes::FRAGMENT).unwrap_or(u32::MAX);
    let changes = app.ledger.changes_after(asked.after, limit).await?;
    let to = changes.last().map_or(asked.after, |change| change.seq);
    let next = (changes.len() as u64 == ldes::FRAGMENT).then_some(to);
    let records = records_of(&app, &changes).await?;
    let (base, homes) = (app.base.clone(), app.projection.homes());
    let body = tokio::task::spawn_blocking(move || {
        let members: Vec<Member> =
            changes.iter().filter_map(|change| member(&homes, change, records.get(&key(change))?)).collect();
        let fragment = Fragment { base: &base, after: asked.after, to, next, members: &members };
        syntax.write_quads(&ldes::fragment(&fragment))
    });
    let body = body.await?.map_err(Failure::internal)?;
    let mut response = document(syntax.media_type(), body, Some(tag))?;
    link(&mut response, next.map(|next| format!("<{}>; rel=\"next\"", ldes::address(&app.base, next))));
    Ok(response)
}

type Known = (StoredRecord, Option<Described>);

fn key(change: &Change) -> String {
    format!("{}/{}", change.zone, change.identifier)
}

async fn records_of(app: &Arc<App>, changes: &[Change]) -> Result<HashMap<String, Known>, Failure> {
    let keys: Vec<_> = changes.iter().map(|change| (change.zone.clone(), change.identifier.clone())).collect();
    let stored = app.ledger.records(&keys).await?;
    let described = described_all(app, stored).await?.into_iter();
    Ok(described.map(|known| (format!("{}/{}", known.0.zone, known.0.identifier), known)).collect())
}

/// Makes the member of a change; drafts have none.
fn member(homes: &Homes, change: &Change, (stored, described): &Known) -> Option<Member> {
    let what = what(stored)?;
    Some(Member {
        seq: change.seq,
        record: homes.iri(change.zone.as_str(), change.identifier.as_str()),
        what,
        at: change.at.to_string(),
        says: described.as_ref().map(Described::triples).unwrap_or_default(),
    })
}

fn what(stored: &StoredRecord) -> Option<What> {
    if is_sandbox(stored.identifier.as_str()) {
        return None;
    }
    // Who followed while it could be seen must let it go, whether it was withdrawn, is a draft again, or was hidden.
    if !is_listed(stored) {
        return stored.was_public.then_some(What::Delete);
    }
    Some(if stored.created == stored.modified { What::Create } else { What::Update })
}

/// Which page is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct Before {
    /// The sequence that the page's changes come before; the newest when absent.
    before: Option<u64>,
}

/// Gives the newest changes as an Atom feed (RFC 4287).
#[utoipa::path(get, path = "/feed.atom", tag = "data", params(Before),
    responses((status = 200, description = "The newest changes"), (status = 304, description = "Unchanged")))]
pub async fn atom(
    State(app): State<Arc<App>>,
    Query(asked): Query<Before>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let before = asked.before.unwrap_or(u64::MAX);
    let tag = tag(&format!("{}-atom-{before}", app.ledger.last_seq()))?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let changes = app.ledger.latest_changes(before, ENTRIES).await?;
    let records = records_of(&app, &changes).await?;
    let (base, title) = (app.base.as_str(), format!("Alidade of {}: what changed", app.config.zone.name));
    let mut xml = Xml::document();
    xml.open("feed", &[("xmlns", "http://www.w3.org/2005/Atom")]).leaf("id", &[], &format!("{base}/feed.atom"));
    xml.leaf("title", &[], &title);
    let updated = changes.first().map_or(jiff::Timestamp::UNIX_EPOCH, |change| change.at);
    xml.leaf("updated", &[], &updated.to_string());
    let own =
        asked.before.map_or_else(|| format!("{base}/feed.atom"), |before| format!("{base}/feed.atom?before={before}"));
    xml.empty("link", &[("rel", "self"), ("type", "application/atom+xml"), ("href", &own)]);
    xml.empty("link", &[("rel", "alternate"), ("type", "text/html"), ("href", &format!("{base}/search?sort=newest"))]);
    if changes.len() == ENTRIES as usize
        && let Some(last) = changes.last()
    {
        xml.empty("link", &[("rel", "next"), ("href", &format!("{base}/feed.atom?before={}", last.seq))]);
    }
    for change in &changes {
        if let Some(known) = records.get(&key(change)) {
            entry(&mut xml, &app, change, known);
        }
    }
    document("application/atom+xml; charset=utf-8", xml.finish(), Some(tag))
}

fn entry(xml: &mut Xml, app: &App, change: &Change, (stored, described): &Known) {
    let Some(what) = what(stored) else { return };
    let iri = app.iri(change.zone.as_str(), change.identifier.as_str());
    let (title, summary, author) = match described {
        Some(one) => (one.name().to_owned(), one.summary().to_owned(), one.publisher().name),
        None => (
            format!("Withdrawn: {}", change.identifier),
            "This record was withdrawn.".to_owned(),
            change.zone.to_string(),
        ),
    };
    let word = match what {
        What::Create => "new",
        What::Update => "changed",
        What::Delete => "withdrawn",
    };
    xml.open("entry", &[]).leaf("id", &[], &iri).leaf("title", &[], &title);
    xml.leaf("updated", &[], &change.at.to_string()).leaf("published", &[], &stored.created.to_string());
    let page = format!("{}/record/{}/{}", app.base, change.zone, change.identifier);
    xml.empty("link", &[("rel", "alternate"), ("type", "text/html"), ("href", &page)]);
    xml.open("author", &[]).leaf("name", &[], &author).close();
    xml.empty("category", &[("term", &stored.kind)]).empty("category", &[("term", word)]);
    xml.leaf("summary", &[], &summary).close();
}
