//! What can go wrong with an index.

use std::path::{Path, PathBuf};

use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenReadError};

/// Says why an index cannot be opened, written or searched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no index at this place.
    #[error("there is no search index in {}", .0.display())]
    Missing(PathBuf),
    /// Files are missing, cut short or altered; the index has to be built again.
    #[error("the search index in {} is damaged: {what}", .place.display())]
    Corrupt {
        /// The folder of the index.
        place: PathBuf,
        /// What was found.
        what: String,
    },
    /// The index was written for other fields or by other text analysis; it has to be built again.
    #[error("the search index in {} has another schema: {what}", .place.display())]
    OtherSchema {
        /// The folder of the index.
        place: PathBuf,
        /// What differs.
        what: String,
    },
    /// Another process writes this index.
    #[error("the search index in {} is being written by another process", .0.display())]
    Locked(PathBuf),
    /// A file or folder could not be read or written.
    #[error("{}: {source}", .place.display())]
    Io {
        /// The file or folder.
        place: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine failed in a way that says nothing about the files, such as a full disk or a thread that died.
    #[error("search engine in {}: {source}", .place.display())]
    Engine {
        /// The folder of the index.
        place: PathBuf,
        /// What the engine said.
        source: TantivyError,
    },
    /// No new generation was started.
    #[error("no new generation of the search index was started in {}", .0.display())]
    NotStarted(PathBuf),
}

impl Error {
    /// Says whether building the index again is the answer to this error.
    pub fn needs_rebuild(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Corrupt { .. } | Self::OtherSchema { .. })
    }

    /// Sorts an error of the engine by what the caller can do about it.
    pub(crate) fn from_engine(place: &Path, source: TantivyError) -> Self {
        let place = place.to_owned();
        match source {
            TantivyError::DataCorruption(damage) => Self::Corrupt { place, what: format!("{damage:?}") },
            TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(file)) => {
                Self::Corrupt { place, what: format!("{} is missing", file.display()) }
            }
            TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(what))
            | TantivyError::IncompatibleIndex(what) => Self::OtherSchema { place, what: format!("{what:?}") },
            TantivyError::SchemaError(what) | TantivyError::FieldNotFound(what) => Self::OtherSchema { place, what },
            TantivyError::LockFailure(LockError::LockBusy, _) => Self::Locked(place),
            // A file that ends too early shows as an input error of the kind below, never as a plain end of reading.
            TantivyError::IoError(source)
                if matches!(source.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
            {
                Self::Corrupt { place, what: source.to_string() }
            }
            TantivyError::OpenReadError(OpenReadError::IoError { io_error, filepath })
                if matches!(io_error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
            {
                Self::Corrupt { place, what: format!("{}: {io_error}", filepath.display()) }
            }
            // Somebody removed the folder: whatever the engine says of it, the answer is a new one.
            _ if !place.exists() => Self::Missing(place),
            source => Self::Engine { place, source },
        }
    }
}
