//! What is at a backend and belongs to no launch.

use std::collections::{BTreeMap, BTreeSet};

use catalog_schemas::id::LaunchId;
use jiff::{SignedDuration, Timestamp};

use crate::backend::Listed;

/// Returns what is listed and belongs to no launch, once that has been so for the time of quarantine.
///
/// `first_seen` is the caller's memory between calls. A restored database or a second server with the same label must
/// not cost anybody their work, so nothing is removed at first sight.
pub fn orphans(
    listed: &[Listed],
    known: &BTreeSet<LaunchId>,
    first_seen: &mut BTreeMap<LaunchId, Timestamp>,
    now: Timestamp,
    quarantine: SignedDuration,
) -> Vec<LaunchId> {
    let strangers: BTreeSet<&LaunchId> =
        listed.iter().map(|listed| &listed.launch).filter(|launch| !known.contains(*launch)).collect();
    first_seen.retain(|launch, _| strangers.contains(launch));
    strangers
        .into_iter()
        .filter(|launch| now.duration_since(*first_seen.entry((*launch).clone()).or_insert(now)) >= quarantine)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_removed_after_its_quarantine_and_a_child_of_ours_never() {
        let ids: Vec<LaunchId> = (0..3).map(|byte| LaunchId::from_bytes([byte; 16])).collect();
        let listed: Vec<Listed> = ids.iter().map(|id| Listed { launch: id.clone(), running: true }).collect();
        let mut known = BTreeSet::from([ids[0].clone()]);
        let mut first_seen = BTreeMap::new();
        let quarantine = SignedDuration::from_mins(10);
        let mut at = |time: &str, known: &BTreeSet<LaunchId>, listed: &[Listed]| {
            orphans(listed, known, &mut first_seen, time.parse().unwrap(), quarantine)
        };
        assert_eq!(at("2026-11-22T12:00:00Z", &known, &listed), []);
        assert_eq!(at("2026-11-22T12:09:59Z", &known, &listed), []);
        // A row that comes back, as from a backup, ends the quarantine.
        known.insert(ids[1].clone());
        assert_eq!(at("2026-11-22T12:10:00Z", &known, &listed), [ids[2].clone()]);
        known.remove(&ids[1]);
        assert_eq!(at("2026-11-22T12:11:00Z", &known, &listed[..2]), []);
    }
}
