//! Brings records from elsewhere: reads a source, brings what it says to our terms, and sets aside what is no record.
//!
//! A [`Source`] is one catalogue elsewhere; [`open`] makes one from its [`Settings`]. It hands on [`Item`]s one by one,
//! in memory that does not grow with the source. It never writes to the ledger, never deletes, and never stops at a bad
//! record: what is quarantined is reported with its place, and the rest goes on. The server validates everything again.

mod bound;
mod compact;
mod dcat;
mod files;
mod fix;
mod gaps;
mod geometry;
mod glob;
mod graph;
mod identifier;
mod item;
#[cfg(test)]
mod json_ld_suite;
pub mod lines;
mod mapper;
mod mapping;
mod oai;
mod paging;
mod part;
mod rdf;
mod run;
mod settings;
mod source;
mod sparql;
mod stac;
mod tree;
mod values;

use catalog_ontology::manifest::ValidRecord;
use catalog_schemas::problem::Report;

pub use fix::fix;
pub use identifier::identifier;
pub use item::{Alias, Fault, Gone, Harvested, Item, Place, Progress, Scheme, Unmatched};
pub use mapping::{Mapping, Mappings, TREE};
pub use settings::{Settings, SourceKind};
pub use source::{Coverage, Cursor, Outcome, Sink, Source, Stopped, Trouble};

/// Makes a source of what an operator says about it. `alidade` is not made here: the server makes it of its own feed.
///
/// # Errors
///
/// [`Error::Settings`] when something is missing, unknown or does not fit the kind.
pub fn open(settings: Settings, mappings: &Mappings) -> Result<Box<dyn Source>, Error> {
    let source: Box<dyn Source> = match settings.kind {
        SourceKind::Files => Box::new(files::Files::open(settings, mappings)?),
        SourceKind::Dcat => Box::new(dcat::Dcat::open(settings, mappings)?),
        SourceKind::Stac => Box::new(stac::Stac::open(settings, mappings)?),
        SourceKind::OaiPmh => Box::new(oai::Oai::open(settings, mappings)?),
        SourceKind::Sparql => Box::new(sparql::Sparql::open(settings, mappings)?),
        SourceKind::Alidade => return Err(Error::Settings("kind: the server itself reads other zones".to_owned())),
    };
    Ok(Box::new(bound::Bound { source, digest: mappings.digest() }))
}

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

/// Why a source cannot be made or read on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the operator says about a source cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A file of a mapping is wrong.
    #[error("mapping {0}")]
    Mapping(String),
    /// The source could not be read.
    #[error("line {line} cannot be read")]
    Read {
        /// The line, from 1.
        line: u64,
        /// Why not.
        source: std::io::Error,
    },
}
