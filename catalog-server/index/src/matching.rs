//! Which records the words of a query match.
//!
//! Words are joined by AND: a scientist who types `gaia spectra` wants records about both. So that a search does not
//! end in nothing, it widens by itself, one step at a time: while a page is not full, the last word is also taken as
//! the beginning of a word (as while typing); while nothing is found, every word may be misspelt by one letter, and
//! then any of the words is enough. Steps look at the words alone, never at the chosen facets, so choosing a facet only ever narrows.

use std::collections::HashMap;

use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::query::{BooleanQuery, EnableScoring, FuzzyTermQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, Searcher, SegmentReader, TERMINATED, Term};

use crate::grammar::{self, Ask, Asked};
use crate::text;
use crate::view::{self, Bits, View};

/// A page of results: with as many whole-word matches nobody needs words that merely begin so.
const PLENTY: usize = 20;

/// With fewer matches another spelling is looked for, to be proposed.
pub(crate) const FEW: usize = 3;

/// The most words that a prefix or a misspelling stands for, the most frequent ones.
const MOST_EXPANSIONS: usize = 64;

/// The most words that are looked at to find them, in each segment.
const MOST_LOOKED_AT: usize = 4096;

/// One term of a query, as the forms in which a record may have it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clause {
    /// Any of these stems.
    pub(crate) stems: Vec<String>,
    /// Or any of these words.
    pub(crate) words: Vec<String>,
    /// Or these words one after the other.
    pub(crate) phrase: Vec<String>,
    /// The single word as asked for, for which others may be tried.
    pub(crate) word: Option<String>,
}

/// The fields in which a clause is looked for: all text, or names only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Where {
    pub(crate) stems: Field,
    pub(crate) words: Field,
}

/// The records that match, and how they were found.
pub(crate) struct Matched {
    /// By segment; `None` when everything matches.
    pub(crate) bits: Option<Vec<Bits>>,
    /// What was looked for, the strictest first; each step finds what those before it find, and ranks below them.
    pub(crate) steps: Vec<Step>,
    /// How many records match before widening to misspellings.
    pub(crate) as_spelt: usize,
}

/// One way of matching the words.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) clauses: Vec<Clause>,
    /// Whether one of the clauses is enough; otherwise all are needed.
    pub(crate) any: bool,
}

/// Finds the records that match what was asked.
pub(crate) fn find(view: &View, asked: &Asked) -> tantivy::Result<Matched> {
    if asked.is_empty() {
        return Ok(Matched { bits: None, steps: Vec::new(), as_spelt: view.count });
    }
    let clauses = forms(view, asked)?;
    let unwanted: Vec<Clause> = asked.unwanted.iter().map(|term| clause(view, term)).collect::<tantivy::Result<_>>()?;
    let mut found = bits(view, &clauses, &unwanted, false)?;
    let mut total = sum(&found);
    let mut steps = vec![Step { clauses: clauses.clone(), any: false }];
    let mut widen = |clauses: Vec<Clause>, any: bool, found: &mut Vec<Bits>, total: &mut usize| {
        let wider = bits(view, &clauses, &unwanted, any)?;
        let size = sum(&wider);
        if size > *total {
            *found = wider;
            *total = size;
            steps.push(Step { clauses, any });
        }
        tantivy::Result::Ok(())
    };
    let mut clauses = clauses;
    if total < PLENTY
        && let Some(last) = clauses.last_mut()
        && let Some(beginning) = last.word.clone().filter(|word| word.chars().count() >= 2)
    {
        let longer = beginning_with(view, &beginning)?;
        if !longer.is_empty() {
            last.words.extend(longer);
            widen(clauses.clone(), false, &mut found, &mut total)?;
        }
    }
    let as_spelt = total;
    if total == 0 {
        for clause in &mut clauses {
            if let Some(word) = &clause.word {
                clause.words.extend(near(view, word)?.into_iter().map(|(word, _)| word));
            }
        }
        widen(clauses.clone(), false, &mut found, &mut total)?;
    }
    if total == 0 && clauses.len() > 1 {
        widen(clauses, true, &mut found, &mut total)?;
    }
    Ok(Matched { bits: Some(found), steps, as_spelt })
}

/// Leaves only the records of these keys among those that match.
pub(crate) fn restrict(view: &View, matched: &mut Matched, keys: &[String]) -> tantivy::Result<()> {
    let mut allowed: Vec<Bits> = Vec::with_capacity(view.segments.len());
    for (at, (segment, reader)) in view.segments().enumerate() {
        let mut bits = vec![0; view::words(reader.max_doc())];
        let inverted = reader.inverted_index(view.fields.key)?;
        for key in keys {
            let Some(mut found) = inverted.read_postings(&view.fields.key_term(key), IndexRecordOption::Basic)? else {
                continue;
            };
            let mut document = found.doc();
            while document != TERMINATED {
                view::set(&mut bits, document);
                document = found.advance();
            }
        }
        // What was replaced has its key too, and what does not match the words is out as well.
        let passing = matched.bits.as_ref().map_or_else(|| view::all(segment, reader), |bits| bits[at].clone());
        bits.iter_mut().zip(&passing).for_each(|(bit, passing)| *bit &= passing);
        allowed.push(bits);
    }
    matched.bits = Some(allowed);
    Ok(())
}

/// Returns the forms of the wanted terms, without looking for records.
pub(crate) fn forms(view: &View, asked: &Asked) -> tantivy::Result<Vec<Clause>> {
    asked.wanted.iter().map(|term| clause(view, term)).collect()
}

fn sum(found: &[Bits]) -> usize {
    found.iter().map(|bits| view::size(bits)).sum()
}

/// Returns the forms of a term.
fn clause(view: &View, term: &grammar::Term) -> tantivy::Result<Clause> {
    let mut clause = Clause::default();
    let joined = term.parts.concat();
    match (&term.ask, term.parts.as_slice()) {
        (Ask::Prefix, _) => {
            clause.words = beginning_with(view, &joined)?;
            clause.words.push(joined);
        }
        (Ask::Phrase, [word]) => clause.words.push(word.clone()),
        (Ask::Phrase, parts) => clause.phrase = parts.to_vec(),
        (Ask::Word, [word]) => {
            for stem in text::query_stems(&term.written, word) {
                // Of the stems in every language, those that no text has are dropped at once.
                if is_known(view, &Term::from_field_text(view.fields.stems, &stem))? {
                    clause.stems.push(stem);
                }
            }
            clause.word = Some(word.clone());
        }
        (Ask::Word, parts) => {
            clause.phrase = parts.to_vec();
            clause.words.push(joined.clone());
            clause.word = Some(joined);
        }
    }
    Ok(clause)
}

/// Returns the records of each segment that have all the clauses, or any of them, and none of the unwanted.
fn bits(view: &View, clauses: &[Clause], unwanted: &[Clause], any: bool) -> tantivy::Result<Vec<Bits>> {
    let place = Where { stems: view.fields.stems, words: view.fields.words };
    let mut found = Vec::with_capacity(view.segments.len());
    let phrases = |clauses: &[Clause]| -> Vec<Option<PhraseQuery>> {
        clauses.iter().map(|clause| phrase(clause, place.words)).collect()
    };
    let (wanted_phrases, unwanted_phrases) = (phrases(clauses), phrases(unwanted));
    for (segment, reader) in view.segments() {
        let mut all: Option<Bits> = None;
        for (clause, phrase) in clauses.iter().zip(&wanted_phrases) {
            let mut own = vec![0; view::words(reader.max_doc())];
            collect(&view.searcher, reader, clause, phrase.as_ref(), place, &mut own)?;
            all = Some(match all {
                None => own,
                Some(mut all) => {
                    for (all, own) in all.iter_mut().zip(own) {
                        if any { *all |= own } else { *all &= own }
                    }
                    all
                }
            });
        }
        let mut all = match (all, &segment.alive) {
            (None, _) => view::all(segment, reader),
            (Some(all), None) => all,
            (Some(mut all), Some(alive)) => {
                for (all, alive) in all.iter_mut().zip(alive.iter()) {
                    *all &= alive;
                }
                all
            }
        };
        for (clause, phrase) in unwanted.iter().zip(&unwanted_phrases) {
            let mut own = vec![0; all.len()];
            collect(&view.searcher, reader, clause, phrase.as_ref(), place, &mut own)?;
            for (all, own) in all.iter_mut().zip(own) {
                *all &= !own;
            }
        }
        found.push(all);
    }
    Ok(found)
}

/// Adds the records of a segment that have any form of a clause.
fn collect(
    searcher: &Searcher,
    reader: &SegmentReader,
    clause: &Clause,
    phrase: Option<&PhraseQuery>,
    place: Where,
    bits: &mut [u64],
) -> tantivy::Result<()> {
    for (field, forms) in [(place.stems, &clause.stems), (place.words, &clause.words)] {
        if forms.is_empty() {
            continue;
        }
        let index = reader.inverted_index(field)?;
        for form in forms {
            let term = Term::from_field_text(field, form);
            if let Some(postings) = index.read_block_postings(&term, IndexRecordOption::Basic)? {
                add_postings(postings, bits);
            }
        }
    }
    if let Some(phrase) = phrase {
        let weight = phrase.weight(EnableScoring::disabled_from_searcher(searcher))?;
        let mut scorer = weight.scorer(reader, 1.0)?;
        while scorer.doc() != TERMINATED {
            view::set(bits, scorer.doc());
            scorer.advance();
        }
    }
    Ok(())
}

/// Adds the records of a list to a set.
pub(crate) fn add_postings(mut postings: BlockSegmentPostings, bits: &mut [u64]) {
    loop {
        let documents = postings.docs();
        if documents.is_empty() {
            return;
        }
        for document in documents {
            view::set(bits, *document);
        }
        postings.advance();
    }
}

fn phrase(clause: &Clause, field: Field) -> Option<PhraseQuery> {
    let terms = || clause.phrase.iter().map(|word| Term::from_field_text(field, word)).collect();
    (clause.phrase.len() >= 2).then(|| PhraseQuery::new(terms()))
}

/// Returns the words of the index that begin so, without the word itself, most frequent first.
pub(crate) fn beginning_with(view: &View, beginning: &str) -> tantivy::Result<Vec<String>> {
    let mut frequency: HashMap<String, u32> = HashMap::new();
    for reader in view.searcher.segment_readers() {
        let index = reader.inverted_index(view.fields.words)?;
        let mut words = index.terms().range().ge(beginning).into_stream()?;
        let mut looked_at = 0;
        while words.advance() && words.key().starts_with(beginning.as_bytes()) && looked_at < MOST_LOOKED_AT {
            looked_at += 1;
            if words.key().len() > beginning.len()
                && let Ok(word) = std::str::from_utf8(words.key())
            {
                *frequency.entry(word.to_owned()).or_default() += words.value().doc_freq;
            }
        }
    }
    Ok(most_frequent(view, frequency)?.into_iter().map(|(word, _)| word).collect())
}

/// Returns the words of the index that differ by one letter (by two, when the word is long) with their frequency.
pub(crate) fn near(view: &View, word: &str) -> tantivy::Result<Vec<(String, u32)>> {
    let distance = match word.chars().count() {
        0..4 => return Ok(Vec::new()),
        4..8 => 1,
        _ => 2,
    };
    let nearest = at_distance(view, word, 1)?;
    if distance == 1 || !nearest.is_empty() { Ok(nearest) } else { at_distance(view, word, distance) }
}

fn at_distance(view: &View, word: &str, distance: u8) -> tantivy::Result<Vec<(String, u32)>> {
    let mut frequency: HashMap<String, u32> = HashMap::new();
    let query = FuzzyTermQuery::new(Term::from_field_text(view.fields.words, word), distance, true);
    for reader in view.searcher.segment_readers() {
        let index = reader.inverted_index(view.fields.words)?;
        let mut words = index.terms().search(query.automaton()?).into_stream()?;
        while words.advance() {
            if words.key() != word.as_bytes()
                && let Ok(near) = std::str::from_utf8(words.key())
            {
                *frequency.entry(near.to_owned()).or_default() += words.value().doc_freq;
            }
        }
    }
    most_frequent(view, frequency)
}

/// Returns the most frequent words that a record has which is still there: until a segment is merged its dictionary
/// keeps the words of what was withdrawn or hidden, and nobody may be told those.
fn most_frequent(view: &View, frequency: HashMap<String, u32>) -> tantivy::Result<Vec<(String, u32)>> {
    let mut words: Vec<(String, u32)> = frequency.into_iter().collect();
    words.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let mut living = Vec::new();
    for (word, frequency) in words {
        if living.len() == MOST_EXPANSIONS {
            break;
        }
        if is_alive(view, &Term::from_field_text(view.fields.words, &word))? {
            living.push((word, frequency));
        }
    }
    Ok(living)
}

/// Says whether a record that is not deleted has a term.
fn is_alive(view: &View, term: &Term) -> tantivy::Result<bool> {
    for (segment, reader) in view.segments() {
        let index = reader.inverted_index(term.field())?;
        let Some(info) = index.get_term_info(term)? else { continue };
        let Some(alive) = &segment.alive else { return Ok(true) };
        if has_any(index.read_block_postings_from_terminfo(&info, IndexRecordOption::Basic)?, alive) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says whether any posting is in a set.
fn has_any(mut postings: BlockSegmentPostings, set: &[u64]) -> bool {
    loop {
        let documents = postings.docs();
        if documents.is_empty() {
            return false;
        }
        if documents.iter().any(|document| view::has(set, *document)) {
            return true;
        }
        postings.advance();
    }
}

/// Returns the query that scores records by the clauses; `None` when no form of a needed clause is in the index.
pub(crate) fn scored(
    view: &View,
    clauses: &[Clause],
    any: bool,
    place: Where,
) -> tantivy::Result<Option<Box<dyn Query>>> {
    let mut all: Vec<Box<dyn Query>> = Vec::new();
    for clause in clauses {
        let mut forms: Vec<Box<dyn Query>> = Vec::new();
        for (field, of_field) in [(place.stems, &clause.stems), (place.words, &clause.words)] {
            for form in of_field {
                let term = Term::from_field_text(field, form);
                // A form that no record has would only keep the engine from skipping blocks.
                if is_known(view, &term)? {
                    forms.push(Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)));
                }
            }
        }
        forms.extend(phrase(clause, place.words).map(|phrase| Box::new(phrase) as Box<dyn Query>));
        match forms.len() {
            0 if any => {}
            0 => return Ok(None),
            1 => all.extend(forms),
            _ if any => all.extend(forms),
            _ => all.push(Box::new(BooleanQuery::union(forms))),
        }
    }
    Ok(match all.len() {
        0 => None,
        1 => all.pop(),
        _ => {
            let occur = if any { Occur::Should } else { Occur::Must };
            Some(Box::new(BooleanQuery::new(all.into_iter().map(|query| (occur, query)).collect())))
        }
    })
}

fn is_known(view: &View, term: &Term) -> tantivy::Result<bool> {
    for reader in view.searcher.segment_readers() {
        let known: Option<TermInfo> = reader.inverted_index(term.field())?.get_term_info(term)?;
        if known.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
