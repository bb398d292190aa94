//! A graph in memory that SPARQL is evaluated over: terms are numbers, statements lie in three orders.

use std::collections::HashMap;
use std::convert::Infallible;
use std::rc::Rc;

use oxrdf::{NamedOrBlankNode, Term, Triple};
use spareval::{InternalQuad, QueryableDataset};

/// A statement by the numbers of its terms.
type Row = [u32; 3];

/// A graph, filled once and then only read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    terms: Vec<Term>,
    numbers: HashMap<Term, u32>,
    /// By subject, property, value.
    spo: Vec<Row>,
    /// By property, value, subject.
    pos: Vec<Row>,
    /// By value, subject, property.
    osp: Vec<Row>,
}

impl Graph {
    /// Makes a graph of statements.
    #[cfg(test)]
    pub(crate) fn new(triples: impl IntoIterator<Item = Triple>) -> Self {
        let mut graph = Self::default();
        for triple in triples {
            graph.add(triple);
        }
        graph.finish();
        graph
    }

    /// Adds a statement; [`Graph::finish`] makes it visible.
    pub(crate) fn add(&mut self, triple: Triple) {
        let subject = self.number(triple.subject.into());
        let property = self.number(triple.predicate.into());
        let object = self.number(triple.object);
        self.spo.push([subject, property, object]);
    }

    /// Sorts what was added.
    pub(crate) fn finish(&mut self) {
        self.spo.sort_unstable();
        self.spo.dedup();
        self.pos = self.spo.iter().map(|[s, p, o]| [*p, *o, *s]).collect();
        self.pos.sort_unstable();
        self.osp = self.spo.iter().map(|[s, p, o]| [*o, *s, *p]).collect();
        self.osp.sort_unstable();
    }

    /// Returns all statements.
    #[cfg(test)]
    pub(crate) fn triples(&self) -> Vec<Triple> {
        let term = |number: u32| self.terms[number as usize].clone();
        let triple = |row: &Row| {
            let subject = match term(row[0]) {
                Term::NamedNode(node) => NamedOrBlankNode::NamedNode(node),
                Term::BlankNode(node) => NamedOrBlankNode::BlankNode(node),
                Term::Literal(literal) => panic!("{literal} is a subject"),
            };
            let Term::NamedNode(predicate) = term(row[1]) else { panic!("{} is a property", term(row[1])) };
            Triple::new(subject, predicate, term(row[2]))
        };
        self.spo.iter().map(triple).collect()
    }

    /// Returns how many statements it has.
    pub(crate) fn len(&self) -> usize {
        self.spo.len()
    }

    /// Says how many of the statements that name everything, and so mean the same elsewhere, the other graph has, and how
    /// many it has not.
    pub(crate) fn shared(&self, other: &Self) -> (u64, u64) {
        let number = |at: u32| {
            let term = &self.terms[at as usize];
            (!term.is_blank_node()).then(|| other.numbers.get(term).copied())
        };
        let (mut there, mut not) = (0, 0);
        for row in &self.spo {
            let (Some(s), Some(p), Some(o)) = (number(row[0]), number(row[1]), number(row[2])) else { continue };
            let is_there =
                matches!((s, p, o), (Some(s), Some(p), Some(o)) if other.spo.binary_search(&[s, p, o]).is_ok());
            if is_there { there += 1 } else { not += 1 }
        }
        (there, not)
    }

    /// Returns the first subject that a node is the value of, to find the tree around it.
    pub(crate) fn parent(&self, node: &Term) -> Option<&Term> {
        let number = *self.numbers.get(node)?;
        let [_, subject, _] = prefix(&self.osp, &[number]).first()?;
        self.terms.get(*subject as usize)
    }

    /// Returns the values of a property of a node.
    pub(crate) fn objects<'a>(&'a self, subject: &NamedOrBlankNode, property: &str) -> impl Iterator<Item = &'a Term> {
        let subject = self.numbers.get(&Term::from(subject.clone()));
        let property = self.numbers.get(&Term::from(oxrdf::NamedNode::new_unchecked(property)));
        let rows = match (subject, property) {
            (Some(subject), Some(property)) => prefix(&self.spo, &[*subject, *property]),
            _ => &[],
        };
        rows.iter().map(|[_, _, object]| &self.terms[*object as usize])
    }

    /// Returns every value of a property, each once.
    pub(crate) fn objects_of<'a>(&'a self, property: &str) -> impl Iterator<Item = &'a Term> {
        let property = self.numbers.get(&Term::from(oxrdf::NamedNode::new_unchecked(property)));
        let rows = property.map_or(&[][..], |property| prefix(&self.pos, &[*property]));
        let mut last = None;
        rows.iter().filter_map(move |[_, object, _]| {
            let is_new = last.replace(*object) != Some(*object);
            is_new.then(|| &self.terms[*object as usize])
        })
    }

    /// Returns every subject and value of a property.
    pub(crate) fn pairs<'a>(&'a self, property: &str) -> impl Iterator<Item = (&'a Term, &'a Term)> {
        let property = self.numbers.get(&Term::from(oxrdf::NamedNode::new_unchecked(property)));
        let rows = property.map_or(&[][..], |property| prefix(&self.pos, &[*property]));
        rows.iter().map(|[_, object, subject]| (&self.terms[*subject as usize], &self.terms[*object as usize]))
    }

    /// Says whether anything is said of a node.
    pub(crate) fn describes(&self, node: &Term) -> bool {
        self.numbers.get(node).is_some_and(|number| !prefix(&self.spo, &[*number]).is_empty())
    }

    /// Adds the statements of another graph.
    pub(crate) fn extend(&mut self, other: Self) {
        let numbers: Vec<u32> = other.terms.into_iter().map(|term| self.number(term)).collect();
        self.spo.extend(other.spo.iter().map(|row| row.map(|number| numbers[number as usize])));
        self.finish();
    }

    fn number(&mut self, term: Term) -> u32 {
        if let Some(number) = self.numbers.get(&term) {
            return *number;
        }
        let number = self.terms.len() as u32;
        self.terms.push(term.clone());
        self.numbers.insert(term, number);
        number
    }
}

/// Returns the rows that begin with some numbers.
fn prefix<'a>(rows: &'a [Row], begin: &[u32]) -> &'a [Row] {
    let from = rows.partition_point(|row| row[..begin.len()] < *begin);
    let length = rows[from..].partition_point(|row| row[..begin.len()] == *begin);
    &rows[from..from + length]
}

/// A term in an evaluation: one of the graph, or one that an expression made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Known {
    /// A term of the graph.
    Number(u32),
    /// A term that the graph does not have.
    Made(Rc<Term>),
}

impl<'a> QueryableDataset<'a> for &'a Graph {
    type InternalTerm = Known;
    type Error = Infallible;

    fn internal_quads_for_pattern(
        &self,
        subject: Option<&Known>,
        predicate: Option<&Known>,
        object: Option<&Known>,
        graph_name: Option<Option<&Known>>,
    ) -> impl Iterator<Item = Result<InternalQuad<Known>, Infallible>> + use<'a> {
        let graph: &'a Graph = self;
        let given = |term: Option<&Known>| match term {
            None => Ok(None),
            Some(Known::Number(number)) => Ok(Some(*number)),
            Some(Known::Made(_)) => Err(()),
        };
        let (rows, order): (&'a [Row], [usize; 3]) = match (given(subject), given(predicate), given(object)) {
            // There is a default graph only, and a term that it does not have is in no statement.
            _ if graph_name != Some(None) => (&[], [0, 1, 2]),
            (Ok(Some(s)), Ok(Some(p)), Ok(Some(o))) => (prefix(&graph.spo, &[s, p, o]), [0, 1, 2]),
            (Ok(Some(s)), Ok(Some(p)), Ok(None)) => (prefix(&graph.spo, &[s, p]), [0, 1, 2]),
            (Ok(Some(s)), Ok(None), Ok(None)) => (prefix(&graph.spo, &[s]), [0, 1, 2]),
            (Ok(Some(s)), Ok(None), Ok(Some(o))) => (prefix(&graph.osp, &[o, s]), [1, 2, 0]),
            (Ok(None), Ok(Some(p)), Ok(Some(o))) => (prefix(&graph.pos, &[p, o]), [2, 0, 1]),
            (Ok(None), Ok(Some(p)), Ok(None)) => (prefix(&graph.pos, &[p]), [2, 0, 1]),
            (Ok(None), Ok(None), Ok(Some(o))) => (prefix(&graph.osp, &[o]), [1, 2, 0]),
            (Ok(None), Ok(None), Ok(None)) => (&graph.spo, [0, 1, 2]),
            _ => (&[], [0, 1, 2]),
        };
        rows.iter().map(move |row| {
            Ok(InternalQuad {
                subject: Known::Number(row[order[0]]),
                predicate: Known::Number(row[order[1]]),
                object: Known::Number(row[order[2]]),
                graph_name: None,
            })
        })
    }

    fn internalize_term(&self, term: Term) -> Result<Known, Infallible> {
        Ok(match self.numbers.get(&term) {
            Some(number) => Known::Number(*number),
            None => Known::Made(Rc::new(term)),
        })
    }

    fn externalize_term(&self, term: Known) -> Result<Term, Infallible> {
        Ok(match term {
            Known::Number(number) => self.terms[number as usize].clone(),
            Known::Made(term) => term.as_ref().clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::Dataset;
    use proptest::prelude::*;
    use spareval::{QueryEvaluator, QueryResults};

    proptest! {
        /// Whatever is asked, the answer is that of the reference dataset.
        #[test]
        fn it_answers_as_the_reference_does(rows in proptest::collection::vec((0..6u8, 0..3u8, 0..6u8), 0..40)) {
            let node = |number: u8| oxrdf::NamedNode::new_unchecked(format!("urn:n{number}"));
            let triples: Vec<_> = rows.iter().map(|(s, p, o)| Triple::new(node(*s), node(10 + p), node(*o))).collect();
            let graph = Graph::new(triples.clone());
            let reference: Dataset = triples.into_iter().map(|triple| triple.in_graph(oxrdf::GraphName::DefaultGraph)).collect();
            for query in [
                "SELECT * { ?s ?p ?o }", "SELECT * { <urn:n1> ?p ?o }", "SELECT * { ?s <urn:n10> ?o }", "SELECT * { ?s ?p <urn:n2> }",
                "SELECT * { <urn:n1> ?p <urn:n2> }", "SELECT * { ?s <urn:n11> <urn:n2> }", "SELECT * { <urn:n1> <urn:n10> ?o }",
                "SELECT * { ?a <urn:n10> ?b . ?b <urn:n11> ?c }", "SELECT * { ?a <urn:n10>+ ?b }", "SELECT * { ?s ?p <urn:none> }",
            ] {
                let query = spargebra::SparqlParser::new().parse_query(query).unwrap();
                let evaluator = QueryEvaluator::new();
                let answers = |results: QueryResults<'_>| {
                    let QueryResults::Solutions(solutions) = results else { return Vec::new() };
                    let mut all: Vec<_> = solutions.map(|solution| format!("{:?}", solution.unwrap())).collect();
                    all.sort();
                    all
                };
                let ours = answers(evaluator.prepare(&query).execute(&graph).unwrap());
                let theirs = answers(evaluator.prepare(&query).execute(&reference).unwrap());
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
