//! The statements, and how changed records replace their own.

use std::collections::HashSet;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use oxigraph::io::{RdfFormat, RdfParser, RdfSerializer};
use oxigraph::model::{GraphName, GraphNameRef, NamedNode, NamedNodeRef, NamedOrBlankNode, Quad, Term, Triple};
use oxigraph::store::Store as Oxigraph;

use crate::{Error, GraphSyntax};

/// One record's new state: everything it says now, or nothing when it is gone.
#[derive(Debug, Clone)]
pub struct Change {
    /// The record's IRI; statements about it, its versions and its parts (`{iri}/…`, `{iri}#…`) are replaced.
    pub iri: NamedNode,
    /// The graph of the source that said it.
    pub graph: NamedNode,
    /// What it says; empty removes it.
    pub triples: Vec<Triple>,
}

/// The RDF store: the default graph is the merged public view, one named graph a source is what the source said.
///
/// It is oxigraph's in-memory store. It is filled from the ledger at start-up and follows the change log.
pub struct Store {
    inner: RwLock<Oxigraph>,
    applied_seq: AtomicU64,
}

impl Store {
    /// Makes an empty store.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { inner: RwLock::new(Oxigraph::new()?), applied_seq: AtomicU64::new(0) })
    }

    /// Returns the ledger sequence up to which the store has followed.
    pub fn applied_seq(&self) -> u64 {
        self.applied_seq.load(Ordering::Acquire)
    }

    /// Returns the number of statements over all graphs.
    pub fn len(&self) -> Result<usize, Error> {
        Ok(self.snapshot().len()?)
    }

    /// Says whether nothing is stored.
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.snapshot().is_empty()?)
    }

    /// Replaces records by their new state, all or none, and moves to the sequence.
    pub fn apply(&self, changes: &[Change], seq: u64) -> Result<(), Error> {
        let store = self.snapshot();
        let mut transaction = store.start_transaction()?;
        for change in changes {
            let old = statements_of(&store, change.iri.as_ref())?;
            for quad in &old {
                transaction.remove(quad);
            }
            for triple in &change.triples {
                transaction.insert(triple.as_ref().in_graph(GraphNameRef::DefaultGraph));
                transaction.insert(triple.as_ref().in_graph(GraphNameRef::NamedNode(change.graph.as_ref())));
            }
        }
        transaction.commit()?;
        self.applied_seq.store(seq, Ordering::Release);
        Ok(())
    }

    /// Adds statements that belong to no record, such as the concept schemes, to the default graph and their own.
    pub fn add(&self, graph: &NamedNode, triples: &[Triple]) -> Result<(), Error> {
        self.load(triples.iter().map(|triple| (graph, triple)))
    }

    /// Adds the statements of a Turtle document to the default graph and to a named one.
    pub fn load_turtle(&self, graph: &NamedNode, document: &str) -> Result<(), Error> {
        let parsed: Result<Vec<Triple>, _> =
            RdfParser::from_format(RdfFormat::Turtle).for_slice(document).map(|quad| quad.map(Triple::from)).collect();
        self.add(graph, &parsed.map_err(|error| Error::Syntax(error.to_string()))?)
    }

    /// Adds records that the store does not hold yet: for filling an empty store.
    pub fn fill(&self, changes: &[Change], seq: u64) -> Result<(), Error> {
        self.load(changes.iter().flat_map(|change| change.triples.iter().map(move |triple| (&change.graph, triple))))?;
        self.applied_seq.store(seq, Ordering::Release);
        Ok(())
    }

    fn load<'a>(&self, triples: impl Iterator<Item = (&'a NamedNode, &'a Triple)>) -> Result<(), Error> {
        let store = self.snapshot();
        let mut loader = store.bulk_loader().without_atomicity();
        let quads = triples.flat_map(|(graph, triple)| {
            [triple.clone().in_graph(GraphName::DefaultGraph), triple.clone().in_graph(graph.clone())]
        });
        loader.load_quads(quads)?;
        Ok(loader.commit()?)
    }

    /// Moves to a sequence: of an empty ledger, or after the last record of a filling.
    pub fn set_applied_seq(&self, seq: u64) {
        self.applied_seq.store(seq, Ordering::Release);
    }

    /// Puts another store's content in the place of this one's, at once; queries that run go on with the old one.
    pub fn replace_with(&self, other: Self) {
        let seq = other.applied_seq();
        let new = other.inner.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        *self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner) = new;
        self.applied_seq.store(seq, Ordering::Release);
    }

    /// Returns what the default graph says about a record, its versions and its parts, sorted.
    pub fn describe(&self, iri: NamedNodeRef<'_>) -> Result<Vec<Triple>, Error> {
        let mut triples: Vec<Triple> = statements_of(&self.snapshot(), iri)?
            .into_iter()
            .filter(|quad| quad.graph_name == GraphName::DefaultGraph)
            .map(Triple::from)
            .collect();
        triples.sort_by_cached_key(ToString::to_string);
        Ok(triples)
    }

    /// Returns the handle that reads a consistent state.
    pub(crate) fn snapshot(&self) -> Oxigraph {
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl GraphSyntax {
    /// Writes triples in this syntax with the catalogue's prefixes.
    pub fn write(self, triples: &[Triple]) -> Result<Vec<u8>, Error> {
        const PREFIXES: [(&str, &str); 12] = [
            ("adms", "http://www.w3.org/ns/adms#"),
            ("dcat", "http://www.w3.org/ns/dcat#"),
            ("dcterms", "http://purl.org/dc/terms/"),
            ("esado", "https://w3id.org/esado#"),
            ("foaf", "http://xmlns.com/foaf/0.1/"),
            ("prov", "http://www.w3.org/ns/prov#"),
            ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
            ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
            ("sdo", "https://schema.org/"),
            ("skos", "http://www.w3.org/2004/02/skos/core#"),
            ("vcard", "http://www.w3.org/2006/vcard/ns#"),
            ("xsd", "http://www.w3.org/2001/XMLSchema#"),
        ];
        let mut serializer = RdfSerializer::from_format(self.rdf_format());
        for (prefix, iri) in PREFIXES {
            serializer = serializer.with_prefix(prefix, iri).map_err(|_| Error::Iri(iri.to_owned()))?;
        }
        let mut writer = serializer.for_writer(Vec::new());
        for triple in triples {
            writer.serialize_triple(triple)?;
        }
        Ok(writer.finish()?)
    }
}

/// Finds every statement about a record: about its IRI, and about the parts and versions that those lead to.
fn statements_of(store: &Oxigraph, iri: NamedNodeRef<'_>) -> Result<Vec<Quad>, Error> {
    let (path, part) = (format!("{}/", iri.as_str()), format!("{}#", iri.as_str()));
    let mut known = HashSet::from([iri.into_owned()]);
    let mut open = vec![iri.into_owned()];
    let mut statements = Vec::new();
    while let Some(subject) = open.pop() {
        for quad in store.quads_for_pattern(Some(subject.as_ref().into()), None, None, None) {
            let quad = quad?;
            if let Term::NamedNode(object) = &quad.object
                && (object.as_str().starts_with(&path) || object.as_str().starts_with(&part))
                && known.insert(object.clone())
            {
                open.push(object.clone());
            }
            statements.push(quad);
        }
        // A catalogue record, or another node, may point at the record instead of being pointed at.
        for quad in store.quads_for_pattern(None, None, Some(subject.as_ref().into()), None) {
            if let NamedOrBlankNode::NamedNode(source) = quad?.subject
                && (source.as_str().starts_with(&path) || source.as_str().starts_with(&part))
                && known.insert(source.clone())
            {
                open.push(source);
            }
        }
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxigraph::model::Literal;

    fn iri(text: &str) -> NamedNode {
        NamedNode::new(text).unwrap()
    }

    fn change(n: u32, name: &str) -> Change {
        let subject = iri(&format!("http://e/id/z/a{n}"));
        let needs = iri(&format!("http://e/id/z/a{n}#needs"));
        let name = Triple::new(subject.clone(), iri("http://e/name"), Literal::from(name));
        let link = Triple::new(subject.clone(), iri("http://e/needs"), needs.clone());
        let cpu = Triple::new(needs, iri("http://e/cpu"), Literal::from(2));
        Change { iri: subject, graph: iri("http://e/graph/z"), triples: vec![name, link, cpu] }
    }

    #[test]
    fn a_change_replaces_a_record_with_its_parts_and_no_other() {
        let store = Store::new().unwrap();
        store.apply(&[change(1, "one"), change(11, "eleven")], 2).unwrap();
        assert_eq!(store.len().unwrap(), 12);
        store.apply(&[change(1, "uno")], 3).unwrap();
        assert_eq!((store.len().unwrap(), store.applied_seq()), (12, 3));
        let text = String::from_utf8(
            GraphSyntax::NTriples.write(&store.describe(iri("http://e/id/z/a1").as_ref()).unwrap()).unwrap(),
        );
        assert_eq!(
            text.unwrap(),
            "<http://e/id/z/a1#needs> <http://e/cpu> \"2\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n\
             <http://e/id/z/a1> <http://e/name> \"uno\" .\n\
             <http://e/id/z/a1> <http://e/needs> <http://e/id/z/a1#needs> .\n"
        );
        store.apply(&[Change { triples: Vec::new(), ..change(1, "") }], 4).unwrap();
        assert_eq!(store.len().unwrap(), 6);
        assert_eq!(store.describe(iri("http://e/id/z/a11").as_ref()).unwrap().len(), 3);
    }

    #[test]
    fn filling_and_applying_give_the_same() {
        let (filled, applied) = (Store::new().unwrap(), Store::new().unwrap());
        let changes: Vec<_> = (0..20).map(|n| change(n, "x")).collect();
        filled.fill(&changes, 20).unwrap();
        applied.apply(&changes, 20).unwrap();
        assert_eq!(filled.len().unwrap(), applied.len().unwrap());
        let empty = Store::new().unwrap();
        empty.replace_with(filled);
        assert_eq!((empty.len().unwrap(), empty.applied_seq()), (120, 20));
    }
}
