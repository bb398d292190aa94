//! The RDF projection of the ledger, and SPARQL over it.
//!
//! [`Store`] keeps what the ledger said up to its sequence in files of its own and can be thrown away and filled again;
//! [`Reader`] reads them from another process; [`Query`] is a guarded query over a [`View`] of either. It never stores
//! anything first, never changes by a query, never reaches out to a network, and is given public statements only.

mod answer;
mod dataset;
mod explain;
mod folder;
mod format;
mod guard;
mod kernel;
mod query;
mod reader;
mod rebuild;
mod service;
mod statistics;
mod storage;
mod store;
mod syntax;
pub mod worker;

pub use explain::SyntaxFault;
pub use format::{AnswerFormat, GraphSyntax};
pub use query::{Answered, Cancellation, Evaluator, Limits, Query, QueryDataset, QueryError, QueryForm, on_deep_stack};
pub use reader::{Reader, Version};
pub use rebuild::Rebuild;
pub use statistics::{PredicateStatistics, Statistics};
pub use storage::view::View;
pub use store::{Change, Store};

pub use oxigraph::model::{GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term, Triple};

/// Why the store could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the store could not be read or written.
    #[error("the graph's files: {0}")]
    File(#[from] std::io::Error),
    /// Another process writes this folder.
    #[error("another process writes the graph in {0}; stop it first")]
    InUse(String),
    /// The state that was asked for is no longer, or not yet, in the folder.
    #[error("the graph has moved on; ask its writer for the current version")]
    Gone,
    /// A name is not an IRI.
    #[error("`{0}` is not an IRI")]
    Iri(String),
    /// A document is not what it says it is.
    #[error("cannot read RDF: {0}")]
    Syntax(String),
}
