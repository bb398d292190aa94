//! What came since the generation was written: terms with ids behind its own, quads added and quads taken away.
//!
//! A delta never changes: applying a batch makes the next one, so that a view stays what it is. It is kept small by
//! compaction, so that making the next one is a short linear merge.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::snapshot::Snapshot;
use super::term::Place;
use super::{DEFAULT_GRAPH, Quad};

/// Changes to apply together, with terms of their own numbering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The ledger's sequence afterwards.
    pub(crate) seq: u64,
    /// The terms that the quads name.
    pub(crate) terms: Vec<Box<[u8]>>,
    /// Quads to add.
    pub(crate) add: Vec<Quad>,
    /// Quads to take away; none of them is also added.
    pub(crate) remove: Vec<Quad>,
}

/// Collects a batch.
#[derive(Default)]
pub(crate) struct BatchBuilder {
    ids: FxHashMap<Box<[u8]>, u32>,
    terms: Vec<Box<[u8]>>,
    state: FxHashMap<Quad, bool>,
}

impl BatchBuilder {
    /// Returns the batch's id of a term.
    pub(crate) fn id(&mut self, bytes: &[u8]) -> u32 {
        if let Some(&id) = self.ids.get(bytes) {
            return id;
        }
        let id = self.terms.len() as u32;
        self.ids.insert(bytes.into(), id);
        self.terms.push(bytes.into());
        id
    }

    /// Notes that a quad is there, or no longer there, after the batch.
    pub(crate) fn set(&mut self, quad: Quad, there: bool) {
        self.state.insert(quad, there);
    }

    /// Ends the batch.
    pub(crate) fn finish(self, seq: u64) -> Batch {
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for (quad, there) in self.state {
            if there { add.push(quad) } else { remove.push(quad) }
        }
        // The same batch has the same bytes in every process and run.
        add.sort_unstable();
        remove.sort_unstable();
        Batch { seq, terms: self.terms, add, remove }
    }
}

/// A set of triples in the three orders, each row in its order's sequence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Triples {
    /// By subject, predicate, object.
    pub(crate) spo: Vec<[u32; 3]>,
    /// By predicate, subject, object.
    pub(crate) pso: Vec<[u32; 3]>,
    /// By predicate, object, subject.
    pub(crate) pos: Vec<[u32; 3]>,
}

impl Triples {
    /// Makes the next set.
    fn changed(&self, add: &[[u32; 3]], remove: &[[u32; 3]]) -> Self {
        let merge = |rows: &[[u32; 3]], order: [usize; 3]| {
            let permuted = |triples: &[[u32; 3]]| {
                let mut permuted: Vec<_> = triples.iter().map(|triple| order.map(|at| triple[at])).collect();
                permuted.sort_unstable();
                permuted
            };
            merged(rows, &permuted(add), &permuted(remove))
        };
        Self { spo: merge(&self.spo, [0, 1, 2]), pso: merge(&self.pso, [1, 0, 2]), pos: merge(&self.pos, [1, 2, 0]) }
    }

    fn contains(&self, triple: [u32; 3]) -> bool {
        self.spo.binary_search(&triple).is_ok()
    }
}

/// Merges sorted rows: all of `rows` and `add` without `remove`.
fn merged(rows: &[[u32; 3]], add: &[[u32; 3]], remove: &[[u32; 3]]) -> Vec<[u32; 3]> {
    let mut result = Vec::with_capacity(rows.len() + add.len());
    let (mut adding, mut removing) = (add.iter().peekable(), remove.iter().peekable());
    for row in rows {
        while let Some(added) = adding.next_if(|added| *added < row) {
            result.push(*added);
        }
        while removing.next_if(|removed| *removed < row).is_some() {}
        if removing.peek() != Some(&row) {
            result.push(*row);
        }
    }
    result.extend(adding);
    result
}

/// The changes of one graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeltaGraph {
    /// Triples that the generation does not have.
    pub(crate) added: Arc<Triples>,
    /// Triples that it has and that are no longer there.
    pub(crate) removed: Arc<Triples>,
}

/// A term that the generation does not have.
struct NewTerm {
    bytes: Box<[u8]>,
    place: Place,
    /// The generation's first id that is not before it.
    before: u32,
}

/// Everything since the generation.
#[derive(Default)]
pub(crate) struct Delta {
    /// The ledger's sequence.
    pub(crate) seq: u64,
    /// Bytes of the log that made it.
    pub(crate) log: u64,
    terms: Vec<Arc<NewTerm>>,
    /// Positions in `terms` by their bytes.
    sorted: Vec<u32>,
    /// By the graph's id; the default graph's is [`DEFAULT_GRAPH`].
    graphs: Vec<(u32, DeltaGraph)>,
    /// Order keys of the terms, made when first asked for.
    keys: OnceLock<Vec<u64>>,
}

impl Delta {
    /// Makes the empty delta of a generation that stands for a sequence.
    pub(crate) fn new(seq: u64, log: u64) -> Self {
        Self { seq, log, ..Self::default() }
    }

    /// Returns how many quads were added and taken away.
    pub(crate) fn size(&self) -> usize {
        self.graphs.iter().map(|(_, graph)| graph.added.spo.len() + graph.removed.spo.len()).sum()
    }

    /// Returns how many terms it has.
    pub(crate) fn terms(&self) -> usize {
        self.terms.len()
    }

    /// Returns a term by its position.
    pub(crate) fn bytes(&self, at: usize) -> &[u8] {
        self.terms.get(at).map_or(&[], |term| &term.bytes)
    }

    /// Returns the place of a term by its position.
    pub(crate) fn place(&self, at: usize) -> Option<Place> {
        self.terms.get(at).map(|term| term.place)
    }

    /// Returns the position of a term.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<usize> {
        let found = self.sorted.binary_search_by(|at| self.terms[*at as usize].bytes.as_ref().cmp(bytes));
        found.ok().map(|at| self.sorted[at] as usize)
    }

    /// Returns a graph's changes.
    pub(crate) fn graph(&self, graph: Option<u32>) -> Option<&DeltaGraph> {
        let graph = graph.unwrap_or(DEFAULT_GRAPH);
        self.graphs.binary_search_by_key(&graph, |(id, _)| *id).ok().map(|at| &self.graphs[at].1)
    }

    /// Returns every graph that changed.
    pub(crate) fn graphs(&self) -> impl Iterator<Item = (Option<u32>, &DeltaGraph)> {
        self.graphs.iter().map(|(id, graph)| ((*id != DEFAULT_GRAPH).then_some(*id), graph))
    }

    /// Returns for each term a key that orders it among all terms of the generation and the delta.
    ///
    /// The term `id` of the generation has the key `(id + 1) << 32`, and so has a new term with an equal value. Another new
    /// term stands right before the first term of the generation that is not less, by its rank among those that stand there.
    pub(crate) fn keys(&self, base: &Snapshot) -> &[u64] {
        self.keys.get_or_init(|| {
            let mut order: Vec<u32> = (0..self.terms.len() as u32).collect();
            order.sort_unstable_by(|a, b| {
                let (a, b) = (&self.terms[*a as usize], &self.terms[*b as usize]);
                a.before.cmp(&b.before).then_with(|| a.place.compare(&a.bytes, b.place, &b.bytes))
            });
            let same_value = |a: Place, b: Place| a.class.has_value() && a.class == b.class && a.value == b.value;
            let mut keys = vec![0; self.terms.len()];
            let (mut rank, mut last): (u64, Option<&NewTerm>) = (0, None);
            for at in order {
                let term = &self.terms[at as usize];
                rank = match last {
                    Some(other) if other.before != term.before => 1,
                    Some(other) if same_value(other.place, term.place) => rank,
                    _ => rank + 1,
                };
                last = Some(term);
                let is_known =
                    base.value_ids().contains(&term.before) && same_value(base.place(term.before), term.place);
                let before = u64::from(term.before);
                keys[at as usize] = if is_known { (before + 1) << 32 } else { (before << 32) + rank };
            }
            keys
        })
    }

    /// Makes the next delta.
    pub(crate) fn apply(&self, base: &Snapshot, batch: &Batch, log: u64) -> Self {
        let first_new = base.terms() as u32;
        let (mut terms, mut new) = (self.terms.clone(), Vec::new());
        let ids: Vec<Option<u32>> = batch
            .terms
            .iter()
            .map(|bytes| base.find(Place::of(bytes), bytes).or_else(|| Some(first_new + self.find(bytes)? as u32)))
            .collect();
        let mut known = ids;
        // Only terms of quads that are added need an id; what is unknown is in no quad that could be taken away.
        for quad in &batch.add {
            for at in quad.iter().filter(|at| **at != DEFAULT_GRAPH) {
                let at = *at as usize;
                if known[at].is_none() {
                    known[at] = Some(first_new + terms.len() as u32);
                    new.push(terms.len() as u32);
                    let bytes = batch.terms[at].clone();
                    let place = Place::of(&bytes);
                    // Among equal values, the generation's first is looked for.
                    let before = base.lower_bound(place, if place.class.has_value() { &[] } else { &bytes });
                    terms.push(Arc::new(NewTerm { bytes, place, before }));
                }
            }
        }
        let resolve = |quad: &Quad| -> Option<Quad> {
            let mut resolved = *quad;
            for id in &mut resolved {
                if *id != DEFAULT_GRAPH {
                    *id = known[*id as usize]?;
                }
            }
            Some(resolved)
        };
        let mut graphs = self.graphs.clone();
        let mut changes: FxHashMap<u32, Changes> = FxHashMap::default();
        for (quad, there) in batch.add.iter().map(|quad| (quad, true)).chain(batch.remove.iter().map(|q| (q, false))) {
            let Some([graph, s, p, o]) = resolve(quad) else { continue };
            let in_base = base_contains(base, graph, [s, p, o]);
            let before = self.graph((graph != DEFAULT_GRAPH).then_some(graph));
            let added = before.is_some_and(|changed| changed.added.contains([s, p, o]));
            let removed = before.is_some_and(|changed| changed.removed.contains([s, p, o]));
            let change = changes.entry(graph).or_default();
            match (there, in_base) {
                (true, true) if removed => change.restore.push([s, p, o]),
                (true, false) if !added => change.add.push([s, p, o]),
                (false, true) if !removed => change.remove.push([s, p, o]),
                (false, false) if added => change.retract.push([s, p, o]),
                _ => {}
            }
        }
        for (graph, change) in changes {
            let at = graphs.binary_search_by_key(&graph, |(id, _)| *id).unwrap_or_else(|at| {
                graphs.insert(at, (graph, DeltaGraph::default()));
                at
            });
            let entry = &mut graphs[at].1;
            if !change.add.is_empty() || !change.retract.is_empty() {
                entry.added = Arc::new(entry.added.changed(&change.add, &change.retract));
            }
            if !change.remove.is_empty() || !change.restore.is_empty() {
                entry.removed = Arc::new(entry.removed.changed(&change.remove, &change.restore));
            }
        }
        graphs.retain(|(_, graph)| !graph.added.spo.is_empty() || !graph.removed.spo.is_empty());
        let sorted = self.sorted_with(&terms, new);
        Self { seq: batch.seq, log, terms, sorted, graphs, keys: OnceLock::new() }
    }

    fn sorted_with(&self, terms: &[Arc<NewTerm>], mut new: Vec<u32>) -> Vec<u32> {
        let bytes = |at: &u32| &terms[*at as usize].bytes;
        new.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
        let mut sorted = Vec::with_capacity(terms.len());
        let mut new = new.into_iter().peekable();
        for at in &self.sorted {
            while let Some(before) = new.next_if(|one| bytes(one).cmp(bytes(at)) == Ordering::Less) {
                sorted.push(before);
            }
            sorted.push(*at);
        }
        sorted.extend(new);
        sorted
    }
}

#[derive(Default)]
struct Changes {
    add: Vec<[u32; 3]>,
    retract: Vec<[u32; 3]>,
    remove: Vec<[u32; 3]>,
    restore: Vec<[u32; 3]>,
}

/// Says whether the generation has a quad.
fn base_contains(base: &Snapshot, graph: u32, [s, p, o]: [u32; 3]) -> bool {
    let graph = (graph != DEFAULT_GRAPH).then_some(graph);
    let Some(entry) = base.graph(graph).and_then(|graph| graph.predicate(p)) else { return false };
    let [subjects, objects] = base.pso().map(|column| &column[entry.rows.clone()]);
    let from = subjects.partition_point(|subject| *subject < s);
    let to = from + subjects[from..].partition_point(|subject| *subject == s);
    objects[from..to].binary_search(&o).is_ok()
}
