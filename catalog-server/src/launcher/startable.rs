//! What could start at this moment, whoever asks: the filter of the search, from the zones as they were last seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog_launch::plan;
use catalog_launch::planner::{Need, OFFER_LIFETIME, Question, Viewer};
use catalog_schemas::plan::PlanRequest;
use jiff::Timestamp;

use super::Launcher;
use crate::http::problem::Failure;
use crate::view::Candidate;

/// For how long an answer is given again: zones are looked at every few seconds.
const FRESH: Duration = Duration::from_secs(2);

/// The needs of the catalogue's datalabs and pipelines, and which of them could start a moment ago.
#[derive(Default)]
pub(super) struct Startable {
    needs: Mutex<Option<Needs>>,
    answer: Mutex<Option<Answer>>,
}

/// The sequence that was read, and what is needed by key.
type Needs = (u64, Arc<Vec<(String, Need)>>);

/// When it was found, at which sequence, and the keys of what can start.
type Answer = (Instant, u64, Arc<Vec<String>>);

impl Launcher {
    /// Returns the keys, `zone/identifier`, of what some datazone could start now. Quotas and who may launch it are the
    /// viewer's own matter and left out.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn can_start_now(&self) -> Result<Arc<Vec<String>>, Failure> {
        let seq = self.shared.ledger.last_seq();
        {
            let answer = self.shared.startable.answer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, known, keys)) = &*answer
                && *known == seq
                && at.elapsed() < FRESH
            {
                return Ok(Arc::clone(keys));
            }
        }
        let needs = self.needs(seq).await?;
        let (zones, volumes) = (self.shared.zones.snapshots(), self.shared.volumes.known(None).await?);
        let keys = tokio::task::spawn_blocking(move || {
            let (request, viewer) = (PlanRequest::default(), Viewer::default());
            let can_start = |need: &Need| {
                let question = Question {
                    need,
                    request: &request,
                    volumes: &volumes,
                    zones: &zones,
                    viewer: &viewer,
                    now: Timestamp::now(),
                    offer_lifetime: OFFER_LIFETIME,
                };
                // What needs a volume that has left the catalogue cannot start either.
                plan(&question, |_| String::new()).is_ok_and(|plan| !plan.offers.is_empty())
            };
            // Many records need the same, and each need is planned once.
            let mut planned: Vec<(&Need, bool)> = Vec::new();
            let mut keys = Vec::new();
            for (key, need) in needs.iter() {
                let known = planned.iter().find(|(other, _)| *other == need).map(|(_, can)| *can);
                let can = known.unwrap_or_else(|| {
                    let can = can_start(need);
                    planned.push((need, can));
                    can
                });
                if can {
                    keys.push(key.clone());
                }
            }
            Arc::new(keys)
        })
        .await?;
        let kept = (Instant::now(), seq, Arc::clone(&keys));
        *self.shared.startable.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(keys)
    }

    async fn needs(&self, seq: u64) -> Result<Arc<Vec<(String, Need)>>, Failure> {
        {
            let needs = self.shared.startable.needs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((known, needs)) = &*needs
                && *known == seq
            {
                return Ok(Arc::clone(needs));
            }
        }
        let mut stored = self.shared.ledger.by_kind("Datalab").await?;
        stored.extend(self.shared.ledger.by_kind("Pipeline").await?);
        let projection = self.shared.volumes.projection();
        let needs = tokio::task::spawn_blocking(move || {
            let need = |stored: &catalog_records::StoredRecord| {
                let key = format!("{}/{}", stored.zone, stored.identifier);
                let mut need = Candidate::of(&projection.record(stored)?, String::new(), projection.runners())?.need;
                need.allowed_groups.clear();
                need.allowed_accounts.clear();
                Some((key, need))
            };
            Arc::new(stored.iter().filter_map(need).collect::<Vec<_>>())
        })
        .await?;
        *self.shared.startable.needs.lock().unwrap_or_else(PoisonError::into_inner) = Some((seq, Arc::clone(&needs)));
        Ok(needs)
    }
}
