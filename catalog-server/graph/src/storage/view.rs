//! A consistent state: a generation and the delta on it, read as one.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use oxigraph::model::{NamedNodeRef, Term, TermRef};
use spareval::ExpressionTerm;

use super::DEFAULT_GRAPH;
use super::delta::{Delta, DeltaGraph};
use super::snapshot::{GraphEntry, Snapshot};
use super::term::{Class, NO_ZONE, Place, decode, encode};

/// A consistent state of the graph. Cloning it is cheap; it stays what it is while the store goes on.
#[derive(Clone)]
pub struct View {
    pub(crate) base: Arc<Snapshot>,
    pub(crate) delta: Arc<Delta>,
}

impl View {
    /// Returns the ledger's sequence that this state stands for.
    pub fn applied_seq(&self) -> u64 {
        self.delta.seq
    }

    /// Returns how many statements there are over all graphs.
    pub fn len(&self) -> usize {
        let (added, removed) = self.delta.graphs().fold((0, 0), |(added, removed), (_, graph)| {
            (added + graph.added.spo.len(), removed + graph.removed.spo.len())
        });
        (self.base.quads() + added).saturating_sub(removed)
    }

    /// Says whether there is no statement.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says whether a named graph holds something.
    pub fn contains_graph(&self, graph: NamedNodeRef<'_>) -> bool {
        self.find(graph.into()).is_some_and(|id| self.graph(Some(id)).len() > 0)
    }

    /// Finds a term's id.
    pub(crate) fn find(&self, term: TermRef<'_>) -> Option<u32> {
        let mut bytes = Vec::new();
        encode(term, &mut bytes);
        self.find_bytes(&bytes)
    }

    /// Finds the id of a term's bytes.
    pub(crate) fn find_bytes(&self, bytes: &[u8]) -> Option<u32> {
        self.base
            .find(Place::of(bytes), bytes)
            .or_else(|| self.delta.find(bytes).map(|at| (self.base.terms() + at) as u32))
    }

    /// Returns a term's bytes.
    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        match (id as usize).checked_sub(self.base.terms()) {
            None => self.base.bytes(id),
            Some(at) => self.delta.bytes(at),
        }
    }

    /// Returns a term.
    pub(crate) fn term(&self, id: u32) -> Term {
        decode(self.bytes(id))
    }

    /// Returns a term's place in the order.
    pub(crate) fn place(&self, id: u32) -> Place {
        match (id as usize).checked_sub(self.base.terms()) {
            None => self.base.place(id),
            Some(at) => self.delta.place(at).unwrap_or(Place { class: Class::Other, value: 0, zone: NO_ZONE }),
        }
    }

    /// Returns a term's class.
    pub(crate) fn class(&self, id: u32) -> Class {
        match (id as usize).checked_sub(self.base.terms()) {
            None => self.base.class(id),
            Some(_) => self.place(id).class,
        }
    }

    /// Returns a number that orders terms: equal for equal values, else as [`Place`] says.
    pub(crate) fn key(&self, id: u32) -> u64 {
        match (id as usize).checked_sub(self.base.terms()) {
            None => {
                let at = id.wrapping_sub(self.base.value_ids().start) as usize;
                (u64::from(self.base.firsts().get(at).copied().unwrap_or(id)) + 1) << 32
            }
            Some(at) => self.delta.keys(&self.base).get(at).copied().unwrap_or(u64::MAX),
        }
    }

    /// Returns the value that expressions work on.
    pub(crate) fn expression_term(&self, id: u32) -> ExpressionTerm {
        self.place(id).expression_term(self.bytes(id))
    }

    /// Returns the number of all ids.
    pub(crate) fn terms(&self) -> usize {
        self.base.terms() + self.delta.terms()
    }

    /// Returns one graph, the default graph when there is no name.
    pub(crate) fn graph(&self, graph: Option<u32>) -> GraphView<'_> {
        GraphView { snapshot: &self.base, base: self.base.graph(graph), delta: self.delta.graph(graph) }
    }

    /// Returns a graph without triples.
    pub(crate) fn no_graph(&self) -> GraphView<'_> {
        GraphView { snapshot: &self.base, base: None, delta: None }
    }

    /// Returns the names of all named graphs that hold something.
    pub(crate) fn named_graphs(&self) -> Vec<u32> {
        let mut names: Vec<u32> = self.base.manifest.graphs.iter().filter_map(|entry| entry.graph).collect();
        names.extend(self.delta.graphs().filter_map(|(graph, _)| graph));
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.graph(Some(*name)).len() > 0);
        names
    }
}

/// One graph of a view.
#[derive(Clone, Copy)]
pub(crate) struct GraphView<'a> {
    snapshot: &'a Snapshot,
    base: Option<&'a GraphEntry>,
    delta: Option<&'a DeltaGraph>,
}

/// A column and its companion, sorted by both.
pub(crate) type Pairs<'a> = (Cow<'a, [u32]>, Cow<'a, [u32]>);

impl<'a> GraphView<'a> {
    /// Returns how many triples it has.
    pub(crate) fn len(&self) -> usize {
        let base = self.base.map_or(0, |entry| entry.rows.len());
        let (added, removed) = self.delta.map_or((0, 0), |graph| (graph.added.spo.len(), graph.removed.spo.len()));
        (base + added).saturating_sub(removed)
    }

    fn predicate_rows(&self, predicate: u32) -> Range<usize> {
        self.base.and_then(|graph| graph.predicate(predicate)).map_or(0..0, |entry| entry.rows.clone())
    }

    /// Returns the predicates by id; after changes some may have no triple left.
    pub(crate) fn predicates(&self) -> Vec<u32> {
        let mut predicates: Vec<u32> =
            self.base.iter().flat_map(|graph| graph.predicates.iter().map(|entry| entry.predicate)).collect();
        if let Some(delta) = self.delta {
            predicates.extend(delta.added.pso.chunk_by(|a, b| a[0] == b[0]).filter_map(|rows| Some(rows.first()?[0])));
            predicates.sort_unstable();
            predicates.dedup();
        }
        predicates
    }

    fn pso_changes(&self, prefix: &[u32]) -> (&'a [[u32; 3]], &'a [[u32; 3]]) {
        self.delta.map_or((&[], &[]), |graph| (rows(&graph.added.pso, prefix), rows(&graph.removed.pso, prefix)))
    }

    fn pos_changes(&self, prefix: &[u32]) -> (&'a [[u32; 3]], &'a [[u32; 3]]) {
        self.delta.map_or((&[], &[]), |graph| (rows(&graph.added.pos, prefix), rows(&graph.removed.pos, prefix)))
    }

    /// Returns the objects of a subject and a predicate, sorted.
    pub(crate) fn objects(&self, subject: u32, predicate: u32) -> Cow<'a, [u32]> {
        let [subjects, objects] = self.snapshot.pso();
        let base = &objects[equal(subjects, self.predicate_rows(predicate), subject)];
        let (added, removed) = self.pso_changes(&[predicate, subject]);
        merge_ids(base, added, removed)
    }

    /// Returns the subjects of a predicate and an object, sorted.
    pub(crate) fn subjects(&self, predicate: u32, object: u32) -> Cow<'a, [u32]> {
        let [objects, subjects] = self.snapshot.pos();
        let base = &subjects[equal(objects, self.predicate_rows(predicate), object)];
        let (added, removed) = self.pos_changes(&[predicate, object]);
        merge_ids(base, added, removed)
    }

    /// Returns how many subjects have a predicate with an object.
    pub(crate) fn count_subjects(&self, predicate: u32, object: u32) -> usize {
        let base = equal(self.snapshot.pos()[0], self.predicate_rows(predicate), object).len();
        let (added, removed) = self.pos_changes(&[predicate, object]);
        (base + added.len()).saturating_sub(removed.len())
    }

    /// Returns how many triples have a predicate.
    pub(crate) fn count_predicate(&self, predicate: u32) -> usize {
        let (added, removed) = self.pso_changes(&[predicate]);
        (self.predicate_rows(predicate).len() + added.len()).saturating_sub(removed.len())
    }

    /// Says whether triples of a predicate came or went since the generation, so that reading all of them copies them.
    pub(crate) fn is_changed(&self, predicate: u32) -> bool {
        let (added, removed) = self.pso_changes(&[predicate]);
        !added.is_empty() || !removed.is_empty()
    }

    /// Returns about how many subjects and objects a predicate has.
    pub(crate) fn distinct(&self, predicate: u32) -> (usize, usize) {
        let entry = self.base.and_then(|graph| graph.predicate(predicate));
        let (subjects, objects) = entry.map_or((0, 0), |entry| (entry.subjects as usize, entry.objects as usize));
        let (added, _) = self.pso_changes(&[predicate]);
        (subjects + added.len(), objects + added.len())
    }

    /// Returns subjects and objects of a predicate, sorted by subject.
    pub(crate) fn by_subject(&self, predicate: u32) -> Pairs<'a> {
        let rows = self.predicate_rows(predicate);
        let [subjects, objects] = self.snapshot.pso().map(|column| &column[rows.clone()]);
        let (added, removed) = self.pso_changes(&[predicate]);
        merge_pairs(subjects, objects, added, removed)
    }

    /// Returns objects and subjects of a predicate, sorted by object.
    pub(crate) fn by_object(&self, predicate: u32) -> Pairs<'a> {
        let rows = self.predicate_rows(predicate);
        let [objects, subjects] = self.snapshot.pos().map(|column| &column[rows.clone()]);
        let (added, removed) = self.pos_changes(&[predicate]);
        merge_pairs(objects, subjects, added, removed)
    }

    /// Returns the objects of a predicate's triples in the generation, sorted: enough to find about the n-th.
    pub(crate) fn objects_of_generation(&self, predicate: u32) -> &'a [u32] {
        &self.snapshot.pos()[0][self.predicate_rows(predicate)]
    }

    /// Returns objects and subjects of a predicate whose objects are in a range of ids, sorted by object.
    pub(crate) fn by_object_between(&self, predicate: u32, objects: &Range<u32>) -> Pairs<'a> {
        let [base, subjects] = self.snapshot.pos();
        let rows = between(base, self.predicate_rows(predicate), objects);
        let (added, removed) = self.pos_changes_between(predicate, objects);
        merge_pairs(&base[rows.clone()], &subjects[rows], added, removed)
    }

    /// Returns how many triples have a predicate with an object in a range of ids.
    pub(crate) fn count_between(&self, predicate: u32, objects: &Range<u32>) -> usize {
        let rows = between(self.snapshot.pos()[0], self.predicate_rows(predicate), objects);
        let (added, removed) = self.pos_changes_between(predicate, objects);
        (rows.len() + added.len()).saturating_sub(removed.len())
    }

    fn pos_changes_between(&self, predicate: u32, objects: &Range<u32>) -> (&'a [[u32; 3]], &'a [[u32; 3]]) {
        let (added, removed) = self.pos_changes(&[predicate]);
        let inside = |rows: &'a [[u32; 3]]| {
            let at = |object: u32| rows.partition_point(|row| row[1] < object);
            &rows[at(objects.start)..at(objects.end)]
        };
        (inside(added), inside(removed))
    }

    /// Says whether a triple is there.
    pub(crate) fn contains(&self, subject: u32, predicate: u32, object: u32) -> bool {
        self.objects(subject, predicate).binary_search(&object).is_ok()
    }

    /// Returns predicates and objects of a subject.
    pub(crate) fn about(&self, subject: u32) -> Pairs<'a> {
        let rows_of_graph = self.base.map_or(0..0, |entry| entry.rows.clone());
        let [subjects, predicates, objects] = self.snapshot.spo();
        let range = equal(subjects, rows_of_graph, subject);
        let (added, removed) = self.delta.map_or((&[][..], &[][..]), |graph| {
            (rows(&graph.added.spo, &[subject]), rows(&graph.removed.spo, &[subject]))
        });
        merge_pairs(&predicates[range.clone()], &objects[range], added, removed)
    }

    /// Returns predicates and objects of a subject, looked for from a place on; the place moves on to the subject, so
    /// that ascending subjects are found in few steps.
    pub(crate) fn about_from(&self, subject: u32, from: &mut usize) -> Pairs<'a> {
        let rows_of_graph = self.base.map_or(0..0, |entry| entry.rows.clone());
        let [subjects, predicates, objects] = self.snapshot.spo().map(|column| &column[rows_of_graph.clone()]);
        let start = gallop(subjects, *from, subject);
        let run = subjects[start..].iter().take_while(|other| **other == subject).count();
        *from = start;
        let (added, removed) = self.delta.map_or((&[][..], &[][..]), |graph| {
            (rows(&graph.added.spo, &[subject]), rows(&graph.removed.spo, &[subject]))
        });
        merge_pairs(&predicates[start..start + run], &objects[start..start + run], added, removed)
    }

    /// Returns how many subjects the generation has: enough to estimate with.
    pub(crate) fn subjects_about(&self) -> usize {
        self.base.map_or(0, |entry| entry.subjects as usize)
    }

    /// Returns how many subjects there are, about when something changed.
    pub(crate) fn subjects_count(&self) -> usize {
        let base = self.base.map_or(0, |entry| entry.subjects as usize);
        let changed = |rows: &[[u32; 3]]| rows.chunk_by(|a, b| a[0] == b[0]).count();
        self.delta.map_or(base, |graph| {
            let new = graph.added.spo.chunk_by(|a, b| a[0] == b[0]).filter(|rows| !self.had(rows[0][0])).count();
            let touched = changed(&graph.removed.spo);
            let gone = if touched == 0 {
                0
            } else {
                let removed = graph.removed.spo.chunk_by(|a, b| a[0] == b[0]);
                removed.filter(|rows| self.about(rows[0][0]).0.is_empty()).count()
            };
            (base + new).saturating_sub(gone)
        })
    }

    fn had(&self, subject: u32) -> bool {
        let rows_of_graph = self.base.map_or(0..0, |entry| entry.rows.clone());
        !equal(self.snapshot.spo()[0], rows_of_graph, subject).is_empty()
    }
}

/// Returns the rows that begin with a prefix of one or two ids.
fn rows<'a>(sorted: &'a [[u32; 3]], prefix: &[u32]) -> &'a [[u32; 3]] {
    let from = sorted.partition_point(|row| row[..prefix.len()] < *prefix);
    let length = sorted[from..].partition_point(|row| row[..prefix.len()] == *prefix);
    &sorted[from..from + length]
}

/// Returns the rows of a range in which a sorted column has a value.
fn equal(column: &[u32], range: Range<usize>, value: u32) -> Range<usize> {
    let part = &column[range.clone()];
    let from = part.partition_point(|other| *other < value);
    // Most runs are short: the end is looked for by doubling steps.
    let rest = &part[from..];
    let mut step = 1;
    while step < rest.len() && rest[step] == value {
        step *= 2;
    }
    let length = rest[..step.min(rest.len())].partition_point(|other| *other == value);
    let start = range.start + from;
    start..start + length
}

/// Returns the rows of a range in which a sorted column has one of the values.
fn between(column: &[u32], range: Range<usize>, values: &Range<u32>) -> Range<usize> {
    let part = &column[range.clone()];
    let at = |value: u32| range.start + part.partition_point(|other| *other < value);
    at(values.start)..at(values.end)
}

/// Merges the third ids of changed rows into a sorted column.
fn merge_ids<'a>(base: &'a [u32], added: &[[u32; 3]], removed: &[[u32; 3]]) -> Cow<'a, [u32]> {
    if added.is_empty() && removed.is_empty() {
        return Cow::Borrowed(base);
    }
    let mut result = Vec::with_capacity(base.len() + added.len());
    let (mut position, mut adding, mut removing) = (0, added.iter().peekable(), removed.iter().peekable());
    loop {
        let adds = match (adding.peek(), removing.peek()) {
            (None, None) => break,
            (Some(add), Some(remove)) => add[2] < remove[2],
            (add, _) => add.is_some(),
        };
        let Some(row) = (if adds { adding.next() } else { removing.next() }) else { break };
        let at = position + base[position..].partition_point(|id| *id < row[2]);
        result.extend_from_slice(&base[position..at]);
        position = at;
        if adds {
            result.push(row[2]);
        } else if base.get(at) == Some(&row[2]) {
            position += 1;
        }
    }
    result.extend_from_slice(&base[position..]);
    Cow::Owned(result)
}

/// Merges the second and third ids of changed rows into two columns that are sorted together.
fn merge_pairs<'a>(first: &'a [u32], second: &'a [u32], added: &[[u32; 3]], removed: &[[u32; 3]]) -> Pairs<'a> {
    if added.is_empty() && removed.is_empty() {
        return (Cow::Borrowed(first), Cow::Borrowed(second));
    }
    let mut firsts = Vec::with_capacity(first.len() + added.len());
    let mut seconds = Vec::with_capacity(first.len() + added.len());
    let (mut position, mut adding, mut removing) = (0, added.iter().peekable(), removed.iter().peekable());
    loop {
        let adds = match (adding.peek(), removing.peek()) {
            (None, None) => break,
            (Some(add), Some(remove)) => add[1..] < remove[1..],
            (add, _) => add.is_some(),
        };
        let Some(row) = (if adds { adding.next() } else { removing.next() }) else { break };
        let at = position + first[position..].partition_point(|id| *id < row[1]);
        let run = first[at..].partition_point(|id| *id == row[1]);
        let at = at + second[at..at + run].partition_point(|id| *id < row[2]);
        firsts.extend_from_slice(&first[position..at]);
        seconds.extend_from_slice(&second[position..at]);
        position = at;
        if adds {
            firsts.push(row[1]);
            seconds.push(row[2]);
        } else if first.get(at) == Some(&row[1]) && second.get(at) == Some(&row[2]) {
            position += 1;
        }
    }
    firsts.extend_from_slice(&first[position..]);
    seconds.extend_from_slice(&second[position..]);
    (Cow::Owned(firsts), Cow::Owned(seconds))
}

/// Writes an optional graph as quads name it.
pub(crate) fn graph_id(graph: Option<u32>) -> u32 {
    graph.unwrap_or(DEFAULT_GRAPH)
}

/// Returns the first place from `from` on whose value is not below `value`, by doubling steps.
pub(crate) fn gallop(sorted: &[u32], from: usize, value: u32) -> usize {
    if sorted.get(from).is_none_or(|first| *first >= value) {
        return from;
    }
    let (mut low, mut step) = (from, 1);
    while low + step < sorted.len() && sorted[low + step] < value {
        low += step;
        step *= 2;
    }
    let end = (low + step).min(sorted.len());
    low + 1 + sorted[low + 1..end].partition_point(|other| *other < value)
}
