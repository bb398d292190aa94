//! What can go wrong in the ledger.

use std::path::{Path, PathBuf};

use catalog_schemas::launch::LaunchState;

use crate::names::State;

/// Says what went wrong in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database file is damaged.
    #[error(
        "the ledger `{}` is damaged: {detail}; it was left as it is: stop the server, move it aside and run \
         `alidade restore` with the newest backup",
        path.display()
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The database file is gone while its blobs are still there.
    #[error(
        "the ledger `{}` is missing, yet packages lie beside it in `{}`; no empty ledger is made in its place: \
         run `alidade restore` with the newest backup, or move the folder aside to begin anew",
        path.display(), blobs.display()
    )]
    Missing {
        /// The database file.
        path: PathBuf,
        /// The folder of blobs that is there.
        blobs: PathBuf,
    },
    /// A newer release wrote this database.
    #[error(
        "the ledger has schema {found}, this release knows {known}: start the newer release, or restore a backup of this one"
    )]
    NewerSchema {
        /// The schema found.
        found: i64,
        /// The newest schema known.
        known: i64,
    },
    /// The disk is full.
    #[error("the disk that holds the ledger is full")]
    Full,
    /// Another process holds the database.
    #[error("another process holds the ledger's lock")]
    Busy,
    /// The disk, the memory or the file's rights failed the database.
    #[error("the ledger's storage failed: {0}")]
    Storage(String),
    /// The group of writes that this one was part of could not be committed.
    #[error("the write was not committed: {0}")]
    NotCommitted(String),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// The database refused or failed.
    #[error("the ledger's database failed")]
    Database(#[source] sqlx::Error),
    /// A file beside the database could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A stored value is not what the ledger writes.
    #[error("the ledger holds an invalid {column}: {detail}")]
    Invalid {
        /// The column or file.
        column: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A blob's bytes are not those of its digest.
    #[error("the blob {digest} is damaged: its bytes hash to {found}")]
    BlobCorrupt {
        /// The digest asked for.
        digest: String,
        /// The digest of the bytes found.
        found: String,
    },
    /// A blob that a row names is not there.
    #[error("the blob {0} is missing")]
    BlobMissing(String),
    /// A package does not have the digest that was declared.
    #[error("the package hashes to {found}, not to the declared {declared}")]
    DigestMismatch {
        /// The digest declared.
        declared: String,
        /// The digest of the bytes.
        found: String,
    },
    /// A record's kind may never change.
    #[error("`{identifier}` is a {stored} and cannot become a {given}")]
    KindChanged {
        /// The record.
        identifier: String,
        /// Its kind.
        stored: String,
        /// The kind given.
        given: String,
    },
    /// A run is driven by somebody else, or over.
    #[error("run {run} of `{of}` is driven by somebody else or over")]
    LeaseLost {
        /// The source.
        of: String,
        /// The run.
        run: u64,
    },
    /// The account may not do this.
    #[error("`{account}` may not {action} in the namespace `{namespace}`")]
    NotAllowed {
        /// The account.
        account: String,
        /// What it asked for.
        action: &'static str,
        /// The namespace.
        namespace: String,
    },
    /// The account may not do this, for a reason of its own.
    #[error("{0}")]
    Forbidden(String),
    /// What is there does not allow this.
    #[error("{0}")]
    Conflict(String),
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A version cannot go from its state to the one asked for.
    #[error("a version that is {} cannot become {}", from.as_str(), to.as_str())]
    Transition {
        /// Its state.
        from: State,
        /// The state asked for.
        to: State,
    },
    /// Somebody else changed the record in between.
    #[error("the record was changed in between: expected sequence {expected}, found {found}")]
    Changed {
        /// The sequence expected.
        expected: u64,
        /// The sequence found.
        found: u64,
    },
    /// A launch is not in the state that the change expects.
    #[error("the launch `{id}` is {}", found.as_str())]
    LaunchState {
        /// The launch.
        id: String,
        /// Its state.
        found: LaunchState,
    },
    /// The account has as many live launches as it may have.
    #[error("{running} launches are running and {allowed} are allowed")]
    QuotaExceeded {
        /// Live launches.
        running: u32,
        /// Launches allowed at once.
        allowed: u32,
    },
    /// The account holds as many GPUs as it may.
    #[error("{held} GPUs are held and {allowed} are allowed")]
    GpuQuotaExceeded {
        /// GPUs of live launches.
        held: u32,
        /// GPUs allowed at once.
        allowed: u32,
    },
    /// The offer expired, was taken, or was made to somebody else.
    #[error("the offer expired, was taken, or was made to somebody else")]
    OfferGone,
    /// The same idempotency key came with another request.
    #[error("the idempotency key `{0}` was used for another request")]
    IdempotencyMismatch(String),
    /// What was given cannot be stored.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// Makes the error of a file operation.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::File { action, path, source },
        }
    }

    /// Makes the error of something that is not there.
    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { what, name: name.into() }
    }

    /// Makes the same error again for another member of a group that failed as a whole.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Busy => Self::Busy,
            Self::Corrupt { path, detail } => Self::Corrupt { path: path.clone(), detail: detail.clone() },
            Self::Storage(detail) => Self::Storage(detail.clone()),
            Self::Closed => Self::Closed,
            Self::Database(error) => Self::NotCommitted(error.to_string()),
            other => Self::NotCommitted(other.to_string()),
        }
    }

    /// Says whether the database itself failed, so that nothing of its transaction can be trusted.
    pub(crate) fn is_fatal(&self) -> bool {
        use Error::*;
        matches!(self, Full | Busy | Closed | Storage(_) | Corrupt { .. } | NotCommitted(_))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // SQLite's extended codes carry the primary code in their low byte.
        let primary =
            error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i32>().ok()).map(|c| c & 0xff);
        match primary {
            Some(5 | 6) => Self::Busy,
            // Out of memory, read-only, interrupted, I/O error, cannot open: SQLite may have ended the transaction by
            // itself after any of them, so that what follows would be written outside of one.
            Some(7..=10 | 14) => Self::Storage(error.to_string()),
            Some(13) => Self::Full,
            Some(11 | 26) => Self::Corrupt { path: PathBuf::from("ledger.db"), detail: error.to_string() },
            _ if matches!(error, sqlx::Error::PoolTimedOut) => Self::Busy,
            _ if matches!(error, sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed) => Self::Closed,
            _ => Self::Database(error),
        }
    }
}
