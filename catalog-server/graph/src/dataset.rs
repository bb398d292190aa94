//! The view as spareval reads it.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use oxigraph::model::Term;
use spareval::{ExpressionTerm, InternalQuad, QueryableDataset};

use crate::query::Cancellation;
use crate::storage::view::{GraphView, View};

/// A term while a query is evaluated: an id of the view, or a value that an expression made and the view does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum InternalTerm {
    /// A term of the view.
    Known(u32),
    /// Another.
    Computed(Rc<Term>),
}

/// A view for one query.
#[derive(Clone)]
pub(crate) struct Dataset<'a> {
    view: &'a View,
    watch: Rc<Watch>,
}

/// Looks at the clock after so many statements were read.
struct Watch {
    cancellation: Cancellation,
    read: Cell<u32>,
}

impl Watch {
    /// Statements between two looks at the clock.
    const EVERY: u32 = 256;

    fn is_over(&self) -> bool {
        let read = self.read.get().wrapping_add(1);
        self.read.set(read);
        if read.is_multiple_of(Self::EVERY) {
            self.cancellation.is_cancelled()
        } else {
            self.cancellation.token.is_cancelled()
        }
    }
}

type Quads<'a> = Box<dyn Iterator<Item = Result<InternalQuad<InternalTerm>, Infallible>> + 'a>;

impl<'a> Dataset<'a> {
    /// Reads a view until the query is cancelled; then nothing is found any more, so that whatever collects rows ends.
    pub(crate) fn new(view: &'a View, cancellation: Cancellation) -> Self {
        Self { view, watch: Rc::new(Watch { cancellation, read: Cell::new(0) }) }
    }

    fn in_graph(
        &self,
        subject: Option<u32>,
        predicate: Option<u32>,
        object: Option<u32>,
        name: Option<u32>,
    ) -> Box<dyn Iterator<Item = [u32; 3]> + 'a> {
        let graph: GraphView<'a> = self.view.graph(name);
        match (subject, predicate, object) {
            (Some(s), Some(p), Some(o)) => Box::new(graph.contains(s, p, o).then_some([s, p, o]).into_iter()),
            (Some(s), Some(p), None) => Box::new(ids(graph.objects(s, p)).map(move |o| [s, p, o])),
            (Some(s), None, object) => Box::new(
                pairs(graph.about(s))
                    .filter(move |(_, o)| object.is_none_or(|only| only == *o))
                    .map(move |(p, o)| [s, p, o]),
            ),
            (None, Some(p), Some(o)) => Box::new(ids(graph.subjects(p, o)).map(move |s| [s, p, o])),
            (None, Some(p), None) => Box::new(pairs(graph.by_subject(p)).map(move |(s, o)| [s, p, o])),
            (None, None, Some(o)) => Box::new(
                graph.predicates().into_iter().flat_map(move |p| ids(graph.subjects(p, o)).map(move |s| [s, p, o])),
            ),
            (None, None, None) => Box::new(
                graph
                    .predicates()
                    .into_iter()
                    .flat_map(move |p| pairs(graph.by_subject(p)).map(move |(s, o)| [s, p, o])),
            ),
        }
    }
}

fn ids<'a>(column: std::borrow::Cow<'a, [u32]>) -> impl Iterator<Item = u32> + 'a {
    (0..column.len()).map(move |at| column[at])
}

fn pairs<'a>((first, second): crate::storage::view::Pairs<'a>) -> impl Iterator<Item = (u32, u32)> + 'a {
    (0..first.len()).map(move |at| (first[at], second[at]))
}

/// Says which id a term of a pattern must have: none when any will do, an error when no id can match.
fn known(term: Option<&InternalTerm>) -> Result<Option<u32>, ()> {
    match term {
        None => Ok(None),
        Some(InternalTerm::Known(id)) => Ok(Some(*id)),
        Some(InternalTerm::Computed(_)) => Err(()),
    }
}

impl<'a> QueryableDataset<'a> for Dataset<'a> {
    type InternalTerm = InternalTerm;
    type Error = Infallible;

    fn internal_quads_for_pattern(
        &self,
        subject: Option<&InternalTerm>,
        predicate: Option<&InternalTerm>,
        object: Option<&InternalTerm>,
        graph_name: Option<Option<&InternalTerm>>,
    ) -> impl Iterator<Item = Result<InternalQuad<InternalTerm>, Infallible>> + use<'a> {
        let nothing = || -> Quads<'a> { Box::new(std::iter::empty()) };
        let (Ok(s), Ok(p), Ok(o)) = (known(subject), known(predicate), known(object)) else { return nothing() };
        let quad = |[s, p, o]: [u32; 3], graph: Option<u32>| {
            Ok(InternalQuad {
                subject: InternalTerm::Known(s),
                predicate: InternalTerm::Known(p),
                object: InternalTerm::Known(o),
                graph_name: graph.map(InternalTerm::Known),
            })
        };
        let watch = Rc::clone(&self.watch);
        let alive = move || !watch.is_over();
        match graph_name {
            Some(graph) => {
                let Ok(graph) = known(graph) else { return nothing() };
                Box::new(self.in_graph(s, p, o, graph).take_while(move |_| alive()).map(move |row| quad(row, graph)))
            }
            None => {
                let dataset = self.clone();
                let rows = self.view.named_graphs().into_iter().flat_map(move |graph| {
                    dataset.in_graph(s, p, o, Some(graph)).map(move |row| quad(row, Some(graph)))
                });
                Box::new(rows.take_while(move |_| alive()))
            }
        }
    }

    fn internal_named_graphs(&self) -> impl Iterator<Item = Result<InternalTerm, Infallible>> + use<'a> {
        self.view.named_graphs().into_iter().map(|graph| Ok(InternalTerm::Known(graph)))
    }

    fn contains_internal_graph_name(&self, graph_name: &InternalTerm) -> Result<bool, Infallible> {
        Ok(match graph_name {
            InternalTerm::Known(id) => self.view.graph(Some(*id)).len() > 0,
            InternalTerm::Computed(_) => false,
        })
    }

    fn internalize_term(&self, term: Term) -> Result<InternalTerm, Infallible> {
        let found = self.view.find(term.as_ref());
        Ok(found.map_or_else(|| InternalTerm::Computed(Rc::new(term)), InternalTerm::Known))
    }

    fn externalize_term(&self, term: InternalTerm) -> Result<Term, Infallible> {
        Ok(match term {
            InternalTerm::Known(id) => self.view.term(id),
            InternalTerm::Computed(term) => (*term).clone(),
        })
    }

    fn externalize_expression_term(&self, term: InternalTerm) -> Result<ExpressionTerm, Infallible> {
        Ok(match term {
            InternalTerm::Known(id) => self.view.expression_term(id),
            InternalTerm::Computed(term) => (*term).clone().into(),
        })
    }
}
