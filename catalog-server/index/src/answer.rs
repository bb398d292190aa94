//! One search, from the query to the answer: words, facets in one pass, the page of hits.

use std::collections::HashMap;
use std::time::Instant;

use catalog_schemas::search::{self, FacetValue, Facets, Hit, MAX_DEPTH, MAX_SIZE, SearchAnswer, SearchQuery};
use tantivy::schema::Value;
use tantivy::{DocAddress, TantivyDocument};

use crate::columns::Counts;
use crate::grammar::{self, Asked};
use crate::highlight::Marker;
use crate::matching::{self, Matched};
use crate::ranking::{self, Place};
use crate::spelling;
use crate::text::Language;
use crate::values::{Facet, Labels};
use crate::view::{self, Bits, View};

/// Answers a search.
pub(crate) fn search(
    view: &View,
    query: &SearchQuery,
    labels: &dyn Labels,
    within: Option<&[String]>,
) -> tantivy::Result<SearchAnswer> {
    let started = Instant::now();
    let asked = grammar::parse(&query.q);
    let mut matched = matching::find(view, &asked)?;
    if let Some(keys) = within {
        matching::restrict(view, &mut matched, keys)?;
    }
    let chosen = chosen(view, query, labels);
    let counted = count(view, &matched, &chosen);
    let total = counted.total;
    let size = query.size.min(MAX_SIZE);
    let start = query.page.saturating_sub(1).saturating_mul(size);
    let hits = if size == 0 || start >= total.min(MAX_DEPTH) {
        Vec::new()
    } else {
        let need = start.saturating_add(size).min(total);
        let places = ranking::first(view, &asked, &matched, counted.passing, query.sort, need)?;
        hits(view, &matched, places.get(start..).unwrap_or_default())?
    };
    let facets = Facet::all()
        .map(|facet| (facet.name().to_owned(), shown(view, facet, &counted.counts, &chosen, labels)))
        .collect();
    Ok(SearchAnswer {
        total,
        hits,
        facets: Facets(facets),
        page: query.page,
        size,
        took_ms: started.elapsed().as_millis() as u64,
        applied_seq: view.applied_seq,
        did_you_mean: spelling::better(view, &asked, &matched)?,
    })
}

/// Returns the best hits for words, without facets.
pub(crate) fn best(view: &View, asked: &Asked, size: usize) -> tantivy::Result<Vec<Hit>> {
    let matched = matching::find(view, asked)?;
    let Some(passing) = matched.bits.clone() else { return Ok(Vec::new()) };
    let places = ranking::first(view, asked, &matched, passing, search::Sort::Relevance, size)?;
    places.into_iter().map(|place| Ok(read(view, place)?.0)).collect()
}

/// The chosen values of one facet.
struct Chosen {
    facet: Facet,
    /// As the index writes them.
    values: Vec<String>,
    /// The numbers of those that the index has.
    numbers: Vec<u32>,
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

/// The records that pass and the counts of every facet.
struct Counted {
    passing: Vec<Bits>,
    total: usize,
    counts: Counts,
}

/// Goes once over the records that match the words: one that passes every chosen facet is a hit and counts in all
/// facets, one that fails a single facet counts in that facet alone, so that each facet is counted without its own
/// choice.
fn count(view: &View, matched: &Matched, chosen: &[Chosen]) -> Counted {
    let own = |at: usize| matched.bits.as_ref().map(|bits| bits[at].clone());
    let chosen: Vec<(usize, Vec<u32>)> =
        chosen.iter().map(|chosen| (chosen.facet.index(), chosen.numbers.clone())).collect();
    if matched.bits.is_none() && chosen.is_empty() {
        let passing = view.segments().map(|(segment, reader)| view::all(segment, reader)).collect();
        return Counted { passing, total: view.count, counts: view.everything().clone() };
    }
    let mut counts = Counts::new(&view.values);
    let mut passing = Vec::with_capacity(view.segments.len());
    let mut total = 0;
    let (mut documents, mut failed) = (Vec::new(), Vec::new());
    let mut failing: Vec<Vec<u32>> = chosen.iter().map(|_| Vec::new()).collect();
    for (at, (segment, reader)) in view.segments().enumerate() {
        let columns = &segment.kept.columns;
        let bits = own(at).unwrap_or_else(|| view::all(segment, reader));
        documents.clear();
        view::list(&bits, &mut documents);
        let filters = columns.filters(&chosen);
        if filters.is_empty() {
            total += documents.len();
            columns.count_all(&documents, &mut counts);
            passing.push(bits);
            continue;
        }
        filters.failed(&documents, &mut failed);
        let mut pass: Bits = vec![0; bits.len()];
        let mut kept = 0;
        for at in 0..documents.len() {
            let (document, fails) = (documents[at], failed[at]);
            if fails == 0 {
                view::set(&mut pass, document);
                documents[kept] = document;
                kept += 1;
            } else if fails.is_power_of_two() {
                let facet = fails.trailing_zeros() as usize;
                if let Some(group) = chosen.iter().position(|(chosen, _)| *chosen == facet) {
                    failing[group].push(document);
                }
            }
        }
        documents.truncate(kept);
        total += kept;
        columns.count_all(&documents, &mut counts);
        for ((facet, _), documents) in chosen.iter().zip(&mut failing) {
            columns.count_one(documents, *facet, &mut counts);
            documents.clear();
        }
        passing.push(pass);
    }
    Counted { passing, total, counts }
}

/// Returns a facet as it is shown.
fn shown(view: &View, facet: Facet, counts: &Counts, chosen: &[Chosen], labels: &dyn Labels) -> search::Facet {
    let values = &view.values[facet.index()];
    let names = view.names(facet, labels);
    let counts_of = &counts.values[facet.index()];
    let chosen = chosen.iter().find(|chosen| chosen.facet == facet);
    let is_chosen = |number: &u32| chosen.is_some_and(|chosen| chosen.numbers.contains(number));
    // A chosen value stays to be seen and taken back, with those above it, even when nothing is left of it.
    let mut kept: Vec<u32> = Vec::new();
    for number in chosen.iter().flat_map(|chosen| &chosen.numbers) {
        let mut next = Some(*number);
        while let Some(number) = next {
            kept.push(number);
            next = values.parent(number);
        }
    }
    let mut top: Vec<FacetValue> = Vec::new();
    let mut below: HashMap<u32, Vec<FacetValue>> = HashMap::new();
    // A value always has a higher number than the one above it, so children are complete before their parent.
    for number in (0..values.len() as u32).rev() {
        let count = counts_of.get(number as usize).copied().unwrap_or_default();
        if count == 0 && !kept.contains(&number) {
            continue;
        }
        let children = if facet.is_tree() { below.remove(&number).unwrap_or_default() } else { Vec::new() };
        let named = (values.name(number), names[number as usize].as_str());
        let value = facet_value(named, count, is_chosen(&number), children);
        match values.parent(number) {
            Some(parent) => below.entry(parent).or_default().push(value),
            None => top.push(value),
        }
    }
    for value in chosen.iter().flat_map(|chosen| &chosen.values).filter(|value| values.number(value).is_none()) {
        let label = labels.label(facet.name(), value).unwrap_or_else(|| value.clone());
        top.push(FacetValue { value: value.clone(), label, count: 0, selected: true, children: Vec::new() });
    }
    sort(&mut top);
    search::Facet { total: counts.totals[facet.index()] as usize, values: top }
}

fn facet_value((value, label): (&str, &str), count: u32, selected: bool, mut children: Vec<FacetValue>) -> FacetValue {
    sort(&mut children);
    FacetValue { value: value.to_owned(), label: label.to_owned(), count: count as usize, selected, children }
}

fn sort(values: &mut [FacetValue]) {
    values.sort_unstable_by(|one, other| {
        other.count.cmp(&one.count).then_with(|| one.label.cmp(&other.label)).then_with(|| one.value.cmp(&other.value))
    });
}

fn hits(view: &View, matched: &Matched, places: &[Place]) -> tantivy::Result<Vec<Hit>> {
    let marker = Marker::new(matched);
    let mut hits = Vec::with_capacity(places.len());
    for place in places {
        let (mut hit, kept) = read(view, *place)?;
        if !marker.is_empty() {
            let passage = kept.get_first(view.fields.passage);
            let passage = passage.as_ref().and_then(|passage| passage.as_str()).unwrap_or_default();
            let (language, passage) = passage.split_once('\n').unwrap_or_default();
            let language = Language::of_tag(language);
            hit.highlight = marker.mark(&hit.summary, language).or_else(|| marker.mark(passage, language));
        }
        hits.push(hit);
    }
    Ok(hits)
}

fn read(view: &View, place: Place) -> tantivy::Result<(Hit, TantivyDocument)> {
    let kept: TantivyDocument = view.searcher.doc(DocAddress::new(place.0 as u32, place.1))?;
    let bytes = kept.get_first(view.fields.hit);
    let bytes = bytes.as_ref().and_then(|bytes| bytes.as_bytes()).unwrap_or_default();
    let hit = serde_json::from_slice(bytes)
        .map_err(|error| tantivy::error::DataCorruption::comment_only(format!("a stored hit: {error}")))?;
    Ok((hit, kept))
}
