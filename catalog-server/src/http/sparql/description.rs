//! The endpoint's description of itself (SPARQL 1.1 Service Description).

use axum::response::{IntoResponse, Response};
use catalog_graph::{AnswerFormat, Literal, NamedNode, Statistics, Term, Triple, View};
use http::{HeaderMap, header};

use super::formats::Choice;
use super::set;
use crate::http::accept::with_encoding;
use crate::http::problem::Failure;

const SD: &str = "http://www.w3.org/ns/sparql-service-description#";
const VOID: &str = "http://rdfs.org/ns/void#";
const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/// What formats are called by the W3C (<https://www.w3.org/ns/formats/>).
const RESULT_FORMATS: [&str; 10] = [
    "SPARQL_Results_JSON",
    "SPARQL_Results_XML",
    "SPARQL_Results_CSV",
    "SPARQL_Results_TSV",
    "Turtle",
    "JSON-LD",
    "RDF_XML",
    "N-Triples",
    "N-Quads",
    "TriG",
];

/// Answers a request that asks nothing.
pub(super) async fn answer(base: String, view: View, headers: &HeaderMap) -> Result<Response, Failure> {
    let chosen = Choice::of(headers).graph()?;
    let AnswerFormat::Graph(syntax) = chosen.format else {
        return Err(Failure::internal("a service description is a graph"));
    };
    let triples = tokio::task::spawn_blocking(move || describe(&base, &view.statistics())).await??;
    let mut response = syntax.write(&triples)?.into_response();
    set(&mut response, header::CONTENT_TYPE, &with_encoding(chosen.media_type))?;
    set(&mut response, header::VARY, "Accept")?;
    Ok(response)
}

/// Collects statements.
#[derive(Default)]
struct Statements(Vec<Triple>);

impl Statements {
    fn say(&mut self, subject: &NamedNode, property: &str, object: impl Into<Term>) -> Result<(), Failure> {
        self.0.push(Triple::new(subject.clone(), iri(property)?, object.into()));
        Ok(())
    }

    fn number(&mut self, subject: &NamedNode, property: &str, number: usize) -> Result<(), Failure> {
        let integer = iri("http://www.w3.org/2001/XMLSchema#integer")?;
        self.say(subject, property, Literal::new_typed_literal(number.to_string(), integer))
    }
}

fn iri(text: impl Into<String>) -> Result<NamedNode, Failure> {
    NamedNode::new(text.into()).map_err(Failure::internal)
}

fn describe(base: &str, statistics: &Statistics) -> Result<Vec<Triple>, Failure> {
    let sd = |name: &str| format!("{SD}{name}");
    let part = |name: &str| iri(format!("{}/sparql#{name}", base));
    let service = iri(format!("{}/sparql", base))?;
    let mut said = Statements::default();
    said.say(&service, RDF_TYPE, iri(sd("Service"))?)?;
    said.say(&service, &sd("endpoint"), service.clone())?;
    said.say(&service, &sd("supportedLanguage"), iri(sd("SPARQL11Query"))?)?;
    // The default graph is what all named graphs say together; no address in a query is ever fetched.
    said.say(&service, &sd("feature"), iri(sd("UnionDefaultGraph"))?)?;
    for format in RESULT_FORMATS {
        said.say(&service, &sd("resultFormat"), iri(format!("http://www.w3.org/ns/formats/{format}"))?)?;
    }
    let dataset = part("dataset")?;
    said.say(&service, &sd("defaultDataset"), dataset.clone())?;
    said.say(&service, &sd("availableGraphs"), dataset.clone())?;
    said.say(&dataset, RDF_TYPE, iri(sd("Dataset"))?)?;
    said.say(&dataset, RDF_TYPE, iri(sd("GraphCollection"))?)?;
    said.say(&dataset, RDF_TYPE, iri(format!("{VOID}Dataset"))?)?;
    said.say(&dataset, &format!("{VOID}sparqlEndpoint"), service.clone())?;
    said.say(&dataset, &format!("{VOID}inDataset"), iri(format!("{}/.well-known/void", base))?)?;
    let default = part("default-graph")?;
    said.say(&dataset, &sd("defaultGraph"), default.clone())?;
    said.say(&default, RDF_TYPE, iri(sd("Graph"))?)?;
    said.number(&default, &format!("{VOID}triples"), statistics.triples)?;
    for (number, (name, triples)) in statistics.graphs.iter().enumerate() {
        let (named, graph) = (part(&format!("named-{number}"))?, part(&format!("graph-{number}"))?);
        said.say(&dataset, &sd("namedGraph"), named.clone())?;
        said.say(&named, RDF_TYPE, iri(sd("NamedGraph"))?)?;
        said.say(&named, &sd("name"), name.clone())?;
        said.say(&named, &sd("graph"), graph.clone())?;
        said.say(&graph, RDF_TYPE, iri(sd("Graph"))?)?;
        said.number(&graph, &format!("{VOID}triples"), *triples)?;
    }
    Ok(said.0)
}
