//! Completion of what is being typed: short names, names, concepts, words.

use std::collections::HashSet;

use catalog_schemas::ESADO;
use catalog_schemas::search::{Hit, Suggestion, Suggestions};
use tantivy::schema::IndexRecordOption;

use crate::answer::{self, Iris};
use crate::document::exact;
use crate::grammar;
use crate::matching;
use crate::text;
use crate::values::{Facet, Labels};
use crate::view::{self, View};

/// The most completions of an answer.
const MOST: usize = 10;

/// The most short names, names, concepts and words in it, so that none crowds out the others.
const MOST_OF_A_KIND: usize = 4;

/// The schemes whose concepts have an IRI, by facet.
const SCHEMES: [(&str, &str); 5] = [
    ("property", "property"),
    ("domain", "domain"),
    ("mission", "mission"),
    ("instrument", "instrument"),
    ("thematicArea", "thematic-area"),
];

/// A facet value in use, with its label.
pub(crate) struct Labelled {
    facet: Facet,
    value: String,
    label: String,
    /// The label folded, and each beginning of it that drops leading words, so that `newton` finds `XMM-Newton`.
    whole: String,
    count: u32,
}

/// Completes what is typed.
pub(crate) fn suggest(view: &View, typed: &str, labels: &dyn Labels, iris: Iris<'_>) -> tantivy::Result<Suggestions> {
    let whole = text::whole(&typed.chars().take(200).collect::<String>());
    let mut found = Found { answer: Suggestions::default(), known: HashSet::new(), iris };
    if whole.is_empty() {
        return Ok(found.answer);
    }
    for (prefix, room) in [(exact::SHORT, MOST_OF_A_KIND), (exact::NAME, MOST_OF_A_KIND)] {
        for (hit, text) in beginning(view, prefix, &whole, room)? {
            found.record(&hit, text);
        }
    }
    for concept in concepts(view, &whole, labels) {
        found.concept(concept);
    }
    // What was typed may stand in the middle of a name.
    if found.answer.suggestions.len() < MOST && whole.chars().count() >= 3 {
        for hit in answer::best(view, &grammar::parse(typed), MOST_OF_A_KIND)? {
            if text::whole(&hit.name).contains(whole.as_str()) {
                let name = hit.name.clone();
                found.record(&hit, name);
            }
        }
    }
    let (before, last) = whole.rsplit_once(' ').map_or(("", whole.as_str()), |(before, last)| (before, last));
    if last.chars().count() >= 2 {
        for word in matching::beginning_with(view, last)?.into_iter().take(MOST_OF_A_KIND * 2) {
            let text = if before.is_empty() { word } else { format!("{before} {word}") };
            found.add(Suggestion { text, kind: "word".to_owned(), iri: None });
        }
    }
    Ok(found.answer)
}

struct Found<'i> {
    answer: Suggestions,
    known: HashSet<String>,
    iris: Iris<'i>,
}

impl Found<'_> {
    fn record(&mut self, hit: &Hit, text: String) {
        let iri = (self.iris)(&hit.zone, &hit.identifier).unwrap_or_else(|| hit.iri.clone());
        self.add(Suggestion { text, kind: hit.kind.clone(), iri: Some(iri) });
    }

    fn concept(&mut self, concept: &Labelled) {
        let scheme = SCHEMES.iter().find(|(facet, _)| *facet == concept.facet.name());
        let iri = scheme.map(|(_, scheme)| {
            let notation = concept.value.rsplit('/').next().unwrap_or_default();
            format!("{}/{scheme}/{notation}", ESADO.trim_end_matches('#'))
        });
        self.add(Suggestion { text: concept.label.clone(), kind: concept.facet.name().to_owned(), iri });
    }

    fn add(&mut self, suggestion: Suggestion) {
        if self.answer.suggestions.len() < MOST && self.known.insert(text::whole(&suggestion.text)) {
            self.answer.suggestions.push(suggestion);
        }
    }
}

/// Returns records whose short name or name begins so, with that name as the record writes it.
fn beginning(view: &View, prefix: char, whole: &str, room: usize) -> tantivy::Result<Vec<(Hit, String)>> {
    let from = format!("{prefix}{whole}");
    let mut names: Vec<(Vec<u8>, usize, u32)> = Vec::new();
    for (at, (segment, reader)) in view.segments().enumerate() {
        let index = reader.inverted_index(view.fields.exact)?;
        let mut terms = index.terms().range().ge(&from).into_stream()?;
        let mut own = 0;
        let mut looked_at = 0;
        while terms.advance() && terms.key().starts_with(from.as_bytes()) && own < room && looked_at < 64 {
            looked_at += 1;
            let postings = index.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            let alive = |document: &&u32| segment.alive.as_ref().is_none_or(|alive| view::has(alive, **document));
            if let Some(document) = postings.docs().iter().find(alive) {
                names.push((terms.key().to_vec(), at, *document));
                own += 1;
            }
        }
    }
    names.sort_unstable();
    names.dedup_by(|one, other| one.0 == other.0);
    names.truncate(room);
    let mut found = Vec::new();
    for (term, segment, document) in names {
        let hit = answer::card(view, (segment, document))?.hit()?;
        let folded = String::from_utf8_lossy(&term[1..]).into_owned();
        let same = |name: &String| text::whole(name) == folded;
        let text =
            hit.alternate_name.clone().filter(same).or_else(|| Some(hit.name.clone()).filter(same)).unwrap_or(folded);
        found.push((hit, text));
    }
    Ok(found)
}

/// Returns the concepts whose label has a word that begins so, most used first.
fn concepts<'a>(view: &'a View, whole: &str, labels: &dyn Labels) -> Vec<&'a Labelled> {
    let labelled = view.labelled.get_or_init(|| labelled(view, labels));
    let mut found: Vec<(bool, &Labelled)> = labelled
        .iter()
        .filter_map(|concept| {
            let at = concept.whole.find(whole)?;
            let in_place = concept.whole.starts_with(whole);
            (in_place
                || concept.whole.match_indices(whole).any(|(at, _)| at > 0 && concept.whole.as_bytes()[at - 1] == b' '))
            .then_some((at != 0, concept))
        })
        .collect();
    found.sort_by(|one, other| {
        (one.0, std::cmp::Reverse(one.1.count), &one.1.label).cmp(&(
            other.0,
            std::cmp::Reverse(other.1.count),
            &other.1.label,
        ))
    });
    found.into_iter().take(MOST_OF_A_KIND).map(|(_, concept)| concept).collect()
}

fn labelled(view: &View, labels: &dyn Labels) -> Vec<Labelled> {
    let counts = view.everything();
    let mut all = Vec::new();
    // A year or a flag completes nothing.
    for facet in Facet::all().filter(|facet| !matches!(facet.name(), "year" | "gpu")) {
        let values = &view.values[facet.index()];
        for (number, label) in (0..).zip(&view.names(facet, labels).labels) {
            let count = counts.of(facet.index())[number as usize];
            if count == 0 {
                continue;
            }
            let (value, label) = (values.name(number).to_owned(), label.clone());
            let whole = text::whole(&label);
            all.push(Labelled { facet, value, label, whole, count });
        }
    }
    all
}
