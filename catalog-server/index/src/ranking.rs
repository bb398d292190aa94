//! The order of hits.
//!
//! Relevance goes by stages, because what people type is most often a name: the exact short name, then the exact
//! identifier or name, then names that begin so, then the phrase in a name, all words in a name, words anywhere; what
//! only a wider reading of the words finds comes after that, in the same stages. Each stage takes what earlier stages left, and none is run
//! once the page is full. Within a stage the better score comes first; equals are ordered by name, then by key, so
//! the order is the same at every call.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use catalog_schemas::search::Sort;
use tantivy::query::{EnableScoring, PhraseQuery, Query};
use tantivy::schema::IndexRecordOption;
use tantivy::{Score, Term};

use crate::document::exact;
use crate::grammar::{Ask, Asked};
use crate::matching::{self, Matched, Where};
use crate::view::{self, Bits, Kept, View};

/// Names beyond these begin the same way without saying more; their words are found in the next stage.
const MOST_NAMES: usize = 1024;

/// A record of a view: its segment and its number there.
pub(crate) type Place = (usize, u32);

/// Returns the first `need` records of `passing` in the order that was asked for.
pub(crate) fn first(
    view: &View,
    asked: &Asked,
    matched: &Matched,
    passing: Vec<Bits>,
    sort: Sort,
    need: usize,
) -> tantivy::Result<Vec<Place>> {
    match sort {
        Sort::Name => Ok(ordered(view, &passing, need, Order::Name)),
        Sort::Newest => Ok(ordered(view, &passing, need, Order::Newest)),
        Sort::Relevance if asked.wanted.is_empty() => Ok(ordered(view, &passing, need, Order::Newest)),
        Sort::Relevance => {
            let mut stages = Stages { view, remaining: passing, need, found: Vec::with_capacity(need.min(128)) };
            stages.run(asked, matched)?;
            Ok(stages.found)
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Name,
    Newest,
}

/// Returns the first records by a fixed order.
fn ordered(view: &View, passing: &[Bits], need: usize, order: Order) -> Vec<Place> {
    let mut found = Vec::new();
    for (at, (segment, passing)) in view.segments.iter().zip(passing).enumerate() {
        let kept = &*segment.kept;
        let (in_order, ranks) = match order {
            Order::Name => (&kept.by_name, &kept.name_rank),
            Order::Newest => (&kept.by_newest, &kept.newest_rank),
        };
        let size = view::size(passing);
        // Walking the order meets one passing record in `records / size`; listing them costs `size`.
        let walk = size.saturating_mul(size) > need.saturating_mul(in_order.len());
        let mut own: Vec<u32>;
        if walk {
            own = in_order.iter().copied().filter(|document| view::has(passing, *document)).take(need).collect();
        } else {
            own = Vec::with_capacity(size);
            view::list(passing, &mut own);
            first_by_rank(&mut own, ranks, need);
        }
        found.extend(own.into_iter().map(|document| (at, document)));
    }
    merge(view, &mut found, need, |view, one, other| match order {
        Order::Name => Ordering::Equal,
        Order::Newest => modified(view, *other).cmp(&modified(view, *one)),
    });
    found
}

fn modified(view: &View, (segment, document): Place) -> i64 {
    view.segments[segment].kept.modified[document as usize]
}

/// Keeps the first `need` records by rank, in order.
fn first_by_rank(documents: &mut Vec<u32>, ranks: &[u32], need: usize) {
    let rank = |document: &u32| ranks[*document as usize];
    if need == 0 {
        documents.clear();
    } else if documents.len() > need {
        documents.select_nth_unstable_by_key(need - 1, rank);
        documents.truncate(need);
    }
    documents.sort_unstable_by_key(rank);
}

/// Orders records of several segments, each segment's already in order, by `better` and then by name.
fn merge(view: &View, found: &mut Vec<Place>, need: usize, better: impl Fn(&View, &Place, &Place) -> Ordering) {
    let several = found.first().is_some_and(|first| found.iter().any(|place| place.0 != first.0));
    if several {
        found.sort_by(|one, other| better(view, one, other).then_with(|| by_name(view, *one, *other)));
    }
    found.truncate(need);
}

/// Compares by name and key; within a segment that is known without reading them.
fn by_name(view: &View, one: Place, other: Place) -> Ordering {
    let kept = |place: Place| -> &Kept { &view.segments[place.0].kept };
    if one.0 == other.0 {
        let ranks = &kept(one).name_rank;
        return ranks[one.1 as usize].cmp(&ranks[other.1 as usize]);
    }
    kept(one).order_key(one.1).cmp(&kept(other).order_key(other.1))
}

struct Stages<'a> {
    view: &'a View,
    /// What no stage has placed yet.
    remaining: Vec<Bits>,
    need: usize,
    found: Vec<Place>,
}

impl Stages<'_> {
    fn run(&mut self, asked: &Asked, matched: &Matched) -> tantivy::Result<()> {
        let fields = &self.view.fields;
        let names = Where { stems: fields.name_stems, words: fields.name_words };
        let everywhere = Where { stems: fields.stems, words: fields.words };
        if !asked.whole.is_empty() {
            for prefix in [exact::SHORT, exact::IDENTIFIER, exact::NAME] {
                self.exactly(&format!("{prefix}{}", asked.whole))?;
            }
            self.names_beginning(&format!("{} ", asked.whole))?;
            let parts: Vec<Term> =
                asked.whole.split(' ').map(|word| Term::from_field_text(fields.name_words, word)).collect();
            if parts.len() >= 2 {
                self.scored(&PhraseQuery::new(parts))?;
            }
        }
        let starred = asked.wanted.last().is_some_and(|last| last.ask == Ask::Prefix);
        for (at, step) in matched.steps.iter().enumerate() {
            // Where the last word is taken as the beginning of one, so is it in a whole name.
            if !asked.whole.is_empty() && at == usize::from(!starred) {
                self.names_beginning(&asked.whole)?;
            }
            for place in [names, everywhere] {
                if self.missing() == 0 {
                    return Ok(());
                }
                if let Some(query) = matching::scored(self.view, &step.clauses, step.any, place)? {
                    self.scored(&*query)?;
                }
            }
        }
        // Exclusions alone match records that no word scores.
        self.rest();
        Ok(())
    }

    fn missing(&self) -> usize {
        self.need - self.found.len().min(self.need)
    }

    fn take(&mut self, places: Vec<Place>) {
        for place in places {
            let word = &mut self.remaining[place.0][place.1 as usize / 64];
            let bit = 1 << (place.1 % 64);
            if *word & bit != 0 && self.found.len() < self.need {
                *word &= !bit;
                self.found.push(place);
            }
        }
    }

    /// Takes the records that have a term of the field of whole names.
    fn exactly(&mut self, term: &str) -> tantivy::Result<()> {
        let missing = self.missing();
        if missing == 0 {
            return Ok(());
        }
        let term = Term::from_field_text(self.view.fields.exact, term);
        let mut places = Vec::new();
        for (at, (segment, reader)) in self.view.segments().enumerate() {
            let index = reader.inverted_index(self.view.fields.exact)?;
            if let Some(info) = index.get_term_info(&term)? {
                let mut own =
                    self.listed(at, index.read_block_postings_from_terminfo(&info, IndexRecordOption::Basic)?);
                first_by_rank(&mut own, &segment.kept.name_rank, missing);
                places.extend(own.into_iter().map(|document| (at, document)));
            }
        }
        merge(self.view, &mut places, missing, |_, _, _| Ordering::Equal);
        self.take(places);
        Ok(())
    }

    /// Takes the records with a short name or a name that begins so.
    fn names_beginning(&mut self, whole: &str) -> tantivy::Result<()> {
        self.beginning(&format!("{}{whole}", exact::SHORT))?;
        self.beginning(&format!("{}{whole}", exact::NAME))
    }

    /// Takes the records with a whole name that begins so, by that name.
    fn beginning(&mut self, beginning: &str) -> tantivy::Result<()> {
        let missing = self.missing();
        // One letter begins a good part of all names.
        if missing == 0 || beginning.chars().count() < 3 {
            return Ok(());
        }
        let mut named: Vec<(String, Place)> = Vec::new();
        for (at, (segment, reader)) in self.view.segments().enumerate() {
            let index = reader.inverted_index(self.view.fields.exact)?;
            let mut names = index.terms().range().ge(beginning).into_stream()?;
            let (mut looked_at, mut own) = (0, 0);
            while names.advance()
                && names.key().starts_with(beginning.as_bytes())
                && looked_at < MOST_NAMES
                && own < missing
            {
                looked_at += 1;
                let postings = index.read_block_postings_from_terminfo(names.value(), IndexRecordOption::Basic)?;
                let mut documents = self.listed(at, postings);
                if documents.is_empty() {
                    continue;
                }
                first_by_rank(&mut documents, &segment.kept.name_rank, missing);
                own += documents.len();
                let name = String::from_utf8_lossy(names.key()).into_owned();
                named.extend(documents.into_iter().map(|document| (name.clone(), (at, document))));
            }
        }
        let view = self.view;
        named.sort_by(|one, other| one.0.cmp(&other.0).then_with(|| by_name(view, one.1, other.1)));
        self.take(named.into_iter().map(|(_, place)| place).collect());
        Ok(())
    }

    /// Lists the postings that no stage has placed.
    fn listed(&self, segment: usize, mut postings: tantivy::postings::BlockSegmentPostings) -> Vec<u32> {
        let remaining = &self.remaining[segment];
        let mut documents = Vec::new();
        loop {
            let block = postings.docs();
            if block.is_empty() {
                return documents;
            }
            documents.extend(block.iter().copied().filter(|document| view::has(remaining, *document)));
            postings.advance();
        }
    }

    /// Takes the best records by score.
    fn scored(&mut self, query: &dyn Query) -> tantivy::Result<()> {
        let missing = self.missing();
        if missing == 0 {
            return Ok(());
        }
        let weight = query.weight(EnableScoring::enabled_from_searcher(&self.view.searcher))?;
        let mut best: Vec<(Score, Place)> = Vec::new();
        // What a full page of another segment already beats need not be looked at.
        let mut floor = Score::MIN;
        for (at, (segment, reader)) in self.view.segments().enumerate() {
            let (remaining, ranks) = (&self.remaining[at], &segment.kept.name_rank);
            let mut heap: BinaryHeap<Candidate> = BinaryHeap::new();
            weight.for_each_pruning(floor, reader, &mut |document, score| {
                if view::has(remaining, document) {
                    let candidate = Candidate { score, rank: ranks[document as usize], document };
                    if heap.len() < missing {
                        heap.push(candidate);
                    } else if let Some(mut worst) = heap.peek_mut()
                        && candidate < *worst
                    {
                        *worst = candidate;
                    }
                }
                match heap.peek() {
                    // Equal scores are still to be ordered by name, so the threshold stays just below.
                    Some(worst) if heap.len() == missing => worst.score.next_down().max(floor),
                    _ => floor,
                }
            })?;
            if heap.len() == missing
                && let Some(worst) = heap.peek()
            {
                floor = floor.max(worst.score.next_down());
            }
            best.extend(heap.into_iter().map(|candidate| (candidate.score, (at, candidate.document))));
        }
        let view = self.view;
        best.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then_with(|| by_name(view, one.1, other.1)));
        best.truncate(missing);
        self.take(best.into_iter().map(|(_, place)| place).collect());
        Ok(())
    }

    fn rest(&mut self) {
        let missing = self.missing();
        if missing > 0 {
            let rest = ordered(self.view, &self.remaining, missing, Order::Name);
            self.take(rest);
        }
    }
}

/// A scored record of one segment; the greatest is the worst, so that a heap gives it first.
#[derive(PartialEq)]
struct Candidate {
    score: Score,
    rank: u32,
    document: u32,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.rank.cmp(&other.rank))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
