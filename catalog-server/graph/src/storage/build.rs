//! Builds generations: runs of bounded size in memory, merged in order; compaction is the same merge.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;
use std::path::Path;

use oxigraph::model::TermRef;
use rustc_hash::FxHashMap;

use super::map::{ColumnWriter, Sealed};
use super::snapshot::{FORMAT, GraphEntry, Manifest, PredicateEntry, Snapshot, columns};
use super::stream::{self, Quads};
use super::term::{Class, Place, encode};
use super::{DEFAULT_GRAPH, MAX_TERMS, Quad};

/// Quads that one run holds in memory: with its terms about 100 MB.
const RUN_QUADS: usize = 1_000_000;

/// Bytes of terms that one run holds in memory.
const RUN_BYTES: usize = 48 << 20;

/// The three orders, each as the places in a [`Quad`] that are compared one after the other.
const ORDERS: [[usize; 4]; 3] = [[0, 1, 2, 3], [0, 2, 1, 3], [0, 2, 3, 1]];

/// Puts a quad into an order; the default graph comes first.
fn permute(quad: Quad, order: usize) -> Quad {
    let [graph, a, b, c] = ORDERS[order].map(|at| quad[at]);
    [graph.wrapping_add(1), a, b, c]
}

/// Statements that are collected in memory.
#[derive(Default)]
pub(crate) struct RunBuilder {
    ids: FxHashMap<Box<[u8]>, u32>,
    quads: Vec<Quad>,
    bytes: usize,
    buffer: Vec<u8>,
}

impl RunBuilder {
    /// Returns the id of a term in this run.
    pub(crate) fn id(&mut self, term: TermRef<'_>) -> u32 {
        let mut buffer = std::mem::take(&mut self.buffer);
        encode(term, &mut buffer);
        let id = self.id_of_bytes(&buffer);
        self.buffer = buffer;
        id
    }

    /// Returns the id of a term's bytes in this run.
    pub(crate) fn id_of_bytes(&mut self, bytes: &[u8]) -> u32 {
        if let Some(&id) = self.ids.get(bytes) {
            return id;
        }
        let id = self.ids.len() as u32;
        self.bytes += bytes.len() + 40;
        self.ids.insert(bytes.into(), id);
        id
    }

    /// Adds a quad of this run's ids.
    pub(crate) fn add(&mut self, quad: Quad) {
        self.quads.push(quad);
    }

    /// Says whether it is time to put this run aside.
    pub(crate) fn is_full(&self) -> bool {
        self.quads.len() >= RUN_QUADS || self.bytes >= RUN_BYTES
    }

    /// Says whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.quads.is_empty()
    }

    /// Sorts what was collected.
    pub(crate) fn sort(self) -> Run {
        let mut terms: Vec<(Place, Box<[u8]>, u32)> =
            self.ids.into_iter().map(|(bytes, id)| (Place::of(&bytes), bytes, id)).collect();
        terms.sort_unstable_by(|a, b| a.0.compare(&a.1, b.0, &b.1));
        let mut sorted = vec![0_u32; terms.len()];
        for (at, (_, _, id)) in terms.iter().enumerate() {
            sorted[*id as usize] = at as u32;
        }
        let mut quads = self.quads;
        for quad in &mut quads {
            *quad = quad.map(|id| if id == DEFAULT_GRAPH { id } else { sorted[id as usize] });
        }
        Run { terms: terms.into_iter().map(|(place, bytes, _)| (place, bytes)).collect(), quads }
    }
}

/// Sorted terms and their quads in memory.
pub(crate) struct Run {
    terms: Vec<(Place, Box<[u8]>)>,
    quads: Vec<Quad>,
}

/// What a merge reads from.
pub(crate) enum Source<'a> {
    /// A run in memory.
    Run(Run),
    /// A generation without some of its quads.
    Snapshot {
        /// The generation.
        snapshot: &'a Snapshot,
        /// Quads to leave out.
        without: Vec<Quad>,
    },
}

impl Source<'_> {
    fn count_terms(&self) -> usize {
        match self {
            Self::Run(run) => run.terms.len(),
            Self::Snapshot { snapshot, .. } => snapshot.terms(),
        }
    }

    /// Returns the terms, without those that no quad uses any more.
    fn terms(&mut self) -> io::Result<Terms<'_>> {
        let used = self.used()?;
        Ok(match self {
            Self::Run(run) => Terms::Run(run.terms.iter().enumerate()),
            Self::Snapshot { snapshot, .. } => {
                Terms::Snapshot { terms: Box::new(stream::Terms::open(snapshot)?), used }
            }
        })
    }

    /// Marks the terms that some quad uses, when there may be others.
    fn used(&mut self) -> io::Result<Option<Vec<bool>>> {
        match self {
            Self::Snapshot { without, .. } if !without.is_empty() => {}
            _ => return Ok(None),
        }
        let mut used = vec![false; self.count_terms()];
        for quad in self.quads(0)? {
            let [graph, s, p, o] = quad?;
            for id in [s, p, o] {
                used[id as usize] = true;
            }
            if graph > 0 {
                used[(graph - 1) as usize] = true;
            }
        }
        Ok(Some(used))
    }

    /// Returns the quads in an order, as [`permute`] writes them; a run in memory is sorted for it first.
    fn quads(&mut self, order: usize) -> io::Result<Quads<'_>> {
        match self {
            Self::Run(run) => {
                run.quads.sort_unstable_by_key(|quad| permute(*quad, order));
                run.quads.dedup();
                Ok(Box::new(run.quads.iter().map(move |quad| Ok(permute(*quad, order)))))
            }
            Self::Snapshot { snapshot, without } => {
                let quads = stream::quads(snapshot, order)?;
                if without.is_empty() {
                    return Ok(quads);
                }
                without.sort_unstable_by_key(|quad| permute(*quad, order));
                let mut without = without.iter().map(move |quad| permute(*quad, order)).peekable();
                Ok(Box::new(quads.filter(move |quad| {
                    let Ok(quad) = quad else { return true };
                    while without.next_if(|deleted| deleted < quad).is_some() {}
                    without.peek() != Some(quad)
                })))
            }
        }
    }
}

/// The terms of a source, in order.
enum Terms<'a> {
    Run(std::iter::Enumerate<std::slice::Iter<'a, (Place, Box<[u8]>)>>),
    Snapshot { terms: Box<stream::Terms>, used: Option<Vec<bool>> },
}

impl Terms<'_> {
    /// Reads the next term's bytes into a buffer and returns its id and place; none behind the last.
    fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<(u32, Place)>> {
        match self {
            Self::Run(terms) => Ok(terms.next().map(|(id, (place, term))| {
                bytes.clear();
                bytes.extend_from_slice(term);
                (id as u32, *place)
            })),
            Self::Snapshot { terms, used } => loop {
                match (terms.next(bytes)?, &*used) {
                    (Some((id, _)), Some(used)) if !used[id as usize] => {}
                    (next, _) => return Ok(next),
                }
            },
        }
    }
}

/// Merges sources into a new generation's folder, which exists and is empty; `stop` is asked now and then.
pub(crate) fn merge(
    mut sources: Vec<Source<'_>>,
    folder: &Path,
    applied_seq: u64,
    stamp: &str,
    filled: bool,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let mut files = std::collections::BTreeMap::new();
    let (maps, class_ends) = merge_terms(&mut sources, folder, &mut files, stop)?;
    let mut graphs = Vec::new();
    for order in 0..3 {
        let writer = OrderWriter::create(folder, order, std::mem::take(&mut graphs))?;
        graphs = merge_quads(&mut sources, &maps, order, writer, &mut files, stop)?;
    }
    let stamp = stamp.to_owned();
    Manifest { format: FORMAT, stamp, filled, applied_seq, class_ends, graphs, files }.write(folder)
}

/// The next term of a source; the heap's greatest is the first in order.
struct TermHead {
    place: Place,
    bytes: Vec<u8>,
    source: usize,
    id: u32,
}

impl TermHead {
    /// Moves on to the source's next term; false when there is none.
    fn advance(&mut self, terms: &mut Terms<'_>) -> io::Result<bool> {
        let Some((id, place)) = terms.next(&mut self.bytes)? else { return Ok(false) };
        (self.id, self.place) = (id, place);
        Ok(true)
    }
}

impl Ord for TermHead {
    fn cmp(&self, other: &Self) -> Ordering {
        other.place.compare(&other.bytes, self.place, &self.bytes).then_with(|| other.source.cmp(&self.source))
    }
}

impl PartialOrd for TermHead {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TermHead {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for TermHead {}

/// For each source, what its ids become.
type Maps = Vec<Vec<u32>>;

fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "the server is stopping")
}

fn merge_terms(
    sources: &mut [Source<'_>],
    folder: &Path,
    files: &mut std::collections::BTreeMap<String, Sealed>,
    stop: &dyn Fn() -> bool,
) -> io::Result<(Maps, [u32; Class::COUNT])> {
    let mut maps: Maps = sources.iter().map(|source| vec![0; source.count_terms()]).collect();
    let mut terms = sources.iter_mut().map(Source::terms).collect::<io::Result<Vec<_>>>()?;
    let mut heap = BinaryHeap::with_capacity(terms.len());
    for (source, terms) in terms.iter_mut().enumerate() {
        let mut head = TermHead { place: Place::of(&[]), bytes: Vec::new(), source, id: 0 };
        if head.advance(terms)? {
            heap.push(head);
        }
    }
    let mut writer = TermWriter::create(folder)?;
    let (mut last_class, mut last) = (None, Vec::new());
    while let Some(mut first) = heap.peek_mut() {
        // Equal terms of several sources follow one another.
        if last_class != Some(first.place.class) || last != first.bytes {
            writer.term(first.place, &first.bytes)?;
            last_class = Some(first.place.class);
            last.clone_from(&first.bytes);
            if writer.count.is_multiple_of(1 << 16) && stop() {
                return Err(stopped());
            }
        }
        maps[first.source][first.id as usize] = (writer.count - 1) as u32;
        let source = first.source;
        if !first.advance(&mut terms[source])? {
            PeekMut::pop(first);
        }
    }
    let class_ends = writer.finish(files)?;
    Ok((maps, class_ends))
}

/// Writes the dictionary's columns.
struct TermWriter {
    bytes: ColumnWriter,
    offsets: ColumnWriter,
    values: ColumnWriter,
    zones: ColumnWriter,
    firsts: ColumnWriter,
    count: usize,
    end: u64,
    class_ends: [u32; Class::COUNT],
    last: Option<(Class, i128, u32)>,
}

impl TermWriter {
    fn create(folder: &Path) -> io::Result<Self> {
        let create = |name| ColumnWriter::create(folder, name);
        let mut offsets = create(columns::OFFSETS)?;
        offsets.elements(&[0_u64])?;
        Ok(Self {
            bytes: create(columns::TERMS)?,
            offsets,
            values: create(columns::VALUES)?,
            zones: create(columns::ZONES)?,
            firsts: create(columns::FIRSTS)?,
            count: 0,
            end: 0,
            class_ends: [0; Class::COUNT],
            last: None,
        })
    }

    fn term(&mut self, place: Place, bytes: &[u8]) -> io::Result<()> {
        if self.count >= MAX_TERMS {
            return Err(io::Error::other("the graph has more terms than its files can name"));
        }
        let id = self.count as u32;
        self.count += 1;
        self.end += bytes.len() as u64;
        self.bytes.bytes(bytes)?;
        self.offsets.elements(&[self.end])?;
        self.class_ends[place.class as usize..].fill(id + 1);
        if place.class.has_value() {
            let first = match self.last {
                Some((class, value, first)) if class == place.class && value == place.value => first,
                _ => id,
            };
            self.last = Some((place.class, place.value, first));
            self.values.elements(&[place.value])?;
            self.zones.elements(&[place.zone])?;
            self.firsts.elements(&[first])?;
        }
        Ok(())
    }

    fn finish(self, files: &mut std::collections::BTreeMap<String, Sealed>) -> io::Result<[u32; Class::COUNT]> {
        files.insert(columns::TERMS.to_owned(), self.bytes.finish()?);
        files.insert(columns::OFFSETS.to_owned(), self.offsets.finish()?);
        files.insert(columns::VALUES.to_owned(), self.values.finish()?);
        files.insert(columns::ZONES.to_owned(), self.zones.finish()?);
        files.insert(columns::FIRSTS.to_owned(), self.firsts.finish()?);
        Ok(self.class_ends)
    }
}

fn merge_quads(
    sources: &mut [Source<'_>],
    maps: &Maps,
    order: usize,
    mut writer: OrderWriter,
    files: &mut std::collections::BTreeMap<String, Sealed>,
    stop: &dyn Fn() -> bool,
) -> io::Result<Vec<GraphEntry>> {
    let mut streams: Vec<Quads<'_>> =
        sources.iter_mut().map(|source| source.quads(order)).collect::<io::Result<_>>()?;
    // Ids of a source become greater ones in the same order, so that a sorted stream stays sorted.
    let mut next = |at: usize| -> io::Result<Option<Quad>> {
        let Some(quad) = streams[at].next() else { return Ok(None) };
        let ([graph, a, b, c], map) = (quad?, &maps[at]);
        let graph = if graph == 0 { 0 } else { map[(graph - 1) as usize] + 1 };
        Ok(Some([graph, map[a as usize], map[b as usize], map[c as usize]]))
    };
    let mut heap: BinaryHeap<std::cmp::Reverse<(Quad, usize)>> = BinaryHeap::new();
    for at in 0..maps.len() {
        heap.extend(next(at)?.map(|quad| std::cmp::Reverse((quad, at))));
    }
    let (mut last, mut count) = (None, 0_usize);
    while let Some(mut top) = heap.peek_mut() {
        let std::cmp::Reverse((quad, at)) = *top;
        match next(at)? {
            Some(next) => top.0.0 = next,
            None => {
                PeekMut::pop(top);
            }
        }
        if last != Some(quad) {
            writer.row(quad)?;
            last = Some(quad);
        }
        count += 1;
        if count.is_multiple_of(1 << 18) && stop() {
            return Err(stopped());
        }
    }
    writer.finish(files)
}

/// Writes the columns of one order and what the manifest says of its graphs.
struct OrderWriter {
    order: usize,
    columns: Vec<(&'static str, ColumnWriter, Vec<u32>)>,
    graphs: Vec<GraphEntry>,
    last: Option<Quad>,
    graph: usize,
    predicate: usize,
    rows: usize,
}

impl OrderWriter {
    fn create(folder: &Path, order: usize, graphs: Vec<GraphEntry>) -> io::Result<Self> {
        let names: &[&'static str] = match order {
            0 => &columns::SPO,
            1 => &columns::PSO,
            _ => &columns::POS,
        };
        let columns = names
            .iter()
            .map(|name| Ok((*name, ColumnWriter::create(folder, name)?, Vec::with_capacity(1 << 14))))
            .collect::<io::Result<_>>()?;
        Ok(Self { order, columns, graphs, last: None, graph: 0, predicate: 0, rows: 0 })
    }

    fn row(&mut self, quad: Quad) -> io::Result<()> {
        self.note(quad);
        let kept = if self.order == 0 { &quad[1..] } else { &quad[2..] };
        for ((_, writer, buffer), id) in self.columns.iter_mut().zip(kept) {
            buffer.push(*id);
            if buffer.len() == 1 << 14 {
                writer.elements(buffer.as_slice())?;
                buffer.clear();
            }
        }
        self.rows += 1;
        self.last = Some(quad);
        Ok(())
    }

    /// Notes where graphs and predicates begin and how many different subjects and objects they have.
    fn note(&mut self, quad: Quad) {
        let [graph, first, second, _] = quad;
        let new_graph = self.last.is_none_or(|last| last[0] != graph);
        let new_first = new_graph || self.last.is_some_and(|last| last[1] != first);
        let new_second = new_first || self.last.is_some_and(|last| last[2] != second);
        if new_graph && self.last.is_some() {
            self.graph += 1;
        }
        let row = self.rows;
        match self.order {
            0 => {
                if new_graph {
                    let graph = graph.checked_sub(1);
                    self.graphs.push(GraphEntry { graph, rows: row..row, subjects: 0, predicates: Vec::new() });
                }
                let entry = &mut self.graphs[self.graph];
                entry.rows.end = row + 1;
                entry.subjects += u32::from(new_first);
            }
            1 => {
                let predicates = &mut self.graphs[self.graph].predicates;
                if new_first {
                    let rows = row..row;
                    predicates.push(PredicateEntry { predicate: first, rows, subjects: 0, objects: 0 });
                }
                if let Some(entry) = predicates.last_mut() {
                    entry.rows.end = row + 1;
                    entry.subjects += u32::from(new_second);
                }
            }
            _ => {
                if new_graph {
                    self.predicate = 0;
                } else if new_first {
                    self.predicate += 1;
                }
                self.graphs[self.graph].predicates[self.predicate].objects += u32::from(new_second);
            }
        }
    }

    fn finish(self, files: &mut std::collections::BTreeMap<String, Sealed>) -> io::Result<Vec<GraphEntry>> {
        for (name, mut writer, buffer) in self.columns {
            writer.elements(buffer.as_slice())?;
            files.insert(name.to_owned(), writer.finish()?);
        }
        Ok(self.graphs)
    }
}
