//! What a valid record is: the term table, the SKOS schemes, and the way from a manifest to validated quads.
//!
//! Everything that knows a term knows it from `terms.ttl`; shapes, JSON Schema, JSON-LD context and documentation are
//! generated from it. A manifest is read here, all its faults are found here, and only here is a valid record made.
//! It never opens a connection, never reads a file at run time and never stores anything.

pub mod form;
pub mod generate;
pub mod manifest;
pub mod record;
pub mod scheme;
pub mod signature;
pub mod terms;
