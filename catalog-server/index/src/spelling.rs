//! A better spelling, from the words that the index has.

use tantivy::Term;

use crate::grammar::{self, Asked};
use crate::matching::{self, FEW, Matched};
use crate::view::{self, View};

/// How much more frequent another spelling has to be than one that the index has.
const CLEARLY: u32 = 10;

/// Returns the query in another spelling when the words as spelt find nothing or little and the other finds more.
pub(crate) fn better(view: &View, asked: &Asked, matched: &Matched) -> tantivy::Result<Option<String>> {
    if asked.wanted.is_empty() || !asked.plain || matched.as_spelt >= FEW {
        return Ok(None);
    }
    let mut words = Vec::with_capacity(asked.wanted.len());
    let mut changed = false;
    for (term, clause) in asked.wanted.iter().zip(matched.steps.first().map_or(&[][..], |step| &step.clauses)) {
        let mut best = None;
        if let Some(word) = &clause.word {
            let own = frequency(view, &clause.stems, word)?;
            if own < FEW as u32 {
                let near = matching::near(view, word)?;
                best =
                    near.into_iter().next().filter(|(_, frequency)| *frequency >= own.saturating_mul(CLEARLY).max(1));
            }
        }
        changed |= best.is_some();
        words.push(best.map_or_else(|| term.written.clone(), |(word, _)| word));
    }
    if !changed {
        return Ok(None);
    }
    let better = words.join(" ");
    let found = matching::find(view, &grammar::parse(&better))?;
    let total: usize = found.bits.iter().flatten().map(|bits| view::size(bits)).sum();
    Ok((found.as_spelt > matched.as_spelt && total > 0).then_some(better))
}

/// Returns how many records have a word in any of its forms.
fn frequency(view: &View, stems: &[String], word: &str) -> tantivy::Result<u32> {
    let mut frequency = view.searcher.doc_freq(&Term::from_field_text(view.fields.words, word))?;
    for stem in stems {
        frequency = frequency.max(view.searcher.doc_freq(&Term::from_field_text(view.fields.stems, stem))?);
    }
    Ok(u32::try_from(frequency).unwrap_or(u32::MAX))
}
