//! What fetching may cost.

use std::time::Duration;

/// What one request and one run may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one page, unpacked, that is held in memory.
    pub page: u64,
    /// The most bytes of one page, unpacked, that is written to a temporary file.
    pub file: u64,
    /// The most bytes of all pages of a run, unpacked.
    pub run: u64,
    /// How many times larger a packed page may become; small pages are not measured.
    pub ratio: u64,
    /// The most redirects of one request.
    pub redirects: usize,
    /// How long connecting may take.
    pub connect: Duration,
    /// How long the head of an answer may take.
    pub head: Duration,
    /// How long the body may say nothing.
    pub idle: Duration,
    /// How long one answer may take altogether.
    pub total: Duration,
    /// How often a request is tried again after a trouble that may pass.
    pub retries: u32,
    /// How long the first wait between tries is; each further one doubles.
    pub backoff: Duration,
    /// The longest wait that a run sits out; longer ones end it, with the time to come back.
    pub patience: Duration,
    /// The least time between the starts of two requests to one host.
    pub pause: Duration,
    /// How many requests one host serves at a time.
    pub together: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page: 64 << 20,
            file: 2 << 30,
            run: 2 << 30,
            ratio: 200,
            redirects: 3,
            connect: Duration::from_secs(5),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            total: Duration::from_secs(600),
            retries: 3,
            backoff: Duration::from_secs(1),
            patience: Duration::from_secs(120),
            pause: Duration::ZERO,
            together: 4,
        }
    }
}

/// The longest time that a host may ask to wait: what says more is taken for this.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Pages below this many bytes are small however they were packed.
pub(crate) const RATIO_FROM: u64 = 1 << 20;
