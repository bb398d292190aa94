//! The vocabulary in every syntax: the ontology, its schemes, and one concept with what is around it.

use std::sync::LazyLock;

use catalog_ontology::generate;
use catalog_ontology::scheme::SCHEMES_TTL;
use oxrdf::{NamedNode, Term, Triple};
use oxrdfio::{RdfFormat, RdfParser};

/// Returns the statements of the ontology.
pub fn ontology() -> &'static [Triple] {
    static READ: LazyLock<Vec<Triple>> = LazyLock::new(|| read(generate::ontology_turtle()));
    &READ
}

/// Returns the statements of a scheme.
pub fn scheme(name: &str) -> Option<&'static [Triple]> {
    static READ: LazyLock<Vec<(&'static str, Vec<Triple>)>> =
        LazyLock::new(|| SCHEMES_TTL.iter().map(|(name, turtle)| (*name, read(turtle))).collect());
    READ.iter().find(|(known, _)| *known == name).map(|(_, triples)| triples.as_slice())
}

/// Returns what a scheme says of one concept: about it, and what leads to it.
pub fn concept(scheme_name: &str, iri: &str) -> Vec<Triple> {
    let Ok(iri) = NamedNode::new(iri) else { return Vec::new() };
    let all = scheme(scheme_name).unwrap_or_default();
    let about = |triple: &&Triple| triple.subject == iri.clone().into() || triple.object == Term::from(iri.clone());
    all.iter().filter(about).cloned().collect()
}

/// The embedded files are well formed, which a test asserts; what is not a statement is left out.
fn read(turtle: &str) -> Vec<Triple> {
    RdfParser::from_format(RdfFormat::Turtle)
        .for_slice(turtle.as_bytes())
        .filter_map(|quad| quad.ok().map(Triple::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_files_are_read_whole() {
        for (name, turtle) in SCHEMES_TTL.iter().chain(&[("ontology", generate::ontology_turtle())]) {
            let parsed = RdfParser::from_format(RdfFormat::Turtle).for_slice(turtle.as_bytes());
            assert!(parsed.into_iter().all(|quad| quad.is_ok()), "{name}");
        }
        assert!(ontology().len() > 500);
        let gaia = concept("mission", "https://w3id.org/esado/mission/gaia");
        assert!(gaia.iter().any(|triple| triple.predicate.as_str().ends_with("prefLabel")));
        assert!(concept("mission", "https://w3id.org/esado/mission/none").is_empty());
    }
}
