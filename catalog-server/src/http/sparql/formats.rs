//! Which syntax answers a client.

use catalog_graph::worker::Formats;
use catalog_graph::{AnswerFormat, GraphSyntax, QueryForm};
use http::{HeaderMap, StatusCode};

use crate::http::accept::{accept_of, negotiate};
use crate::http::problem::Failure;

/// Names under which a syntax is asked for beside its own: what it is made of, and what older clients call it.
const OTHER_NAMES: [(&str, AnswerFormat); 10] = [
    ("application/json", AnswerFormat::Json),
    ("application/xml", AnswerFormat::Xml),
    ("text/xml", AnswerFormat::Xml),
    ("text/plain", AnswerFormat::Graph(GraphSyntax::NTriples)),
    ("application/xml", AnswerFormat::Graph(GraphSyntax::RdfXml)),
    ("application/json", AnswerFormat::Graph(GraphSyntax::JsonLd)),
    ("application/x-turtle", AnswerFormat::Graph(GraphSyntax::Turtle)),
    ("text/n3", AnswerFormat::Graph(GraphSyntax::Turtle)),
    ("text/x-nquads", AnswerFormat::Graph(GraphSyntax::NQuads)),
    ("application/x-trig", AnswerFormat::Graph(GraphSyntax::TriG)),
];

/// A syntax, and the name under which it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    pub(super) format: AnswerFormat,
    pub(super) media_type: &'static str,
}

/// The syntaxes that a client takes, one for each form that its query may turn out to have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    rows: Option<Chosen>,
    truth: Option<Chosen>,
    graph: Option<Chosen>,
}

impl Choice {
    /// Chooses by a request's `Accept`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accept = accept_of(headers).filter(|accept| !accept.is_empty());
        let choose = |form| choose(accept.as_deref(), form);
        Self { rows: choose(QueryForm::Select), truth: choose(QueryForm::Ask), graph: choose(QueryForm::Graph) }
    }

    /// Returns what a worker is told.
    pub(super) fn formats(&self) -> Formats {
        let graph = |chosen: Chosen| match chosen.format {
            AnswerFormat::Graph(syntax) => Some(syntax),
            _ => None,
        };
        Formats {
            rows: self.rows.map(|chosen| chosen.format),
            truth: self.truth.map(|chosen| chosen.format),
            graph: self.graph.and_then(graph),
        }
    }

    /// Returns the names of the syntaxes, which the response says.
    pub(super) fn media_types(&self) -> [Option<&'static str>; 3] {
        [self.rows, self.truth, self.graph].map(|chosen| chosen.map(|chosen| chosen.media_type))
    }

    /// Returns what a syntax is called in the response.
    pub(super) fn media_type(&self, format: AnswerFormat) -> &'static str {
        let chosen = [self.rows, self.truth, self.graph].into_iter().flatten().find(|chosen| chosen.format == format);
        chosen.map_or(format.media_type(), |chosen| chosen.media_type)
    }

    /// Returns the syntax for a graph.
    pub(super) fn graph(&self) -> Result<Chosen, Failure> {
        self.graph.ok_or_else(|| not_acceptable(QueryForm::Graph))
    }
}

/// Refuses a client that takes no syntax of a form of answer.
pub(super) fn not_acceptable(form: QueryForm) -> Failure {
    let names: Vec<&str> = offered(form).iter().map(|format| format.media_type()).collect();
    let detail = format!("this query can be answered as {}", names.join(", "));
    Failure::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "no such format", detail)
}

fn offered(form: QueryForm) -> &'static [AnswerFormat] {
    match form {
        QueryForm::Select => &AnswerFormat::ROWS,
        QueryForm::Ask => &AnswerFormat::TRUTH,
        QueryForm::Graph => &AnswerFormat::GRAPHS,
    }
}

fn choose(accept: Option<&str>, form: QueryForm) -> Option<Chosen> {
    let offered = offered(form);
    let mut names: Vec<(&'static str, AnswerFormat)> =
        offered.iter().map(|format| (format.media_type(), *format)).collect();
    // A browser ranks any XML above all else; it gets the first syntax, as it would show either as text.
    let is_browser = accept.is_some_and(|text| text.contains("text/html"));
    let is_offered = |(_, format): &&(&str, AnswerFormat)| !is_browser && offered.contains(format);
    names.extend(OTHER_NAMES.iter().filter(is_offered));
    let types: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let chosen = negotiate(accept, &types).or(is_browser.then_some(0));
    chosen.map(|index| Chosen { format: names[index].1, media_type: names[index].0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_types(accept: &str) -> (&'static str, &'static str, &'static str) {
        let name = |form| choose(Some(accept), form).map_or("-", |chosen| chosen.media_type);
        (name(QueryForm::Select), name(QueryForm::Ask), name(QueryForm::Graph))
    }

    /// What real clients send.
    #[test]
    fn clients_get_what_they_read_best() {
        const JSON: &str = "application/sparql-results+json";
        const XML: &str = "application/sparql-results+xml";
        const TURTLE: &str = "text/turtle";
        let rows = [
            // curl
            ("*/*", (JSON, JSON, TURTLE)),
            // SPARQLWrapper: JSON, XML, and RDF
            (
                "application/sparql-results+json,application/json,text/javascript,application/javascript",
                (JSON, JSON, "application/json"),
            ),
            ("application/sparql-results+xml", (XML, XML, "-")),
            ("application/rdf+xml", ("-", "-", "application/rdf+xml")),
            ("application/turtle,text/turtle,application/x-turtle", ("-", "-", TURTLE)),
            (
                "text/rdf+n3,application/n-triples,application/turtle,application/n3,text/n3,text/turtle",
                ("-", "-", TURTLE),
            ),
            ("application/ld+json,application/x-json+ld", ("-", "-", "application/ld+json")),
            // rdflib's SPARQLStore
            ("application/sparql-results+xml, application/rdf+xml", (XML, XML, "application/rdf+xml")),
            // comunica
            ("application/sparql-results+json;q=1.0,application/sparql-results+xml;q=0.7", (JSON, JSON, "-")),
            (
                "application/n-quads,application/trig;q=0.95,application/ld+json;q=0.9,application/n-triples;q=0.8,text/turtle;q=0.6",
                ("-", "-", "application/n-quads"),
            ),
            ("text/turtle", ("-", "-", TURTLE)),
            // Jena
            (
                "application/sparql-results+json, application/sparql-results+xml;q=0.9, text/tab-separated-values;q=0.7, text/csv;q=0.5, application/json;q=0.2, application/xml;q=0.2, */*;q=0.1",
                (JSON, JSON, "application/xml"),
            ),
            // RDF4J
            (
                "application/x-sparqlstar-results+xml;q=0.8, application/sparql-results+json, text/tab-separated-values;q=0.8, application/sparql-results+xml;q=0.8",
                (JSON, JSON, "-"),
            ),
            // A browser
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", (JSON, JSON, TURTLE)),
            ("text/html", (JSON, JSON, TURTLE)),
            // By weight, by range, and not at all
            ("text/csv, */*;q=0.1", ("text/csv; charset=utf-8", JSON, TURTLE)),
            ("text/csv;q=0.5, text/tab-separated-values", ("text/tab-separated-values; charset=utf-8", "-", "-")),
            ("application/sparql-results+json;q=0, */*", (XML, XML, TURTLE)),
            ("TEXT/CSV;Q=1", ("text/csv; charset=utf-8", "-", "-")),
            ("image/png", ("-", "-", "-")),
        ];
        for (accept, expected) in rows {
            assert_eq!(media_types(accept), expected, "{accept}");
        }
    }

    #[test]
    fn without_a_wish_the_first_syntax_answers() {
        assert_eq!(Choice::of(&HeaderMap::new()).media_type(AnswerFormat::Json), AnswerFormat::Json.media_type());
        assert!(Choice::of(&HeaderMap::new()).formats().truth.is_some());
    }
}
