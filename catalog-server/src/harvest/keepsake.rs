//! What is kept of a run that goes on, so that it goes on where it was when its server ends.

use std::collections::{BTreeMap, HashMap, HashSet};

use catalog_records::{Hidden, Resumption};
use catalog_schemas::harvest::{RunFinding, RunView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::problem::Failure;

/// Records joined by one run, above which it is not taken up again: they would be written with every piece.
const JOINED: usize = 20_000;

/// What a run came to so far, beside its report and what is staged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct SoFar {
    pub(super) quarantined: Vec<RunFinding>,
    pub(super) remarks: Vec<RunFinding>,
    /// By scheme and word: how often it was met.
    pub(super) words: BTreeMap<String, BTreeMap<String, u64>>,
    pub(super) reviews: usize,
    /// Rows staged, new records and changes.
    pub(super) rows: u64,
    pub(super) fresh: u64,
    pub(super) changes: u64,
    /// What may hide a record of which not even the key is known.
    pub(super) unreadable: HashMap<String, Hidden>,
    /// Records that this run joins, so that two keys do not become one record.
    pub(super) joined: HashSet<i64>,
}

/// What is kept of a run, so that it goes on where it was when its server ends.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Keepsake {
    /// Stands for what the run was begun with.
    pub(super) stamp: String,
    /// Where in the source it goes on.
    pub(super) position: Value,
    /// Its report so far.
    pub(super) report: RunView,
    /// What else it came to so far.
    pub(super) so_far: SoFar,
}

impl Keepsake {
    /// Makes what is to be kept of a run to go on from a position; nothing when it has become too much.
    pub(super) fn of(
        stamp: &str,
        position: Value,
        report: &RunView,
        so_far: &SoFar,
    ) -> Result<Option<Resumption>, Failure> {
        if so_far.joined.len() > JOINED {
            return Ok(None);
        }
        let kept = Self { stamp: stamp.to_owned(), position, report: report.clone(), so_far: so_far.clone() };
        let state = serde_json::to_string(&kept).map_err(Failure::internal)?;
        Ok(Some(Resumption { rows: so_far.rows, state }))
    }
}
