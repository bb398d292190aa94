//! RDF in its syntaxes, without anything being fetched.

use oxjsonld::JsonLdParser;
use oxrdf::{NamedNode, NamedOrBlankNode, Term, Triple};
use oxrdfxml::RdfXmlParser;
use oxttl::{NTriplesParser, TurtleParser};

use crate::graph::Graph;
use crate::item::{Fault, Place};
use crate::tree::{at, json, text, xml};

/// Statements of one page.
const MOST_STATEMENTS: usize = 2_000_000;
/// Bytes of one literal.
const LONGEST_LITERAL: usize = 256 << 10;

/// The syntaxes that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Turtle,
    NTriples,
    RdfXml,
    JsonLd,
}

impl Syntax {
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "ttl" | "turtle" | "n3" => Self::Turtle,
            "nt" | "ntriples" | "n-triples" => Self::NTriples,
            "rdf" | "owl" | "rdfxml" | "rdf/xml" | "xml" => Self::RdfXml,
            "jsonld" | "json-ld" | "json" => Self::JsonLd,
            _ => return None,
        })
    }

    pub(crate) fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "text/turtle" | "application/x-turtle" | "text/n3" => Self::Turtle,
            "application/n-triples" => Self::NTriples,
            "application/rdf+xml" | "text/xml" | "application/xml" => Self::RdfXml,
            "application/ld+json" | "application/json" => Self::JsonLd,
            _ => return None,
        })
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".gz").unwrap_or(name);
        Self::from_word(name.rsplit_once('.')?.1)
    }
}

/// Reads a page; a page with a fault is refused as a whole, since half of it may say the opposite.
pub(crate) fn parse(bytes: &[u8], syntax: Syntax, base: Option<&str>, file: &str) -> Result<Graph, Fault> {
    let mut statements = Statements { graph: Graph::default(), count: 0, file };
    let base = base.unwrap_or("urn:x-alidade:page");
    let place = |line: u64, column: u64| Place { column: Some(column + 1), ..Place::line(file, line + 1) };
    match syntax {
        Syntax::Turtle | Syntax::NTriples => {
            let text = text::decode(bytes, None, file)?;
            let fault = |error: oxttl::TurtleSyntaxError| {
                let at = error.location().start;
                Fault::new("rdf.syntax", place(at.line, at.column), error.message().to_owned())
            };
            if syntax == Syntax::Turtle {
                let parser = TurtleParser::new()
                    .with_base_iri(base)
                    .map_err(|error| Fault::new("rdf.syntax", Place::file(file), error.to_string()))?;
                for triple in parser.for_slice(text.as_bytes()) {
                    statements.add(triple.map_err(fault)?)?;
                }
            } else {
                for triple in NTriplesParser::new().for_slice(text.as_bytes()) {
                    statements.add(triple.map_err(fault)?)?;
                }
            }
        }
        Syntax::RdfXml => {
            let text = text::decode(bytes, xml::declared(bytes).as_deref(), file)?;
            // The parser reads entities that a DOCTYPE declares; none is read from others.
            if let Some(offset) = text.find("<!DOCTYPE").or_else(|| text.find("<!ENTITY")) {
                return Err(Fault::new(
                    "xml.doctype",
                    at(file, text.as_bytes(), offset),
                    "it has a DOCTYPE, which is not read from others",
                ));
            }
            // The parser knows UTF-8 only, which it is by now, whatever it declares.
            let (_, text) = text
                .trim_start()
                .split_once("?>")
                .filter(|(begin, _)| begin.starts_with("<?xml"))
                .unwrap_or(("", &text));
            depth(text.as_bytes(), file)?;
            let parser = RdfXmlParser::new()
                .with_base_iri(base)
                .map_err(|error| Fault::new("rdf.syntax", Place::file(file), error.to_string()))?;
            for triple in parser.for_slice(text.as_bytes()) {
                statements
                    .add(triple.map_err(|error| Fault::new("rdf.syntax", Place::file(file), error.to_string()))?)?;
            }
        }
        Syntax::JsonLd => {
            let text = text::decode(bytes, None, file)?;
            json::check_depth(text.as_bytes(), file)?;
            let parser = JsonLdParser::new()
                .with_base_iri(base)
                .map_err(|error| Fault::new("rdf.syntax", Place::file(file), error.to_string()))?;
            for quad in parser.for_slice(text.as_bytes()).with_load_document_callback(|url, _| known_context(url)) {
                let quad = quad.map_err(|error| Fault::new("rdf.syntax", Place::file(file), error.to_string()))?;
                statements.add(Triple::new(quad.subject, quad.predicate, quad.object))?;
            }
        }
    }
    statements.graph.finish();
    Ok(statements.graph)
}

/// Contexts that documents may name: their words, kept here. Nothing is fetched.
fn known_context(url: &str) -> Result<oxjsonld::JsonLdRemoteDocument, Box<dyn std::error::Error + Send + Sync>> {
    let plain = url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let document = match plain {
        "schema.org" | "schema.org/docs/jsonldcontext.jsonld" | "schema.org/docs/jsonldcontext.json" => {
            r#"{"@context":{"@vocab":"https://schema.org/","schema":"https://schema.org/","url":{"@type":"@id"},"sameAs":{"@type":"@id"},"license":{"@type":"@id"}}}"#
        }
        _ => return Err(format!("the context `{url}` is not known here, and none is fetched").into()),
    };
    Ok(oxjsonld::JsonLdRemoteDocument { document: document.as_bytes().to_vec(), document_url: url.to_owned() })
}

struct Statements<'a> {
    graph: Graph,
    count: usize,
    file: &'a str,
}

impl Statements<'_> {
    /// Adds a statement, with https for schema.org, within the limits.
    fn add(&mut self, triple: Triple) -> Result<(), Fault> {
        self.count += 1;
        let fault = |message: String| Fault::new("limit.statements", Place::file(self.file), message);
        if self.count > MOST_STATEMENTS {
            return Err(fault(format!("it has more than {MOST_STATEMENTS} statements")));
        }
        if let Term::Literal(literal) = &triple.object
            && literal.value().len() > LONGEST_LITERAL
        {
            return Err(fault(format!("a literal has more than {LONGEST_LITERAL} bytes")));
        }
        let subject = match triple.subject {
            NamedOrBlankNode::NamedNode(node) => NamedOrBlankNode::NamedNode(https(node)),
            other => other,
        };
        let object = match triple.object {
            Term::NamedNode(node) => Term::NamedNode(https(node)),
            other => other,
        };
        self.graph.add(Triple::new(subject, https(triple.predicate), object));
        Ok(())
    }
}

fn https(node: NamedNode) -> NamedNode {
    match node.as_str().strip_prefix("http://schema.org/") {
        Some(rest) => NamedNode::new_unchecked(format!("https://schema.org/{rest}")),
        None => node,
    }
}

/// Refuses XML that is nested too deeply; the parser keeps a stack of its own, and every level costs.
fn depth(bytes: &[u8], file: &str) -> Result<(), Fault> {
    let (mut depth, mut offset) = (0_i64, 0);
    while let Some(at_tag) = find(&bytes[offset..], b"<") {
        offset += at_tag + 1;
        match bytes.get(offset) {
            Some(b'/') => depth -= 1,
            Some(b'?' | b'!') | None => {}
            Some(_) => {
                let end = find(&bytes[offset..], b">").unwrap_or(0);
                if end == 0 || bytes[offset + end - 1] != b'/' {
                    depth += 1;
                }
            }
        }
        if depth > 128 {
            return Err(Fault::new("limit.depth", at(file, bytes, offset), "it is nested more than 128 deep"));
        }
    }
    Ok(())
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.len() == 1 {
        return bytes.iter().position(|byte| *byte == needle[0]);
    }
    bytes.windows(needle.len()).position(|window| window == needle)
}
