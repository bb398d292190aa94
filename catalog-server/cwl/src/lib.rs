//! Reads workflows in the Common Workflow Language out of a package, and draws them.
//!
//! Everything that is wrong is said at once, with file, line and field. References lead to files of the same package and
//! nowhere else; sizes, depths and counts are bounded before anything is built. Nothing is run, fetched or evaluated here:
//! an expression is only recognised as one.

mod check;
mod draw;
mod facts;
mod files;
mod tree;
mod types;

pub use draw::svg;
pub use facts::{Facts, Needs, Parameter, Step};
pub use files::Files;

/// Something that is wrong with a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A stable code such as `cwl.field_missing`.
    pub code: &'static str,
    /// Whether the workflow can still be used.
    pub is_warning: bool,
    /// The file in the package.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// Where in the document, as a JSON pointer.
    pub field: String,
    /// What is wrong, in words.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// What a workflow document says, and everything that is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What it says; absent when it cannot be read at all.
    pub facts: Option<Facts>,
    /// What is wrong, in the order of the document.
    pub faults: Vec<Fault>,
}

impl Reading {
    /// Says whether it is valid CWL, as far as can be seen without running it.
    pub fn is_valid(&self) -> bool {
        self.facts.is_some() && self.faults.iter().all(|fault| fault.is_warning)
    }
}

/// Reads the workflow of a package.
pub fn read(entry: &str, package: &dyn Files) -> Reading {
    let mut reader = files::Reader::new(package);
    let facts = check::document(&mut reader, entry);
    let mut faults = reader.faults;
    faults.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
    faults.dedup();
    Reading { facts, faults }
}
