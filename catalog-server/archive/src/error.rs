//! What goes wrong besides the archive's own faults.

use std::path::PathBuf;

use catalog_schemas::problem::Finding;

/// Why a package cannot be packed, or a file of it cannot be read again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder to be packed cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The package would be refused; the findings say why.
    #[error("the package would be refused: {}", summary(.0))]
    Refused(Vec<Finding>),
    /// The archive is not the one that was opened.
    #[error("the archive given is not the one that was opened: {path} differs")]
    Changed {
        /// The entry that differs.
        path: String,
    },
}

fn summary(findings: &[Finding]) -> String {
    match findings {
        [] => "no reason given".to_owned(),
        [one] => one.message.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
    }
}
