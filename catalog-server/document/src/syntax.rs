//! The syntaxes of RDF that documents are written in.

use std::collections::HashSet;
use std::io;

use catalog_ontology::terms::PREFIXES;
use catalog_schemas::xml::LegibleXml;
use oxrdf::{GraphNameRef, NamedOrBlankNodeRef, Quad, QuadRef, TermRef, Triple};
use oxrdfio::{JsonLdProfileSet, RdfFormat, RdfSerializer};

use crate::statements::MORE_PREFIXES;

/// A syntax of RDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// Turtle.
    Turtle,
    /// JSON-LD.
    JsonLd,
    /// RDF/XML.
    RdfXml,
    /// N-Triples.
    NTriples,
    /// N-Quads: with the graph of the source that says it.
    NQuads,
    /// TriG: with the graph of the source that says it.
    TriG,
}

/// A document could not be written, which only happens when a statement's IRI cannot stand in the syntax.
#[derive(Debug, thiserror::Error)]
#[error("cannot write RDF: {0}")]
pub struct WriteError(#[from] io::Error);

impl Syntax {
    /// Every syntax, the preferred first.
    pub const ALL: [Self; 6] = [Self::Turtle, Self::JsonLd, Self::RdfXml, Self::NTriples, Self::NQuads, Self::TriG];

    /// Every syntax that a graph without a name is written in, the preferred first.
    pub const GRAPHS: [Self; 4] = [Self::Turtle, Self::JsonLd, Self::RdfXml, Self::NTriples];

    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Turtle => "text/turtle",
            Self::JsonLd => "application/ld+json",
            Self::RdfXml => "application/rdf+xml",
            Self::NTriples => "application/n-triples",
            Self::NQuads => "application/n-quads",
            Self::TriG => "application/trig",
        }
    }

    /// Returns the suffix of a document's path, without its dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Turtle => "ttl",
            Self::JsonLd => "jsonld",
            Self::RdfXml => "rdf",
            Self::NTriples => "nt",
            Self::NQuads => "nq",
            Self::TriG => "trig",
        }
    }

    /// Returns the syntax of a suffix.
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|syntax| syntax.suffix() == suffix)
    }

    /// Says whether the syntax names graphs.
    pub fn names_graphs(self) -> bool {
        matches!(self, Self::NQuads | Self::TriG)
    }

    /// Writes a graph without a name.
    ///
    /// # Errors
    ///
    /// When a statement cannot be written in this syntax.
    pub fn write(self, triples: &[Triple]) -> Result<Vec<u8>, WriteError> {
        self.write_with(triples.iter().map(|triple| triple.as_ref().in_graph(GraphNameRef::DefaultGraph)))
    }

    /// Writes statements with the graphs that they are in; syntaxes that cannot name a graph leave the names out.
    ///
    /// # Errors
    ///
    /// When a statement cannot be written in this syntax.
    pub fn write_quads(self, quads: &[Quad]) -> Result<Vec<u8>, WriteError> {
        let keeps = self.names_graphs() || self == Self::JsonLd;
        self.write_with(quads.iter().map(|quad| {
            let mut quad = quad.as_ref();
            if !keeps {
                quad.graph_name = GraphNameRef::DefaultGraph;
            }
            quad
        }))
    }

    fn write_with<'a>(self, quads: impl Iterator<Item = QuadRef<'a>>) -> Result<Vec<u8>, WriteError> {
        let quads: Vec<QuadRef<'a>> = quads.collect();
        let used: HashSet<&str> = quads.iter().flat_map(namespaces).collect();
        let mut serializer = RdfSerializer::from_format(self.format());
        for (prefix, iri) in PREFIXES.iter().chain(MORE_PREFIXES).filter(|(_, iri)| used.contains(iri)) {
            // A prefix that is no IRI would only make the document longer.
            serializer = match serializer.clone().with_prefix(*prefix, *iri) {
                Ok(better) => better,
                Err(_) => serializer,
            };
        }
        if self == Self::RdfXml {
            // A text may hold what no XML can.
            return Ok(written(serializer, quads, LegibleXml::new(Vec::new()))?.into_inner());
        }
        Ok(written(serializer, quads, Vec::new())?)
    }

    fn format(self) -> RdfFormat {
        match self {
            Self::Turtle => RdfFormat::Turtle,
            Self::JsonLd => RdfFormat::JsonLd { profile: JsonLdProfileSet::empty() },
            Self::RdfXml => RdfFormat::RdfXml,
            Self::NTriples => RdfFormat::NTriples,
            Self::NQuads => RdfFormat::NQuads,
            Self::TriG => RdfFormat::TriG,
        }
    }
}

fn written<W: io::Write>(serializer: RdfSerializer, quads: Vec<QuadRef<'_>>, sink: W) -> io::Result<W> {
    let mut writer = serializer.for_writer(sink);
    quads.into_iter().try_for_each(|quad| writer.serialize_quad(quad))?;
    writer.finish()
}

/// Returns the namespaces of a statement's names: what a prefix may stand for.
fn namespaces<'a>(quad: &QuadRef<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let subject = match quad.subject {
        NamedOrBlankNodeRef::NamedNode(node) => Some(node.as_str()),
        NamedOrBlankNodeRef::BlankNode(_) => None,
    };
    let object = match quad.object {
        TermRef::NamedNode(node) => Some(node.as_str()),
        TermRef::Literal(literal) => Some(literal.datatype().as_str()),
        TermRef::BlankNode(_) => None,
    };
    [subject, Some(quad.predicate.as_str()), object].into_iter().flatten().map(|iri| {
        let end = iri.rfind(['#', '/']).map_or(0, |at| at + 1);
        iri.get(..end).unwrap_or_default()
    })
}
