//! What other communities read of a record: DCAT-AP, schema.org, DataCite, RO-Crate, citations, OAI-PMH, Signposting…
//!
//! Every function is pure: a [`Described`] record in, a document out, one file a format. A `Described` can only be made
//! of the public part of a record, so nothing that is private can be written here by mistake. It never reads the
//! ledger, never speaks HTTP and never holds more than one record.

pub mod citation;
pub mod codemeta;
pub mod datacite;
pub mod dcat;
mod described;
pub mod dublin_core;
pub mod fdp;
mod form;
pub mod hydra;
pub mod ldes;
mod names;
pub mod oai;
pub mod prof;
pub mod ro_crate;
pub mod schema_org;
pub mod signposting;
mod statements;
mod syntax;
pub mod tombstone;
pub mod trs;
pub mod vocabulary;
pub mod void;
pub mod vosi;
pub mod xml;

pub use described::{Agent, Described, Ledger, Package};
pub use form::{Form, Profile};
pub use statements::{Statements, namespace, term};
pub use syntax::{Syntax, WriteError};
