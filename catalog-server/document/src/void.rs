//! VoID: what the catalogue is as a set of statements, with how many of what.

use oxrdf::Triple;

use crate::statements::namespace::{DCTERMS, FOAF, VOID};
use crate::statements::{Statements, term};

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Statements of the default graph, or of a dump when the store does not count.
    pub triples: u64,
    /// Records of each class.
    pub classes: Vec<(String, u64)>,
    /// Statements of each property.
    pub properties: Vec<(String, u64)>,
    /// Different subjects.
    pub subjects: u64,
    /// Sources with their records.
    pub sources: Vec<(String, u64)>,
    /// Statements of each named graph, by its IRI.
    pub graphs: Vec<(String, u64)>,
    /// When the last record changed, RFC 3339.
    pub modified: Option<String>,
}

/// Returns the description of the dataset and of its parts.
pub fn description(base: &str, statistics: &Statistics) -> Vec<Triple> {
    let mut out = Statements::new();
    let (document, dataset) = (format!("{base}/.well-known/void"), format!("{base}/.well-known/void#catalogue"));
    out.a(&document, &term(VOID, "DatasetDescription"));
    out.iri(&document, &term(FOAF, "primaryTopic"), &dataset);
    out.a(&dataset, &term(VOID, "Dataset"));
    out.tagged(&dataset, &term(DCTERMS, "title"), "Alidade catalogue", "en");
    out.tagged(
        &dataset,
        &term(DCTERMS, "description"),
        "Every public statement about the records of the catalogue, and the vocabulary that they are made with.",
        "en",
    );
    out.iri(&dataset, &term(FOAF, "homepage"), &format!("{base}/"));
    out.iri(&dataset, &term(VOID, "sparqlEndpoint"), &format!("{base}/sparql"));
    out.iri(&dataset, &term(VOID, "dataDump"), &format!("{base}/dump.nq.gz"));
    out.iri(&dataset, &term(VOID, "rootResource"), &format!("{base}/catalog"));
    out.iri(&dataset, &term(VOID, "openSearchDescription"), &format!("{base}/opensearch.xml"));
    out.text(&dataset, &term(VOID, "uriSpace"), &format!("{base}/id/"));
    for feature in ["Turtle", "JSON-LD", "RDF_XML", "N-Triples"] {
        out.iri(&dataset, &term(VOID, "feature"), &format!("http://www.w3.org/ns/formats/{feature}"));
    }
    for (_, vocabulary) in
        catalog_ontology::terms::PREFIXES.iter().filter(|(prefix, _)| !matches!(*prefix, "sh" | "owl" | "xsd"))
    {
        out.iri(&dataset, &term(VOID, "vocabulary"), vocabulary);
    }
    if let Some(modified) = &statistics.modified {
        out.time(&dataset, &term(DCTERMS, "modified"), modified);
    }
    out.number(&dataset, &term(VOID, "triples"), statistics.triples);
    out.number(&dataset, &term(VOID, "distinctSubjects"), statistics.subjects);
    out.number(&dataset, &term(VOID, "entities"), statistics.sources.iter().map(|(_, count)| count).sum());
    out.number(&dataset, &term(VOID, "classes"), statistics.classes.len() as u64);
    out.number(&dataset, &term(VOID, "properties"), statistics.properties.len() as u64);
    for (number, (class, count)) in statistics.classes.iter().enumerate() {
        let part = format!("{dataset}-class-{}", number + 1);
        out.iri(&dataset, &term(VOID, "classPartition"), &part);
        out.iri(&part, &term(VOID, "class"), class);
        out.number(&part, &term(VOID, "entities"), *count);
    }
    for (number, (property, count)) in statistics.properties.iter().enumerate() {
        let part = format!("{dataset}-property-{}", number + 1);
        out.iri(&dataset, &term(VOID, "propertyPartition"), &part);
        out.iri(&part, &term(VOID, "property"), property);
        out.number(&part, &term(VOID, "triples"), *count);
    }
    for (graph, count) in &statistics.graphs {
        out.typed(&dataset, &term(VOID, "subset"), graph, &term(VOID, "Dataset"));
        out.number(graph, &term(VOID, "triples"), *count);
    }
    for (source, count) in &statistics.sources {
        let part = format!("{base}/graph/{source}");
        out.typed(&dataset, &term(VOID, "subset"), &part, &term(VOID, "Dataset"));
        out.number(&part, &term(VOID, "entities"), *count);
        out.iri(&part, &term(VOID, "dataDump"), &format!("{base}/dump/{source}.nq.gz"));
    }
    out.into_triples()
}
