//! The RDF projection of the ledger, and SPARQL over it.
//!
//! [`Store`] holds what the ledger said up to its sequence and can be thrown away and filled again; [`Query`] is a
//! guarded query that reads it within limits. It never stores anything first, never changes by a query, never reaches
//! out to a network, and is given public statements only: what is not in it cannot leak.

mod format;
mod guard;
mod query;
mod store;

pub use format::{AnswerFormat, GraphSyntax};
pub use query::{Limits, Query, QueryDataset, QueryError, QueryForm};
pub use store::{Change, Store};

pub use oxigraph::model::{Literal, NamedNode, NamedOrBlankNode, Term, Triple};

/// Why the store could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store below failed.
    #[error("the RDF store failed: {0}")]
    Storage(#[from] oxigraph::store::StorageError),
    /// A name is not an IRI.
    #[error("`{0}` is not an IRI")]
    Iri(String),
    /// A document is not what it says it is.
    #[error("cannot read RDF: {0}")]
    Syntax(String),
    /// A document could not be written.
    #[error("cannot write RDF: {0}")]
    Write(#[from] std::io::Error),
}
