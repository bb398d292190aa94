//! Which records pass, and how many have each facet value.

use tantivy::postings::BlockSegmentPostings;
use tantivy::schema::IndexRecordOption;
use tantivy::{SegmentReader, Term};

use crate::columns::Counts;
use crate::matching;
use crate::values::Facet;
use crate::view::{self, Bits, Segment, View};

/// Records filtered at a time: what is written of each stays in the nearest cache.
const CHUNK: usize = 4096;

/// Reading a record from a list of postings costs about so many times looking at one in the columns.
const POSTING: usize = 2;

/// The chosen values of one facet.
pub(crate) struct Chosen {
    pub(crate) facet: Facet,
    /// As the index writes them.
    pub(crate) values: Vec<String>,
    /// The numbers of those that the index has.
    pub(crate) numbers: Vec<u32>,
}

/// The records that pass and the counts of every facet.
pub(crate) struct Counted {
    pub(crate) passing: Vec<Bits>,
    pub(crate) total: usize,
    /// `None` when every record passes.
    counts: Option<Counts>,
}

impl Counted {
    /// Returns the counts of every facet.
    pub(crate) fn counts<'a>(&'a self, view: &'a View) -> &'a Counts {
        self.counts.as_ref().unwrap_or_else(|| view.everything())
    }
}

/// Goes once over the records that match the words: one that passes every chosen facet is a hit and counts in all
/// facets, one that fails a single facet counts in that facet alone, so that each facet is counted without its own
/// choice.
pub(crate) fn count(view: &View, matched: Option<Vec<Bits>>, chosen: &[Chosen]) -> tantivy::Result<Counted> {
    match matched {
        None if chosen.is_empty() => {
            let passing = view.segments().map(|(segment, reader)| view::all(segment, reader)).collect();
            Ok(Counted { passing, total: view.count, counts: None })
        }
        Some(passing) if chosen.is_empty() => {
            let (total, counts) = count_words(view, &passing);
            Ok(Counted { passing, total, counts: Some(counts) })
        }
        matched => count_chosen(view, matched, chosen),
    }
}

/// Counts the records that match the words, or those that do not and takes them from all: whichever are fewer.
fn count_words(view: &View, passing: &[Bits]) -> (usize, Counts) {
    let total: usize = passing.iter().map(|bits| view::size(bits)).sum();
    let most = total > view.count / 2;
    let mut counts = Counts::new(&view.values);
    let mut documents = Vec::with_capacity(if most { view.count.saturating_sub(total) } else { total });
    for ((segment, reader), bits) in view.segments().zip(passing) {
        documents.clear();
        if most {
            let mut others = view::all(segment, reader);
            others.iter_mut().zip(bits).for_each(|(other, bit)| *other &= !bit);
            view::list(&others, &mut documents);
        } else {
            view::list(bits, &mut documents);
        }
        segment.kept.columns.count_all(&documents, &mut counts);
    }
    if most {
        counts.take_from(view.everything());
    }
    (total, counts)
}

fn count_chosen(view: &View, matched: Option<Vec<Bits>>, chosen: &[Chosen]) -> tantivy::Result<Counted> {
    let mut counts = Counts::new(&view.values);
    let mut passing = Vec::with_capacity(view.segments.len());
    let mut total = 0;
    // Without words every record counts in the only facet chosen, which is known already.
    let alone =
        chosen.iter().filter(|_| chosen.len() == 1 && matched.is_none()).map(|chosen| chosen.facet.index()).next();
    let mut matched = matched.map(Vec::into_iter);
    let mut failing: Vec<Vec<u32>> = chosen.iter().map(|_| Vec::new()).collect();
    let (mut documents, mut kept, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (segment, reader) in view.segments() {
        let columns = &segment.kept.columns;
        let matching = matched.as_mut().and_then(Iterator::next);
        let candidates = match candidates(view, segment, reader, matching.as_deref(), chosen)? {
            Some(candidates) => candidates,
            None => matching.unwrap_or_else(|| view::all(segment, reader)),
        };
        documents.clear();
        view::list(&candidates, &mut documents);
        let mut pass: Bits = vec![0; candidates.len()];
        kept.clear();
        let filters = columns.filters(chosen);
        for chunk in documents.chunks(CHUNK) {
            filters.failed(chunk, &mut failed);
            for (document, fails) in chunk.iter().zip(&failed) {
                if *fails == 0 {
                    view::set(&mut pass, *document);
                    kept.push(*document);
                } else if fails.is_power_of_two() {
                    failing[fails.trailing_zeros() as usize].push(*document);
                }
            }
        }
        total += kept.len();
        columns.count_all(&kept, &mut counts);
        for (chosen, documents) in chosen.iter().zip(&mut failing) {
            if alone.is_none() {
                columns.count_one(documents, chosen.facet.index(), &mut counts);
            }
            documents.clear();
        }
        passing.push(pass);
    }
    if let Some(facet) = alone {
        counts.set(facet, view.everything());
    }
    Ok(Counted { passing, total, counts: Some(counts) })
}

/// Returns a set that holds every record of a segment that matters, where the index can name fewer than match the words:
/// a record that fails one facet at most passes one of any two, and a single facet is counted elsewhere.
fn candidates(
    view: &View,
    segment: &Segment,
    reader: &SegmentReader,
    matching: Option<&[u64]>,
    chosen: &[Chosen],
) -> tantivy::Result<Option<Bits>> {
    let lists = match (chosen.len(), matching) {
        (1, None) => 1,
        (0 | 1, _) => return Ok(None),
        _ => 2,
    };
    let mut facets = Vec::with_capacity(chosen.len());
    for chosen in chosen {
        let field = view.fields.facets[chosen.facet.index()];
        let index = reader.inverted_index(field)?;
        let mut terms = Vec::with_capacity(chosen.values.len());
        for value in &chosen.values {
            terms.extend(index.get_term_info(&Term::from_field_text(field, value))?);
        }
        let records: usize = terms.iter().map(|term| term.doc_freq as usize).sum();
        facets.push((records, index, terms));
    }
    facets.sort_by_key(|(records, ..)| *records);
    facets.truncate(lists);
    let records: usize = facets.iter().map(|(records, ..)| records).sum();
    let looked_at = matching.map_or(reader.max_doc() as usize, view::size);
    if records * POSTING > looked_at {
        return Ok(None);
    }
    let mut candidates = vec![0; view::words(reader.max_doc())];
    for (_, index, terms) in facets {
        for term in terms {
            let postings: BlockSegmentPostings =
                index.read_block_postings_from_terminfo(&term, IndexRecordOption::Basic)?;
            matching::add_postings(postings, &mut candidates);
        }
    }
    let among = matching.or(segment.alive.as_deref().map(Vec::as_slice));
    if let Some(among) = among {
        candidates.iter_mut().zip(among).for_each(|(candidate, among)| *candidate &= among);
    }
    Ok(Some(candidates))
}
