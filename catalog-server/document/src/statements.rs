//! A growing list of statements, and the namespaces that they are made of.

use oxrdf::vocab::{rdf, xsd};
use oxrdf::{Literal, NamedNode, Term, Triple};

/// Namespaces of the vocabularies that documents speak.
pub mod namespace {
    /// Activity Streams 2.0.
    pub const AS: &str = "https://www.w3.org/ns/activitystreams#";
    /// DCAT 3.
    pub const DCAT: &str = "http://www.w3.org/ns/dcat#";
    /// Dublin Core terms.
    pub const DCTERMS: &str = "http://purl.org/dc/terms/";
    /// Asset Description Metadata Schema.
    pub const ADMS: &str = "http://www.w3.org/ns/adms#";
    /// Friend of a Friend.
    pub const FOAF: &str = "http://xmlns.com/foaf/0.1/";
    /// FAIR Data Point ontology.
    pub const FDP: &str = "https://w3id.org/fdp/fdp-o#";
    /// Hydra.
    pub const HYDRA: &str = "http://www.w3.org/ns/hydra/core#";
    /// Linked Data Event Streams.
    pub const LDES: &str = "https://w3id.org/ldes#";
    /// Linked Data Platform.
    pub const LDP: &str = "http://www.w3.org/ns/ldp#";
    /// Locations.
    pub const LOCN: &str = "http://www.w3.org/ns/locn#";
    /// Provenance.
    pub const PROV: &str = "http://www.w3.org/ns/prov#";
    /// RDF schema.
    pub const RDFS: &str = "http://www.w3.org/2000/01/rdf-schema#";
    /// schema.org.
    pub const SDO: &str = "https://schema.org/";
    /// SKOS.
    pub const SKOS: &str = "http://www.w3.org/2004/02/skos/core#";
    /// Software Package Data Exchange.
    pub const SPDX: &str = "http://spdx.org/rdf/terms#";
    /// TREE hypermedia.
    pub const TREE: &str = "https://w3id.org/tree#";
    /// vCard.
    pub const VCARD: &str = "http://www.w3.org/2006/vcard/ns#";
    /// Vocabulary of Interlinked Datasets.
    pub const VOID: &str = "http://rdfs.org/ns/void#";
}

/// Prefixes beside those of the term table.
pub(crate) const MORE_PREFIXES: &[(&str, &str)] = &[
    ("as", namespace::AS),
    ("fdp-o", namespace::FDP),
    ("hydra", namespace::HYDRA),
    ("ldes", namespace::LDES),
    ("ldp", namespace::LDP),
    ("prof", "http://www.w3.org/ns/dx/prof/"),
    ("role", "http://www.w3.org/ns/dx/prof/role/"),
    ("tree", namespace::TREE),
    ("void", namespace::VOID),
];

/// Statements in the order in which they were made, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements {
    triples: Vec<Triple>,
}

impl Statements {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the statements.
    pub fn triples(&self) -> &[Triple] {
        &self.triples
    }

    /// Returns the statements as a list of their own.
    pub fn into_triples(self) -> Vec<Triple> {
        self.triples
    }

    /// Adds statements that were made elsewhere.
    pub fn extend(&mut self, triples: impl IntoIterator<Item = Triple>) {
        self.triples.extend(triples);
    }

    /// Adds a statement; what cannot be an IRI is left out, as a document must never be broken by one value.
    pub fn say(&mut self, subject: &str, property: &str, object: impl Into<Term>) {
        if let (Ok(subject), Ok(property)) = (NamedNode::new(subject), NamedNode::new(property)) {
            let triple = Triple::new(subject, property, object);
            if !self.triples.contains(&triple) {
                self.triples.push(triple);
            }
        }
    }

    /// Says that something is of a class.
    pub fn a(&mut self, subject: &str, class: &str) {
        self.iri(subject, rdf::TYPE.as_str(), class);
    }

    /// Says a link to an IRI.
    pub fn iri(&mut self, subject: &str, property: &str, object: &str) {
        if let Ok(object) = NamedNode::new(object) {
            self.say(subject, property, object);
        }
    }

    /// Says a link to an IRI, and what class is behind it.
    pub fn typed(&mut self, subject: &str, property: &str, object: &str, class: &str) {
        self.iri(subject, property, object);
        self.a(object, class);
    }

    /// Says plain text.
    pub fn text(&mut self, subject: &str, property: &str, text: &str) {
        self.say(subject, property, Literal::new_simple_literal(text));
    }

    /// Says text in a language; plain text when the tag is none.
    pub fn tagged(&mut self, subject: &str, property: &str, text: &str, language: &str) {
        match Literal::new_language_tagged_literal(text, language) {
            Ok(literal) if !language.is_empty() => self.say(subject, property, literal),
            _ => self.text(subject, property, text),
        }
    }

    /// Says a whole number.
    pub fn number(&mut self, subject: &str, property: &str, number: u64) {
        self.say(subject, property, Literal::new_typed_literal(number.to_string(), xsd::INTEGER));
    }

    /// Says a number of a narrower type.
    pub fn size(&mut self, subject: &str, property: &str, number: u64) {
        self.say(subject, property, Literal::new_typed_literal(number.to_string(), xsd::NON_NEGATIVE_INTEGER));
    }

    /// Says a moment, given as RFC 3339, or a day.
    pub fn time(&mut self, subject: &str, property: &str, text: &str) {
        let datatype = if text.contains('T') { xsd::DATE_TIME } else { xsd::DATE };
        self.say(subject, property, Literal::new_typed_literal(text, datatype));
    }

    /// Says a literal of a datatype.
    pub fn literal(&mut self, subject: &str, property: &str, text: &str, datatype: &str) {
        if let Ok(datatype) = NamedNode::new(datatype) {
            self.say(subject, property, Literal::new_typed_literal(text, datatype));
        }
    }
}

/// Returns a term of a namespace.
pub fn term(namespace: &str, name: &str) -> String {
    format!("{namespace}{name}")
}
