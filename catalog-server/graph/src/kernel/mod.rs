//! Evaluates on ids what catalogues are asked: stars and chains of triple patterns with filters, optional parts, unions,
//! groups and order. Terms are made only for rows that leave.
//!
//! It gives exactly what SPARQL says or [`Stop::Unknown`], upon which spareval answers instead: it never guesses.

mod expression;
mod group;
mod join;
mod order;
mod pattern;
mod scan;
mod table;
mod value;

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use oxigraph::model::{Term, Variable};
use rustc_hash::FxHashMap;
use spareval::QuerySolution;
use spargebra::Query as Algebra;

use crate::answer::Answer;
use crate::query::{Answered, Cancellation, Limits, QueryError};
use crate::storage::term::{Class, Place, decode, encode, lexical};
use crate::storage::view::{GraphView, View};
use table::{Table, UNBOUND};

/// Rows after which the clock and the memory are looked at.
const LOOK_EVERY: usize = 1 << 14;

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
    graph: GraphView<'a>,
    terms: usize,
    /// Terms that expressions made and the view does not hold; their ids follow those of the view.
    made: RefCell<Made>,
    limits: Limits,
    cancellation: &'a Cancellation,
}

#[derive(Default)]
struct Made {
    terms: Vec<Box<[u8]>>,
    ids: FxHashMap<Box<[u8]>, u32>,
}

/// What the kernel found, before anything is written.
pub(crate) struct Found<'a> {
    kernel: Kernel<'a>,
    table: Table,
    truth: Option<bool>,
}

/// Evaluates a query over the default graph; nothing when spareval has to.
pub(crate) fn evaluate<'a>(
    view: &'a View,
    query: &Algebra,
    limits: Limits,
    cancellation: &'a Cancellation,
) -> Result<Option<Found<'a>>, QueryError> {
    let (pattern, is_ask) = match query {
        Algebra::Select { pattern, dataset: None, .. } => (pattern, false),
        Algebra::Ask { pattern, dataset: None, .. } => (pattern, true),
        _ => return Ok(None),
    };
    let terms = view.terms();
    let kernel = Kernel { view, graph: view.graph(None), terms, made: RefCell::default(), limits, cancellation };
    match kernel.pattern(pattern, is_ask.then_some(1)) {
        Ok(table) => Ok(Some(Found { truth: is_ask.then_some(table.rows > 0), kernel, table })),
        Err(Stop::Unknown) => Ok(None),
        Err(Stop::Query(error)) => Err(error),
    }
}

impl Found<'_> {
    /// Writes the answer.
    pub(crate) fn write(self, answer: Answer<'_>) -> Result<Answered, QueryError> {
        if let Some(truth) = self.truth {
            return answer.truth(truth);
        }
        let most = self.kernel.limits.rows;
        if self.table.rows > most {
            // Known before anything is written.
            return Err(QueryError::TooManyRows(most));
        }
        let variables: Arc<[Variable]> = self.table.names.iter().map(Variable::new_unchecked).collect();
        let solutions = (0..self.table.rows).map(|row| {
            let term = |column: &Vec<u32>| (column[row] != UNBOUND).then(|| self.kernel.term(column[row]));
            let values: Vec<Option<Term>> = self.table.columns.iter().map(term).collect();
            Ok(QuerySolution::from((Arc::clone(&variables), values)))
        });
        answer.solutions(variables.to_vec(), solutions)
    }
}

impl Kernel<'_> {
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
