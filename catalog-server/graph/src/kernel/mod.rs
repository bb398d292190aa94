//! Evaluates on ids what catalogues are asked: stars and chains of triple patterns with filters, optional parts, unions,
//! groups and order. Terms are made only for rows that leave.
//!
//! It gives exactly what SPARQL says or [`Stop::Unknown`], upon which spareval answers instead: it never guesses.

mod choice;
mod construct;
mod expression;
mod first;
mod graphs;
mod group;
mod groups;
mod join;
mod moment;
mod narrow;
mod open;
mod order;
mod passing;
mod path;
mod pattern;
mod places;
mod properties;
mod range;
mod scan;
mod seek;
mod step;
mod table;
mod texts;
mod value;
mod wanted;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use oxigraph::model::{GraphName, NamedNode, NamedOrBlankNode, Term, Triple, Variable};
use rustc_hash::FxHashMap;
use spareval::QuerySolution;
use spargebra::Query as Algebra;

use crate::answer::Answer;
use crate::query::{Answered, Cancellation, Graphs, Limits, QueryError};
use crate::storage::term::{Class, Place, decode, encode, lexical};
use crate::storage::view::{GraphView, View};
use table::{Table, UNBOUND};
use wanted::Wanted;

/// Rows after which the clock and the memory are looked at.
const LOOK_EVERY: usize = 1 << 14;

/// Rows whose terms are fetched together before they are made.
const AT_ONCE: usize = 64;

/// Why the kernel has no answer.
pub(crate) enum Stop {
    /// It does not know this exactly; spareval does.
    Unknown,
    /// There is none.
    Query(QueryError),
}

/// What a step of the kernel gives.
type Outcome<T> = Result<T, Stop>;

/// The kernel for one query.
pub(crate) struct Kernel<'a> {
    view: &'a View,
    /// The graph that patterns are about: the default one, or that of a GRAPH around them.
    graph: Cell<GraphView<'a>>,
    /// The named graphs that GRAPH may name; all when there are none here.
    named: Option<Vec<u32>>,
    terms: usize,
    /// Terms that expressions made and the view does not hold; their ids follow those of the view.
    made: RefCell<Made>,
    /// Bytes that are written anew for each value.
    scratch: RefCell<Vec<u8>>,
    limits: Limits,
    cancellation: &'a Cancellation,
}

#[derive(Default)]
struct Made {
    terms: Vec<Box<[u8]>>,
    ids: FxHashMap<Box<[u8]>, u32>,
    /// Whole numbers that were made, without the way over their text.
    integers: FxHashMap<i64, u32>,
}

/// What the kernel found, before anything is written.
pub(crate) struct Found<'a> {
    kernel: Kernel<'a>,
    what: What<'a>,
}

/// An answer in ids.
enum What<'a> {
    Truth(bool),
    Rows(Table<'a>),
    Triples(Vec<[u32; 3]>),
}

/// Evaluates a query; nothing when spareval has to. A dataset replaces the one that the query names.
pub(crate) fn evaluate<'a>(
    view: &'a View,
    query: &Algebra,
    dataset: Option<&Graphs>,
    limits: Limits,
    cancellation: &'a Cancellation,
) -> Result<Option<Found<'a>>, QueryError> {
    let (Algebra::Select { dataset: own, .. }
    | Algebra::Ask { dataset: own, .. }
    | Algebra::Construct { dataset: own, .. }
    | Algebra::Describe { dataset: own, .. }) = query;
    let own = own.as_ref().map(|own| {
        let named = own.named.iter().flatten().cloned().map(NamedOrBlankNode::from).collect();
        (own.default.iter().cloned().map(GraphName::from).collect(), named)
    });
    let Some((graph, named)) = of_dataset(view, dataset.or(own.as_ref())) else { return Ok(None) };
    let (terms, graph) = (view.terms(), Cell::new(graph));
    let kernel = Kernel {
        view,
        graph,
        named,
        terms,
        made: RefCell::default(),
        scratch: RefCell::default(),
        limits,
        cancellation,
    };
    match kernel.answer(query) {
        Ok(what) => Ok(Some(Found { kernel, what })),
        Err(Stop::Unknown) => Ok(None),
        Err(Stop::Query(error)) => Err(error),
    }
}

/// Finds the graphs of a dataset. A default graph that is merged of several is spareval's.
fn of_dataset<'a>(view: &'a View, dataset: Option<&Graphs>) -> Option<(GraphView<'a>, Option<Vec<u32>>)> {
    let Some((default, named)) = dataset else { return Some((view.graph(None), None)) };
    let find = |name: &NamedNode| view.find(name.as_ref().into());
    let graph = match default.as_slice() {
        [] => view.no_graph(),
        [GraphName::DefaultGraph] => view.graph(None),
        [GraphName::NamedNode(name)] => find(name).map_or_else(|| view.no_graph(), |id| view.graph(Some(id))),
        _ => return None,
    };
    let id = |name: &NamedOrBlankNode| match name {
        NamedOrBlankNode::NamedNode(name) => find(name),
        NamedOrBlankNode::BlankNode(_) => None,
    };
    Some((graph, Some(named.iter().filter_map(id).collect())))
}

impl Found<'_> {
    /// Writes the answer.
    pub(crate) fn write(self, answer: Answer<'_>) -> Result<Answered, QueryError> {
        let most = self.kernel.limits.rows;
        let table = match self.what {
            What::Truth(truth) => return answer.truth(truth),
            What::Triples(triples) if triples.len() > most => return Err(QueryError::TooManyRows(most)),
            What::Triples(triples) => {
                let triples = triples.chunks(AT_ONCE).flat_map(|triples| {
                    self.kernel.touch(triples.iter().flatten().copied());
                    triples.iter().map(|triple| self.kernel.triple(*triple))
                });
                return answer.graph(triples);
            }
            What::Rows(table) => table,
        };
        if table.rows > most {
            // Known before anything is written.
            return Err(QueryError::TooManyRows(most));
        }
        let variables: Arc<[Variable]> = table.names.iter().map(Variable::new_unchecked).collect();
        let solutions = (0..table.rows).map(|row| {
            if row.is_multiple_of(AT_ONCE) {
                let rows = row..table.rows.min(row + AT_ONCE);
                self.kernel.touch(table.columns.iter().flat_map(|column| column[rows.clone()].iter().copied()));
            }
            let term = |column: &Cow<'_, [u32]>| (column[row] != UNBOUND).then(|| self.kernel.term(column[row]));
            let values: Vec<Option<Term>> = table.columns.iter().map(term).collect();
            Ok(QuerySolution::from((Arc::clone(&variables), values)))
        });
        answer.solutions(variables.to_vec(), solutions)
    }
}

impl<'a> Kernel<'a> {
    fn answer(&self, query: &Algebra) -> Outcome<What<'a>> {
        Ok(match query {
            Algebra::Select { pattern, .. } => What::Rows(self.pattern(pattern, None)?),
            Algebra::Ask { pattern, .. } => What::Truth(self.part(pattern, Some(1), &Wanted::of([], true))?.rows > 0),
            Algebra::Construct { template, pattern, .. } => {
                let wanted = Wanted::of(template.iter().flat_map(scan::names), true);
                What::Triples(self.construct(&self.part(pattern, None, &wanted)?, template)?)
            }
            Algebra::Describe { pattern, .. } => What::Triples(self.describe(&self.pattern(pattern, None)?)?),
        })
    }

    fn triple(&self, [s, p, o]: [u32; 3]) -> Result<Triple, QueryError> {
        let wrong = || QueryError::Internal("a statement that is none".to_owned());
        let subject = match self.term(s) {
            Term::NamedNode(node) => node.into(),
            Term::BlankNode(node) => NamedOrBlankNode::from(node),
            _ => return Err(wrong()),
        };
        let Term::NamedNode(predicate) = self.term(p) else { return Err(wrong()) };
        Ok(Triple::new(subject, predicate, self.term(o)))
    }

    /// Returns the bytes of a term that the view holds.
    fn view_bytes(&self, id: u32) -> Option<&[u8]> {
        ((id as usize) < self.terms).then(|| self.view.bytes(id))
    }

    /// Gives the bytes of any term to a function.
    fn with_bytes<T>(&self, id: u32, run: impl FnOnce(&[u8]) -> T) -> T {
        match self.view_bytes(id) {
            Some(bytes) => run(bytes),
            None => run(self.made.borrow().terms.get(id as usize - self.terms).map_or(&[], |bytes| bytes)),
        }
    }

    /// Fetches terms of the generation that are made next.
    fn touch(&self, ids: impl Iterator<Item = u32>) {
        let terms = self.view.base.terms() as u32;
        let ids: Vec<u32> = ids.filter(|id| *id < terms).collect();
        self.view.base.touch(&ids);
    }

    /// Fetches the terms of the rows that are looked at next, in columns of terms whose text says what they are.
    fn fetch(&self, table: &Table<'_>, columns: &[usize], row: usize) {
        if !row.is_multiple_of(AT_ONCE) || table.rows < AT_ONCE {
            return;
        }
        for column in columns {
            let ids = &table.columns[*column][row..table.rows.min(row + AT_ONCE)];
            if ids[0] != UNBOUND && !self.class(ids[0]).has_value() {
                self.touch(ids.iter().copied());
            }
        }
    }

    fn term(&self, id: u32) -> Term {
        self.with_bytes(id, decode)
    }

    fn lexical(&self, id: u32) -> Cow<'_, str> {
        match self.view_bytes(id) {
            Some(bytes) => String::from_utf8_lossy(lexical(bytes)),
            None => self.with_bytes(id, |bytes| String::from_utf8_lossy(lexical(bytes)).into_owned()).into(),
        }
    }

    fn place(&self, id: u32) -> Place {
        if (id as usize) < self.terms { self.view.place(id) } else { self.with_bytes(id, Place::of) }
    }

    fn class(&self, id: u32) -> Class {
        if (id as usize) < self.terms { self.view.class(id) } else { self.place(id).class }
    }

    /// Returns the id of a term, a new one when neither the view nor this query has it yet.
    fn intern_term(&self, term: &Term) -> u32 {
        let mut bytes = Vec::new();
        encode(term.as_ref(), &mut bytes);
        if let Some(&id) = self.made.borrow().ids.get(bytes.as_slice()) {
            return id;
        }
        if let Some(id) = self.view.find_bytes(&bytes) {
            return id;
        }
        let mut made = self.made.borrow_mut();
        let id = (self.terms + made.terms.len()) as u32;
        made.terms.push(bytes.clone().into());
        made.ids.insert(bytes.into(), id);
        id
    }

    /// Ends a query that was cancelled.
    fn alive(&self) -> Outcome<()> {
        if self.cancellation.is_cancelled() { Err(Stop::Query(QueryError::Cancelled)) } else { Ok(()) }
    }

    /// Looks at the clock and the memory every so many rows: `row` of a loop, `cells` that it has made.
    fn look(&self, row: usize, cells: usize) -> Outcome<()> {
        if row.is_multiple_of(LOOK_EVERY) { self.within(cells) } else { Ok(()) }
    }

    /// Ends a query that was cancelled or that needs too much memory.
    fn within(&self, cells: usize) -> Outcome<()> {
        self.alive()?;
        if cells.saturating_mul(size_of::<u32>()) > self.limits.memory || self.made.borrow().terms.len() > MADE_TERMS {
            return Err(Stop::Query(QueryError::TooMuchMemory(self.limits.memory)));
        }
        Ok(())
    }
}

/// Terms that one query may make: each takes some hundred bytes.
const MADE_TERMS: usize = 1 << 21;
