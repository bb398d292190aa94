//! How many records there are and who gives them: counted once a sequence, and not all the time while records come in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog_records::Ledger;
use jiff::Timestamp;

use crate::http::problem::Failure;

/// What was counted is good for this many times the time that counting took.
const REST: u32 = 10;

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Records that everybody may see.
    pub records: u64,
    /// When the first and the last change happened that everybody knows.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Records by their source; one that several describe counts for each.
    pub sources: Vec<(String, u64)>,
}

impl Counts {
    /// Returns when the last record changed, RFC 3339.
    pub fn modified(&self) -> Option<String> {
        self.span.map(|(_, last)| last.to_string())
    }

    /// Returns the name and the number of a source's records, when it gives any.
    pub fn source(&self, name: &str) -> Option<&(String, u64)> {
        self.sources.iter().find(|(known, _)| known == name)
    }
}

/// Keeps what was counted last.
#[derive(Debug, Default)]
pub struct Census {
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    seq: u64,
    took: Duration,
    at: Instant,
    counts: Arc<Counts>,
}

impl Census {
    /// Returns the counts, at most a moment old.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn counts(&self, ledger: &Ledger) -> Result<Arc<Counts>, Failure> {
        let seq = ledger.last_seq();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| kept.seq == seq || kept.at.elapsed() < kept.took * REST) {
            return Ok(kept.counts);
        }
        let started = Instant::now();
        let (span, mut sources) = (ledger.known_span().await?, ledger.sources().await?);
        // Every record was brought by one source, and both numbers must be of the same records.
        let records = sources.iter().map(|(_, count)| count).sum();
        for (source, count) in ledger.second_sources().await? {
            match sources.iter_mut().find(|(known, _)| *known == source) {
                Some((_, known)) => *known += count,
                None => sources.push((source, count)),
            }
        }
        sources.sort();
        let counts = Arc::new(Counts { records, span, sources });
        let kept = Kept { seq, took: started.elapsed(), at: Instant::now(), counts: Arc::clone(&counts) };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(counts)
    }
}
