//! One search, from the query to the answer: words, facets in one pass, the page of hits.

use std::time::Instant;

use catalog_schemas::search::{self, Hit, MAX_DEPTH, MAX_SIZE, SearchQuery};
use tantivy::DocAddress;

use crate::card::Card;
use crate::counting::{self, Chosen};
use crate::facets::{self, write_number};
use crate::grammar::{self, Asked};
use crate::highlight::Marker;
use crate::matching::{self, Matched};
use crate::ranking::{self, Place};
use crate::spelling;
use crate::values::{Facet, Labels};
use crate::view::View;

/// About how long the JSON of a hit and of all facets is.
const USUAL: (usize, usize) = (1024, 16 << 10);

/// An answer to a search, written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// A [`catalog_schemas::search::SearchAnswer`] as JSON.
    pub json: Vec<u8>,
    /// The ledger sequence up to which the index had followed.
    pub applied_seq: u64,
}

/// Returns the IRI of a record of a zone; the one that came with it stands where there is none.
pub type Iris<'a> = &'a dyn Fn(&str, &str) -> Option<String>;

/// Answers a search.
pub(crate) fn search(
    view: &View,
    query: &SearchQuery,
    labels: &dyn Labels,
    iris: Iris<'_>,
    within: Option<&[String]>,
) -> tantivy::Result<Answer> {
    let started = Instant::now();
    let asked = grammar::parse(&query.q);
    let mut matched = matching::find(view, &asked)?;
    if let Some(keys) = within {
        matching::restrict(view, &mut matched, keys)?;
    }
    let chosen = chosen(view, query, labels);
    let mut counted = counting::count(view, matched.bits.take(), &chosen)?;
    let total = counted.total;
    let size = query.size.min(MAX_SIZE);
    let start = query.page.saturating_sub(1).saturating_mul(size);
    let places = if size == 0 || start >= total.min(MAX_DEPTH) {
        Vec::new()
    } else {
        let need = start.saturating_add(size).min(total);
        let passing = std::mem::take(&mut counted.passing);
        ranking::first(view, &asked, &matched, passing, query.sort, need)?
    };
    let places = places.get(start..).unwrap_or_default();
    let mut json = Vec::with_capacity(places.len() * USUAL.0 + USUAL.1);
    json.extend_from_slice(br#"{"total":"#);
    write_number(total as u64, &mut json);
    json.extend_from_slice(br#","hits":["#);
    hits(view, &matched, places, iris, &mut json)?;
    json.extend_from_slice(br#"],"facets":"#);
    facets::write(view, counted.counts(view), &chosen, labels, &mut json);
    let did_you_mean = spelling::better(view, &asked, &matched)?;
    for (name, number) in [
        (r#","page":"#, query.page as u64),
        (r#","size":"#, size as u64),
        (r#","tookMs":"#, started.elapsed().as_millis() as u64),
        (r#","appliedSeq":"#, view.applied_seq),
    ] {
        json.extend_from_slice(name.as_bytes());
        write_number(number, &mut json);
    }
    if let Some(better) = did_you_mean {
        json.extend_from_slice(br#","didYouMean":"#);
        serde_json::to_writer(&mut json, &better)?;
    }
    json.push(b'}');
    Ok(Answer { json, applied_seq: view.applied_seq })
}

/// Returns the best hits for words, without facets.
pub(crate) fn best(view: &View, asked: &Asked, size: usize) -> tantivy::Result<Vec<Hit>> {
    let mut matched = matching::find(view, asked)?;
    let Some(passing) = matched.bits.take() else { return Ok(Vec::new()) };
    let places = ranking::first(view, asked, &matched, passing, search::Sort::Relevance, size)?;
    places.into_iter().map(|place| card(view, place)?.hit()).collect()
}

/// Reads the card of a place.
pub(crate) fn card(view: &View, place: Place) -> tantivy::Result<Card> {
    Card::read(&view.searcher, DocAddress::new(place.0 as u32, place.1))
}

fn chosen(view: &View, query: &SearchQuery, labels: &dyn Labels) -> Vec<Chosen> {
    let mut all: Vec<Chosen> = Vec::new();
    for (name, value) in &query.facets {
        let Some(facet) = Facet::named(name) else { continue };
        let value = labels.canonical(name, value).unwrap_or_else(|| value.clone());
        let at = all.iter().position(|chosen| chosen.facet == facet).unwrap_or_else(|| {
            all.push(Chosen { facet, values: Vec::new(), numbers: Vec::new() });
            all.len() - 1
        });
        let chosen = &mut all[at];
        if !chosen.values.contains(&value) {
            chosen.numbers.extend(view.values[facet.index()].number(&value));
            chosen.values.push(value);
        }
    }
    all
}

fn hits(view: &View, matched: &Matched, places: &[Place], iris: Iris<'_>, json: &mut Vec<u8>) -> tantivy::Result<()> {
    let marker = Marker::new(matched);
    for (at, place) in places.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        let card = card(view, *place)?;
        let mut highlight = None;
        if !marker.is_empty() {
            let (language, passage) = card.passage();
            highlight = marker.mark(&card.summary(), language).or_else(|| marker.mark(passage, language));
        }
        let (zone, identifier) = card.key();
        match iris(zone, identifier) {
            Some(iri) => card.write(&iri, highlight.as_deref(), json)?,
            None => card.write(card.iri(), highlight.as_deref(), json)?,
        }
    }
    Ok(())
}
