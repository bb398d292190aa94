//! The words everybody shares: the types that cross a boundary of Alidade, as serde sees them.
//!
//! Server, portal, command line, harvester and clients speak of searches, records, packages, plans, launches and
//! problems with the types of this crate, so the same word has one shape everywhere. It builds for the browser.
//! It never reads a file, never opens a connection and knows no rule of validation: rules are `catalog-ontology`'s.

pub mod account;
pub mod datazone;
pub mod governance;
pub mod group;
pub mod harvest;
pub mod id;
pub mod launch;
pub mod meaning;
pub mod package;
pub mod patch;
pub mod people;
pub mod plan;
pub mod problem;
pub mod record;
pub mod search;
pub mod variable;
pub mod volume;
pub mod xml;

/// The namespace of the terms that are ours.
pub const ESADO: &str = "https://w3id.org/esado#";

/// The JSON-LD context that a manifest names.
pub const CONTEXT: &str = "https://w3id.org/esado/context/v1";
