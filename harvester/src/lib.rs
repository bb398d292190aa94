//! Brings records from elsewhere: reads a source, validates what it says, and sets aside what is not valid.
//!
//! Its first source is a file with one manifest a line ([`lines`]); further kinds of source come with federation, a module
//! each. It validates with the rules of `catalog-ontology` and no others. It never writes to the ledger, never deletes,
//! and never stops at a bad record: what is quarantined is reported with its place, and the rest goes on.

pub mod lines;

use catalog_ontology::manifest::ValidRecord;
use catalog_schemas::problem::Report;

/// A part of what a source says, in its order.
#[derive(Debug, Default)]
pub struct Batch {
    /// Valid records.
    pub records: Vec<ValidRecord>,
    /// What is not a valid record.
    pub quarantined: Vec<Quarantined>,
    /// Bytes of the source that this part took.
    pub bytes: u64,
}

/// Something that a source says and that is not a valid record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The line of the source, from 1.
    pub line: u64,
    /// Every fault of it.
    pub report: Report,
}

/// Why a source cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source could not be read.
    #[error("line {line} cannot be read")]
    Read {
        /// The line, from 1.
        line: u64,
        /// Why not.
        source: std::io::Error,
    },
}
