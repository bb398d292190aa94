//! What a graph holds, counted: for VoID and for planning.

use oxigraph::model::{NamedNode, Term};

use crate::View;
use crate::storage::term::encode;

const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/// Counts over a view, of the default graph where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Triples of the default graph.
    pub triples: usize,
    /// Statements over all graphs.
    pub quads: usize,
    /// Different subjects.
    pub subjects: usize,
    /// Triples of each named graph.
    pub graphs: Vec<(NamedNode, usize)>,
    /// Instances of each class, the largest first.
    pub classes: Vec<(NamedNode, usize)>,
    /// Each predicate, the largest first.
    pub predicates: Vec<PredicateStatistics>,
}

/// Counts of one predicate in the default graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredicateStatistics {
    /// The predicate.
    pub predicate: NamedNode,
    /// Its triples.
    pub triples: usize,
    /// Its different subjects; an upper bound while changes wait to be compacted.
    pub subjects: usize,
    /// Its different objects; an upper bound while changes wait to be compacted.
    pub objects: usize,
}

impl View {
    /// Counts what the view holds: one pass over types, everything else is kept.
    pub fn statistics(&self) -> Statistics {
        let graph = self.graph(None);
        let named = |id: u32| match self.term(id) {
            Term::NamedNode(node) => Some(node),
            _ => None,
        };
        let mut predicates: Vec<PredicateStatistics> = graph
            .predicates()
            .into_iter()
            .filter_map(|id| {
                let ((subjects, objects), triples) = (graph.distinct(id), graph.count_predicate(id));
                let (subjects, objects) = (subjects.min(triples), objects.min(triples));
                (triples > 0).then_some(PredicateStatistics { predicate: named(id)?, triples, subjects, objects })
            })
            .collect();
        predicates.sort_by(|a, b| b.triples.cmp(&a.triples).then_with(|| a.predicate.cmp(&b.predicate)));
        let mut bytes = Vec::new();
        encode(NamedNode::new_unchecked(RDF_TYPE).as_ref().into(), &mut bytes);
        let (classes, _) = self.find_bytes(&bytes).map_or_else(Default::default, |id| graph.by_object(id));
        let mut classes: Vec<(NamedNode, usize)> =
            classes.chunk_by(|a, b| a == b).filter_map(|rows| Some((named(*rows.first()?)?, rows.len()))).collect();
        classes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let graphs = self.named_graphs().into_iter();
        Statistics {
            triples: graph.len(),
            quads: self.len(),
            subjects: graph.subjects_count(),
            graphs: graphs.filter_map(|id| Some((named(id)?, self.graph(Some(id)).len()))).collect(),
            classes,
            predicates,
        }
    }
}
