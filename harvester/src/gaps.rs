//! What a run could not read although it went on: with a gap it is not complete, and nothing is removed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::source::Trouble;

/// Requests in a row that fail in a way that may pass: the host is down, and asking on helps nobody (FAULTS R11).
const IN_A_ROW: u32 = 5;
/// Gaps of one run; a source with more is not worth reading on.
const MOST: u64 = 1000;

/// The gaps of a run.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    known: Mutex<Known>,
    paged: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    count: u64,
    first: Option<Trouble>,
    in_a_row: u32,
}

impl Gaps {
    /// Notes a gap.
    ///
    /// # Errors
    ///
    /// The trouble itself, when the run is to end: its limits are used up, the host asks to be left alone or answers
    /// nothing any more, or there are too many gaps.
    pub(crate) fn note(&self, trouble: Trouble) -> Result<(), Trouble> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.count += 1;
        known.in_a_row += u32::from(trouble.transient && trouble.code.starts_with("fetch."));
        let is_spent = matches!(trouble.code.as_str(), "limit.run" | "limit.pages" | "fetch.spool" | "source.stopped");
        if is_spent || trouble.retry_after.is_some() || known.in_a_row >= IN_A_ROW || known.count > MOST {
            return Err(trouble);
        }
        known.first.get_or_insert(trouble);
        Ok(())
    }

    /// Notes that the host answers.
    pub(crate) fn answered(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).in_a_row = 0;
    }

    /// Says what a run with these gaps came to; nothing when it has none.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let first = known.first.as_ref()?;
        let message = match known.count {
            1 => format!("a part of the source could not be read: {}", first.message),
            count => format!("{count} parts of the source could not be read, the first: {}", first.message),
        };
        // What was read is good and is applied; what it would take to read the rest may be there at the next run.
        Some(Trouble { message, transient: true, ..first.clone() })
    }

    /// Notes that records move from page to page, so that a place says nothing of what stood there before.
    pub(crate) fn set_paged(&self) {
        self.paged.store(true, Ordering::Relaxed);
    }

    /// Says whether records move from page to page.
    pub(crate) fn is_paged(&self) -> bool {
        self.paged.load(Ordering::Relaxed)
    }
}
