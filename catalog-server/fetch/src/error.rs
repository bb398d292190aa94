//! What can go wrong on the way.

use std::time::Duration;

/// Why a page did not come. Nothing of it was handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address may not be asked.
    #[error("`{url}` is not fetched: {reason}")]
    Policy {
        /// The address.
        url: String,
        /// The rule that it breaks.
        reason: String,
    },
    /// Something took too long.
    #[error("`{url}` took too long: {stage}")]
    Timeout {
        /// The address.
        url: String,
        /// What was waited for.
        stage: &'static str,
    },
    /// No connection, or it broke before an answer.
    #[error("`{url}` could not be reached: {reason}")]
    Connect {
        /// The address.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The answer is an error.
    #[error("`{url}` answered {status}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// How long the host asks to wait, at most an hour.
        retry_after: Option<Duration>,
    },
    /// The page ended before its end.
    #[error("`{url}` was cut off: {reason}")]
    Cut {
        /// The address.
        url: String,
        /// How that is known.
        reason: String,
    },
    /// The page is larger than allowed.
    #[error("`{url}` is larger than {limit} bytes")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// The page becomes too large when it is unpacked, compared with what was sent.
    #[error("`{url}` is packed more than {ratio} times")]
    Ratio {
        /// The address.
        url: String,
        /// The limit.
        ratio: u64,
    },
    /// The run has fetched all that it may.
    #[error("the run has read {limit} bytes, which is all that it may")]
    Budget {
        /// The limit.
        limit: u64,
    },
    /// There were too many redirects.
    #[error("`{url}` leads on more than {most} times")]
    Redirects {
        /// The first address.
        url: String,
        /// The limit.
        most: usize,
    },
    /// A redirect leads nowhere.
    #[error("`{url}` answered {status} without a place to go to")]
    Nowhere {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The page is packed in a way that is not known here.
    #[error("`{url}` is packed as `{encoding}`, which was not asked for")]
    Encoding {
        /// The address.
        url: String,
        /// What the answer names.
        encoding: String,
    },
    /// A temporary file could not be written.
    #[error("a temporary file could not be written: {0}")]
    Spool(String),
    /// The client could not be made.
    #[error("no HTTP client could be made: {0}")]
    Client(String),
}

impl Error {
    /// Returns the stable code, such as `fetch.policy`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Policy { .. } => "fetch.policy",
            Self::Timeout { .. } => "fetch.timeout",
            Self::Connect { .. } => "fetch.connect",
            Self::Status { .. } => "fetch.status",
            Self::Cut { .. } => "page.cut",
            Self::TooLarge { .. } => "limit.bytes",
            Self::Ratio { .. } => "limit.ratio",
            Self::Budget { .. } => "limit.run",
            Self::Redirects { .. } | Self::Nowhere { .. } => "fetch.redirect",
            Self::Encoding { .. } => "fetch.encoding",
            Self::Spool(_) => "fetch.spool",
            Self::Client(_) => "fetch.client",
        }
    }

    /// Says whether the same request may work later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Connect { .. } | Self::Cut { .. } | Self::Spool(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Returns how long the host asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns the HTTP status, when the host gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}
