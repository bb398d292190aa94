//! What is left of a record that was withdrawn.

use oxrdf::Triple;

use crate::statements::namespace::{ADMS, DCTERMS};
use crate::statements::{Statements, term};

/// A record that was withdrawn.
#[derive(Debug, Clone)]
pub struct Tombstone {
    /// The IRI of the record or of its version.
    pub iri: String,
    /// The class that it had, such as `Datalab`.
    pub kind: String,
    /// When it was withdrawn, RFC 3339.
    pub removed: String,
    /// Why.
    pub reason: String,
    /// What is used instead.
    pub replaced_by: Option<String>,
}

/// Returns what is said of it: that it is gone, since when, and why; nothing of what it said.
pub fn triples(tombstone: &Tombstone) -> Vec<Triple> {
    let esado = catalog_schemas::ESADO;
    let mut out = Statements::new();
    out.a(&tombstone.iri, &term(esado, "Tombstone"));
    out.iri(
        &tombstone.iri,
        &term(ADMS, "status"),
        "http://publications.europa.eu/resource/authority/distribution-status/WITHDRAWN",
    );
    out.time(&tombstone.iri, &term(esado, "removedAt"), &tombstone.removed);
    out.text(&tombstone.iri, &term(esado, "removalReason"), &tombstone.reason);
    if let Some(other) = &tombstone.replaced_by {
        out.iri(&tombstone.iri, &term(DCTERMS, "isReplacedBy"), other);
    }
    out.into_triples()
}
