//! Media types: which syntax answers a request.

use oxigraph::io::{JsonLdProfileSet, RdfFormat};
use oxigraph::sparql::results::QueryResultsFormat;
use serde::{Deserialize, Serialize};

/// A syntax for graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GraphSyntax {
    /// Turtle.
    Turtle,
    /// N-Triples.
    NTriples,
    /// RDF/XML.
    RdfXml,
    /// JSON-LD.
    JsonLd,
    /// TriG, for a dataset of one graph.
    TriG,
    /// N-Quads, for a dataset of one graph.
    NQuads,
}

impl GraphSyntax {
    /// Every syntax of graphs, the preferred first; those of datasets are for queries only.
    pub const ALL: [Self; 4] = [Self::Turtle, Self::JsonLd, Self::RdfXml, Self::NTriples];

    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Turtle => "text/turtle",
            Self::NTriples => "application/n-triples",
            Self::RdfXml => "application/rdf+xml",
            Self::JsonLd => "application/ld+json",
            Self::TriG => "application/trig",
            Self::NQuads => "application/n-quads",
        }
    }

    /// Returns the suffix of a document's path, without its dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Turtle => "ttl",
            Self::NTriples => "nt",
            Self::RdfXml => "rdf",
            Self::JsonLd => "jsonld",
            Self::TriG => "trig",
            Self::NQuads => "nq",
        }
    }

    pub(crate) fn rdf_format(self) -> RdfFormat {
        match self {
            Self::Turtle => RdfFormat::Turtle,
            Self::NTriples => RdfFormat::NTriples,
            Self::RdfXml => RdfFormat::RdfXml,
            Self::JsonLd => RdfFormat::JsonLd { profile: JsonLdProfileSet::empty() },
            Self::TriG => RdfFormat::TriG,
            Self::NQuads => RdfFormat::NQuads,
        }
    }
}

/// A syntax for the answer of a query: for its rows, or for its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerFormat {
    /// SPARQL results in JSON.
    Json,
    /// SPARQL results in XML.
    Xml,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// A graph.
    Graph(GraphSyntax),
}

impl AnswerFormat {
    /// The formats for SELECT, the preferred first.
    pub const ROWS: [Self; 4] = [Self::Json, Self::Xml, Self::Csv, Self::Tsv];
    /// The formats for ASK: CSV and TSV have no form for a truth value.
    pub const TRUTH: [Self; 2] = [Self::Json, Self::Xml];
    /// The formats for CONSTRUCT and DESCRIBE.
    pub const GRAPHS: [Self; 6] = [
        Self::Graph(GraphSyntax::Turtle),
        Self::Graph(GraphSyntax::JsonLd),
        Self::Graph(GraphSyntax::RdfXml),
        Self::Graph(GraphSyntax::NTriples),
        Self::Graph(GraphSyntax::TriG),
        Self::Graph(GraphSyntax::NQuads),
    ];

    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/sparql-results+json",
            Self::Xml => "application/sparql-results+xml",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Tsv => "text/tab-separated-values; charset=utf-8",
            Self::Graph(syntax) => syntax.media_type(),
        }
    }

    pub(crate) fn results_format(self) -> Option<QueryResultsFormat> {
        match self {
            Self::Json => Some(QueryResultsFormat::Json),
            Self::Xml => Some(QueryResultsFormat::Xml),
            Self::Csv => Some(QueryResultsFormat::Csv),
            Self::Tsv => Some(QueryResultsFormat::Tsv),
            Self::Graph(_) => None,
        }
    }
}
