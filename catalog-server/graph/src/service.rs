//! Services that this server answers itself, by their IRI, from a few statements that it knows now.

use std::sync::Arc;

use oxigraph::model::{Dataset, GraphName, Triple};
use spareval::{QueryEvaluationError, QueryEvaluator, QueryResults, QuerySolutionIter, ServiceHandler};
use spargebra::Query;
use spargebra::algebra::GraphPattern;

/// Statements that `SERVICE <iri> { … }` is evaluated on, and on nothing else.
///
/// There is no handler for any other IRI, so no query can make the server ask another one (FACTS F10, F12, F27).
#[derive(Debug, Clone)]
pub(crate) struct Facts(Arc<Dataset>);

impl Facts {
    /// Makes a service that knows these statements.
    pub(crate) fn new(triples: impl IntoIterator<Item = Triple>) -> Self {
        Self(Arc::new(triples.into_iter().map(|triple| triple.in_graph(GraphName::DefaultGraph)).collect()))
    }
}

impl ServiceHandler for Facts {
    type Error = QueryEvaluationError;

    fn handle(
        &self,
        pattern: &GraphPattern,
        base_iri: Option<&oxiri::Iri<String>>,
    ) -> Result<QuerySolutionIter<'static>, QueryEvaluationError> {
        let query = Query::Select { dataset: None, pattern: pattern.clone(), base_iri: base_iri.cloned() };
        // A service inside of this one has no handler.
        let evaluator = QueryEvaluator::new();
        let QueryResults::Solutions(solutions) = evaluator.prepare(&query).execute(&*self.0)? else {
            return Err(QueryEvaluationError::Unexpected("a pattern has rows".into()));
        };
        let variables: Arc<[_]> = solutions.variables().into();
        let rows: Vec<_> = solutions.collect();
        Ok(QuerySolutionIter::new(variables, rows))
    }
}
