//! A guarded query, and its evaluation within limits.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use oxigraph::model::{GraphName, NamedNode, NamedOrBlankNode, Triple, Variable};
use serde::{Deserialize, Serialize};
use spareval::{CancellationToken, QueryEvaluationError, QueryEvaluator, QueryResults};
use spargebra::algebra::GraphPattern;
use spargebra::term::{NamedNodePattern, TriplePattern};
use spargebra::{Query as Algebra, SparqlParser};

use crate::answer::Answer;
use crate::dataset::Dataset;
use crate::explain::{SyntaxFault, explain};
use crate::format::AnswerFormat;
use crate::service::Facts;
use crate::{View, guard, kernel};

/// A stack for deep queries. A text can be written so that the parser nests deeper than the guard saw; beyond this stack
/// the process ends, which is why strangers' queries are parsed in a worker. Untouched pages of it cost nothing.
pub(crate) const STACK: usize = 256 << 20;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is too long.
    #[error("the query is {0} bytes long; at most {max} are read", max = guard::MAX_BYTES)]
    TooLong(usize),
    /// Brackets nest too deeply.
    #[error("brackets nest {0} deep; at most {max} are read", max = guard::MAX_DEPTH)]
    TooDeep(usize),
    /// The text is not SPARQL.
    #[error("{0}")]
    Syntax(Box<SyntaxFault>),
    /// A graph's name is not an IRI.
    #[error("`{0}` is not the IRI of a graph")]
    GraphName(String),
    /// The answer took too long.
    #[error("the query took longer than {} s; narrow it, or add LIMIT", .0.as_secs())]
    Timeout(Duration),
    /// The answer has too many rows or statements.
    #[error("the answer has more than {0} rows; add LIMIT and OFFSET, or read /dump.nq.gz for everything")]
    TooManyRows(usize),
    /// The answer has too many bytes.
    #[error("the answer is longer than {0} bytes; ask for fewer columns or rows")]
    TooManyBytes(usize),
    /// Too many rows in between.
    #[error("the query needs more than {} MiB for rows in between; narrow it", .0 >> 20)]
    TooMuchMemory(usize),
    /// Whoever asked has gone or asked to stop.
    #[error("the query was cancelled")]
    Cancelled,
    /// The answer could not be passed on.
    #[error("the answer could not be passed on: {0}")]
    Sink(String),
    /// The query uses what is not offered here, or failed.
    #[error("{0}")]
    Evaluation(String),
    /// The store failed.
    #[error("the query could not be evaluated: {0}")]
    Internal(String),
}

/// What a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueryForm {
    /// Rows.
    Select,
    /// A truth value.
    Ask,
    /// A graph: CONSTRUCT or DESCRIBE.
    Graph,
}

/// The dataset that a request names beside the query (SPARQL 1.1 Protocol, section 2.1.4); it replaces FROM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryDataset {
    /// `default-graph-uri`.
    pub default_graphs: Vec<String>,
    /// `named-graph-uri`.
    pub named_graphs: Vec<String>,
}

/// What one query may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time from start to end.
    pub time: Duration,
    /// Rows or statements of the answer.
    pub rows: usize,
    /// Bytes of the answer.
    pub bytes: usize,
    /// Bytes of rows in between; the kernel keeps to it, spareval cannot (a worker process bounds it).
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), rows: 100_000, bytes: 32 << 20, memory: 512 << 20 }
    }
}

/// A parsed query.
#[derive(Debug, Clone)]
pub struct Query {
    algebra: Algebra,
    dataset: Option<Graphs>,
    evaluator: Evaluator,
    /// What SERVICE may name, each with what it knows.
    services: Vec<(NamedNode, Facts)>,
}

/// The graphs that make up the default graph, and those that GRAPH may name.
pub(crate) type Graphs = (Vec<GraphName>, Vec<NamedOrBlankNode>);

impl Query {
    /// Parses a query after checking its size and depth; relative IRIs are resolved against `base`.
    pub fn parse(text: &str, base: &str, dataset: &QueryDataset) -> Result<Self, QueryError> {
        if text.len() > guard::MAX_BYTES {
            return Err(QueryError::TooLong(text.len()));
        }
        let depth = guard::depth(text);
        if depth > guard::MAX_DEPTH {
            return Err(QueryError::TooDeep(depth));
        }
        let parse = || {
            let parser =
                SparqlParser::new().with_base_iri(base).map_err(|error| QueryError::Internal(error.to_string()))?;
            let explain = |said: String| QueryError::Syntax(Box::new(explain(text, &said)));
            parser.parse_query(text).map_err(|error| explain(error.to_string()))
        };
        Ok(Self::of(on_deep_stack(parse)??, graphs(dataset)?))
    }

    /// Makes the query for everything that a graph says: the default one, or one by name.
    pub fn whole_graph(graph: Option<NamedNode>) -> Self {
        let [s, p, o] = ["s", "p", "o"].map(Variable::new_unchecked);
        let all = TriplePattern { subject: s.into(), predicate: NamedNodePattern::Variable(p), object: o.into() };
        let pattern = GraphPattern::Bgp { patterns: vec![all.clone()] };
        let pattern = match graph {
            Some(name) => GraphPattern::Graph { name: name.into(), inner: Box::new(pattern) },
            None => pattern,
        };
        Self::of(Algebra::Construct { template: vec![all], dataset: None, pattern, base_iri: None }, None)
    }

    fn of(algebra: Algebra, dataset: Option<Graphs>) -> Self {
        Self { algebra, dataset, evaluator: Evaluator::Best, services: Vec::new() }
    }

    /// Returns what the query asks for.
    pub fn form(&self) -> QueryForm {
        match self.algebra {
            Algebra::Select { .. } => QueryForm::Select,
            Algebra::Ask { .. } => QueryForm::Ask,
            Algebra::Construct { .. } | Algebra::Describe { .. } => QueryForm::Graph,
        }
    }

    /// Answers `SERVICE <iri>` from these statements and nothing else; any other service fails.
    #[must_use]
    pub fn with_service(mut self, iri: NamedNode, knows: impl IntoIterator<Item = Triple>) -> Self {
        self.services.push((iri, Facts::new(knows)));
        self
    }

    /// Chooses the evaluator.
    #[must_use]
    pub fn with_evaluator(self, evaluator: Evaluator) -> Self {
        Self { evaluator, ..self }
    }

    /// Evaluates the query on a view and writes the answer in a format that its form allows, or says why there is none.
    ///
    /// The answer is never cut silently: beyond a limit it is an error, when part of it may have been written already.
    /// Blocking: call it off the async threads.
    pub fn evaluate(
        self,
        view: &View,
        format: AnswerFormat,
        limits: Limits,
        cancellation: &Cancellation,
        sink: &mut (dyn Write + Send),
    ) -> Result<Answered, QueryError> {
        cancellation.end_at(Instant::now() + limits.time);
        let answer = on_deep_stack(|| self.run(view, format, limits, cancellation, sink)).and_then(|answer| answer);
        // What was interrupted may look like a short answer or like another error.
        let late = cancellation.is_late();
        match answer {
            Err(error @ (QueryError::TooManyRows(_) | QueryError::TooManyBytes(_) | QueryError::Sink(_))) => Err(error),
            _ if late => Err(QueryError::Timeout(limits.time)),
            _ if cancellation.is_cancelled() => Err(QueryError::Cancelled),
            answer => answer,
        }
    }

    fn run(
        self,
        view: &View,
        format: AnswerFormat,
        limits: Limits,
        cancellation: &Cancellation,
        sink: &mut (dyn Write + Send),
    ) -> Result<Answered, QueryError> {
        let answer = Answer::new(sink, limits, format, cancellation);
        if self.evaluator == Evaluator::Best
            && let Some(found) = kernel::evaluate(view, &self.algebra, self.dataset.as_ref(), limits, cancellation)?
        {
            let answered = found.write(answer)?;
            return Ok(Answered { recognised: true, ..answered });
        }
        // No handler for SERVICE reaches out of this process, and there is none for IRIs that are not ours (FACTS F10, F27).
        let mut evaluator = QueryEvaluator::new().with_cancellation_token(cancellation.token.clone());
        for (iri, facts) in self.services {
            evaluator = evaluator.with_service_handler(iri, facts);
        }
        let mut prepared = evaluator.prepare(&self.algebra);
        if let Some((default, named)) = self.dataset {
            prepared.dataset_mut().set_default_graph(default);
            prepared.dataset_mut().set_available_named_graphs(named);
        }
        let results = prepared.execute(Dataset::new(view, cancellation.clone())).map_err(failed)?;
        match results {
            QueryResults::Boolean(truth) => answer.truth(truth),
            QueryResults::Solutions(solutions) => {
                let variables = solutions.variables().to_vec();
                answer.solutions(variables, solutions.map(|solution| solution.map_err(failed)))
            }
            QueryResults::Graph(triples) => answer.graph(triples.map(|triple| triple.map_err(failed))),
        }
    }
}

fn failed(error: QueryEvaluationError) -> QueryError {
    match error {
        QueryEvaluationError::Cancelled => QueryError::Cancelled,
        QueryEvaluationError::Dataset(error) => QueryError::Internal(error.to_string()),
        other => QueryError::Evaluation(other.to_string()),
    }
}

/// Which evaluator answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Evaluator {
    /// The kernel on ids for what it recognises, spareval for the rest.
    #[default]
    Best,
    /// spareval for everything: what the kernel is compared with.
    Plain,
}

/// A query's answer was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Rows or statements.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
    /// Says whether the kernel answered, and not spareval.
    pub recognised: bool,
}

/// Ends a query early, or at its deadline; clones end the same query.
///
/// Who evaluates asks it now and then, so that no thread has to watch the clock.
#[derive(Clone, Default)]
pub struct Cancellation {
    pub(crate) token: CancellationToken,
    clock: Arc<Mutex<Clock>>,
}

#[derive(Clone, Copy, Default)]
struct Clock {
    deadline: Option<Instant>,
    /// The deadline was met.
    is_late: bool,
}

impl Cancellation {
    /// Makes one that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the query.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Says whether the query is to end.
    pub fn is_cancelled(&self) -> bool {
        if self.token.is_cancelled() {
            return true;
        }
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.is_late = clock.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if clock.is_late {
            // spareval looks at the token only.
            self.token.cancel();
        }
        clock.is_late
    }

    fn end_at(&self, deadline: Instant) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Clock { deadline: Some(deadline), is_late: false };
    }

    /// Says whether the query was ended by its deadline.
    fn is_late(&self) -> bool {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).is_late
    }
}

fn graphs(dataset: &QueryDataset) -> Result<Option<Graphs>, QueryError> {
    if dataset.default_graphs.is_empty() && dataset.named_graphs.is_empty() {
        return Ok(None);
    }
    let parse = |name: &String| NamedNode::new(name).map_err(|_| QueryError::GraphName(name.clone()));
    let default = dataset.default_graphs.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let named = dataset.named_graphs.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(Some((default.into_iter().map(Into::into).collect(), named.into_iter().map(Into::into).collect())))
}

std::thread_local! {
    /// Says that this thread has a stack for whatever the guard lets through.
    static IS_DEEP: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs a closure on a thread whose stack holds whatever the guard lets through; queries in it need no thread of their own.
///
/// # Errors
///
/// When no thread can be made, or when the closure panics.
pub fn on_deep_stack<T: Send>(run: impl FnOnce() -> T + Send) -> Result<T, QueryError> {
    if IS_DEEP.get() {
        return Ok(run());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("sparql".to_owned()).stack_size(STACK);
        let run = || {
            IS_DEEP.set(true);
            run()
        };
        let handle = thread.spawn_scoped(scope, run).map_err(|error| QueryError::Internal(error.to_string()))?;
        handle.join().map_err(|_| QueryError::Internal("the evaluator failed".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, GraphSyntax, Store};
    use oxigraph::model::{Literal, Triple};

    fn store(records: i32) -> (tempfile::TempDir, Store) {
        let iri = |text: String| NamedNode::new(text).unwrap();
        let changes: Vec<_> = (0..records)
            .map(|n| {
                let subject = iri(format!("http://e/id/z/a{n}"));
                let triple = Triple::new(subject.clone(), iri("http://e/p".into()), Literal::from(n));
                Change { iri: subject, triples: vec![triple], said: vec![(iri("http://e/graph/z".into()), None)] }
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "").unwrap();
        store.apply(&changes, 1).unwrap();
        (folder, store)
    }

    fn ask(store: &Store, text: &str, format: AnswerFormat, limits: Limits) -> Result<String, QueryError> {
        let (mut answer, cancellation) = (Vec::new(), Cancellation::new());
        let query = Query::parse(text, "http://e/", &QueryDataset::default())?;
        query.evaluate(&store.view(), format, limits, &cancellation, &mut answer)?;
        Ok(String::from_utf8(answer).unwrap())
    }

    #[test]
    fn every_form_is_answered() {
        let (_folder, store) = store(3);
        let limits = Limits::default();
        let count = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }";
        assert_eq!(ask(&store, count, AnswerFormat::Csv, limits).unwrap(), "n\r\n3\r\n");
        assert!(
            ask(&store, "ASK { GRAPH <graph/z> { ?s ?p 2 } }", AnswerFormat::Json, limits).unwrap().contains("true")
        );
        let graph = AnswerFormat::Graph(GraphSyntax::NTriples);
        assert_eq!(ask(&store, "CONSTRUCT WHERE { ?s ?p 1 }", graph, limits).unwrap().lines().count(), 1);
    }

    #[test]
    fn what_a_stranger_may_not_do_is_refused() {
        let (_folder, store) = store(1);
        let limits = Limits::default();
        let error = |text: &str| ask(&store, text, AnswerFormat::Json, limits).unwrap_err();
        assert!(matches!(error("INSERT DATA { <a> <b> <c> }"), QueryError::Syntax(_)));
        assert!(matches!(error("SELECT * { SERVICE <http://127.0.0.2/> { ?s ?p ?o } }"), QueryError::Evaluation(_)));
        assert!(matches!(error(&format!("SELECT * {}", "{".repeat(20_000))), QueryError::TooDeep(20_000)));
        assert!(matches!(error(&"x".repeat(300_000)), QueryError::TooLong(300_000)));
        // A text that the guard reads as a string and the parser as groups: it is refused, or the stack holds it.
        let hidden = |level: &str, levels| format!("SELECT * {{ FILTER(?a<?b#>\"\"\"\n&&{}1", level.repeat(levels));
        assert!(matches!(error(&hidden("(", 20_000)), QueryError::TooDeep(_)));
        assert!(matches!(error(&hidden("(\")\"||", 3_000)), QueryError::Syntax(_)));
    }

    #[test]
    fn a_service_knows_what_it_is_given_and_nothing_else() {
        let (_folder, store) = store(2);
        let iri = |text: &str| NamedNode::new(text).unwrap();
        let fact = Triple::new(iri("http://e/zone"), iri("http://e/free"), Literal::from(4));
        let ask = |text: &str| {
            let query = Query::parse(text, "http://e/", &QueryDataset::default()).unwrap();
            let query = query.with_service(iri("http://e/capacity"), [fact.clone()]);
            let (mut answer, limits) = (Vec::new(), Limits::default());
            query.evaluate(&store.view(), AnswerFormat::Csv, limits, &Cancellation::new(), &mut answer)?;
            Ok::<_, QueryError>(String::from_utf8(answer).unwrap())
        };
        let free = "SELECT ?z ?n { SERVICE <capacity> { ?z <free> ?n } }";
        assert_eq!(ask(free).unwrap(), "z,n\r\nhttp://e/zone,4\r\n");
        let joined = "SELECT ?s { ?s <p> 1 . SERVICE <capacity> { ?z <free> ?n . FILTER(?n > 3) } }";
        assert_eq!(ask(joined).unwrap().lines().count(), 2);
        assert_eq!(ask("SELECT ?s { SERVICE <capacity> { ?s <p> ?o } }").unwrap(), "s\r\n");
        assert!(matches!(ask("SELECT * { SERVICE <other> { ?s ?p ?o } }"), Err(QueryError::Evaluation(_))));
        assert!(ask("SELECT * { SERVICE <capacity> { SERVICE <http://127.0.0.2/> { ?s ?p ?o } } }").is_err());
        assert_eq!(ask("SELECT ?s { SERVICE SILENT <http://127.0.0.2/> { ?s ?p ?o } }").unwrap(), "s\r\n\r\n");
    }

    #[test]
    fn a_whole_graph_is_read_by_name() {
        let (_folder, store) = store(3);
        let lines = |graph: Option<&str>| {
            let query = Query::whole_graph(graph.map(|name| NamedNode::new(name).unwrap()));
            let mut answer = Vec::new();
            let syntax = AnswerFormat::Graph(GraphSyntax::NTriples);
            query.evaluate(&store.view(), syntax, Limits::default(), &Cancellation::new(), &mut answer).unwrap();
            String::from_utf8(answer).unwrap().lines().count()
        };
        assert_eq!([lines(None), lines(Some("http://e/graph/z")), lines(Some("http://e/graph/y"))], [3, 3, 0]);
    }

    #[test]
    fn limits_are_errors_and_never_cuts() {
        let (_folder, store) = store(300);
        let rows = Limits { rows: 10, ..Limits::default() };
        assert!(matches!(
            ask(&store, "SELECT * { ?s ?p ?o }", AnswerFormat::Json, rows),
            Err(QueryError::TooManyRows(10))
        ));
        let bytes = Limits { bytes: 100, ..Limits::default() };
        assert!(matches!(
            ask(&store, "SELECT * { ?s ?p ?o }", AnswerFormat::Json, bytes),
            Err(QueryError::TooManyBytes(100))
        ));
        // The evaluator goes on for a while after it was cancelled (FACTS F11), so there is little to go on with.
        let (_folder, store) = self::store(40);
        let time = Limits { time: Duration::from_millis(50), ..Limits::default() };
        let cross = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }";
        assert!(matches!(ask(&store, cross, AnswerFormat::Json, time), Err(QueryError::Timeout(_))));
    }
}
