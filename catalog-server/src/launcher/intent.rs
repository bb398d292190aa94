//! From a request to an intent in the ledger.

use catalog_launch::{LaunchSpec, Readiness};
use catalog_records::{Actor, IdempotencyKey, LaunchCreated, NewLaunch, StoredLaunch};
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::{Launch, LaunchState};
use catalog_schemas::plan::{MilliCpu, Offer, PlanAnswer, PlanRequest};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Launcher, drive};
use crate::http::problem::Failure;
use crate::pipeline::{put_outputs, results_folder};
use crate::view::Candidate;

/// What was asked for, and the offer that answered it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// The request.
    pub request: PlanRequest,
    /// The offer.
    pub offer: Offer,
}

impl Launcher {
    /// Finds an offer that was made to an account and still holds; the launch made from it takes it.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn find_offer(&self, offer: &str, actor: &Actor) -> Result<Option<Asked>, Failure> {
        let stored = self.shared.ledger.offer(offer, &actor.account).await?;
        stored.map(|stored| serde_json::from_str(&stored.body).map_err(Failure::internal)).transpose()
    }

    /// Returns what an earlier launch was asked for.
    ///
    /// # Errors
    ///
    /// 409 for a launch of a release that did not keep it.
    pub fn asked_before(&self, stored: &StoredLaunch) -> Result<Asked, Failure> {
        let asked = stored.asked.as_deref().ok_or_else(|| {
            let detail = "an older release recorded this launch without its plan; launch the datalab instead";
            Failure::new(StatusCode::CONFLICT, "launch.not_repeatable", "it cannot be launched again", detail)
        })?;
        serde_json::from_str(asked).map_err(Failure::internal)
    }

    /// Plans and chooses the best offer.
    ///
    /// # Errors
    ///
    /// 409 with every datazone's reasons when none can run it.
    pub async fn choose(&self, candidate: &Candidate, request: PlanRequest, actor: &Actor) -> Result<Asked, Failure> {
        // The offers of this plan are not kept: the best is taken at once, in the transaction that records the launch.
        let plan = self.plan_only(candidate, &request, Some(actor)).await?;
        match (plan.answer, plan.offers.into_iter().next()) {
            (PlanAnswer::Yes, Some(offer)) => Ok(Asked { request, offer }),
            _ => {
                let reasons: Vec<String> = plan
                    .refusals
                    .iter()
                    .flat_map(|refusal| {
                        refusal.reasons.iter().map(move |reason| format!("{}: {}", refusal.datazone, reason.message))
                    })
                    .collect();
                let quota = plan
                    .refusals
                    .iter()
                    .all(|refusal| refusal.reasons.iter().any(|reason| reason.code == "quota.sessions"));
                let code = if quota { "quota.sessions" } else { "plan.no" };
                Err(Failure::new(StatusCode::CONFLICT, code, "no datazone can run it", reasons.join("; ")))
            }
        }
    }

    /// Records the intent to launch, within the quota, once for a key; then drives it. An offer that is held is taken in
    /// the same transaction.
    ///
    /// # Errors
    ///
    /// Whatever the ledger refuses.
    pub async fn begin(
        &self,
        candidate: &Candidate,
        asked: Asked,
        is_held: bool,
        actor: &Actor,
        idempotency: Option<IdempotencyKey>,
        request_id: String,
    ) -> Result<(StoredLaunch, bool), Failure> {
        self.begin_as(new_id(), candidate, asked, is_held, actor, idempotency, request_id).await
    }

    /// The same, for an id that somebody else chose.
    #[expect(clippy::too_many_arguments, reason = "each says another thing, and both callers know all of them")]
    pub(super) async fn begin_as(
        &self,
        id: LaunchId,
        candidate: &Candidate,
        asked: Asked,
        is_held: bool,
        actor: &Actor,
        idempotency: Option<IdempotencyKey>,
        request_id: String,
    ) -> Result<(StoredLaunch, bool), Failure> {
        let kept = serde_json::to_string(&asked).map_err(Failure::internal)?;
        let Asked { request, offer } = asked;
        let now = Timestamp::now();
        let name = request.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let name: String = name.unwrap_or(&candidate.short_name).to_owned();
        let mut spec = spec(&id, &name, candidate, &offer, actor);
        spec.files.clone_from(&candidate.files);
        spec.datasets.clone_from(&request.datasets);
        let lifetimes = self.shared.lifetimes;
        let lifetime = SignedDuration::from_hours(lifetimes.lifetime_hours.into());
        let quota = self.quota(&offer.datazone);
        let taken = is_held.then(|| offer.id.clone());
        let launch = Launch {
            id: id.to_string(),
            name,
            owner: actor.account.to_string(),
            datalab: candidate.iri.clone(),
            datalab_name: candidate.name.clone(),
            version: candidate.version.clone(),
            demo: self.shared.zones.is_demo(&offer.datazone),
            datazone: offer.datazone,
            interface_type: spec.interface_type.clone(),
            digest: spec.image.as_ref().and_then(|image| image.pinned().map(str::to_owned)),
            state: LaunchState::Requested,
            stage: None,
            failure: None,
            requested: offer.offered,
            granted: None,
            mounts: offer.mounts,
            access_url: None,
            open_when_ready: request.open_when_ready,
            remove_when_finished: request.remove_when_finished,
            created: now.to_string(),
            ready: None,
            ended: None,
            expires: now.checked_add(lifetime).ok().map(|expires| expires.to_string()),
            last_used: None,
            idle_minutes: Some(lifetimes.idle_minutes).filter(|minutes| *minutes > 0 && spec.has_interface()),
            hint: candidate.hint.clone(),
            results: candidate.need.keeps_results.then(|| results_folder(id.as_str())),
        };
        let new = NewLaunch {
            launch,
            spec: serde_json::to_string(&spec).map_err(Failure::internal)?,
            asked: Some(kept),
            offer: taken,
            quota,
            idempotency,
            actor: actor.clone(),
            request: request_id,
        };
        let (stored, is_new) = match self.shared.ledger.launch_create(new).await? {
            LaunchCreated::New(stored) => (stored, true),
            LaunchCreated::Existing(stored) => (stored, false),
        };
        drive::wake(self, &stored.launch.id);
        Ok((stored, is_new))
    }
}

/// Returns an id that nothing has.
pub(super) fn new_id() -> LaunchId {
    LaunchId::from_bytes(*uuid::Uuid::now_v7().as_bytes())
}

/// Builds the closed description that a backend is given.
pub(super) fn spec(id: &LaunchId, name: &str, candidate: &Candidate, offer: &Offer, actor: &Actor) -> LaunchSpec {
    let owner_hash = hex::encode(&Sha256::digest(actor.account.as_str())[..8]);
    let mut runtime = candidate.runtime.clone();
    for words in [&mut runtime.command, &mut runtime.args] {
        put_outputs(words, &offer.mounts, id.as_str());
    }
    LaunchSpec {
        launch: id.clone(),
        name: name.to_owned(),
        datalab_name: candidate.name.clone(),
        datalab: candidate.iri.clone(),
        version: candidate.version.clone(),
        on_behalf_of: Some(actor.account.to_string()),
        datasets: Vec::new(),
        owner_hash,
        image: candidate.need.image.clone(),
        interface_type: candidate.need.interface_type.clone(),
        cpu: MilliCpu::default(),
        memory_mib: 0,
        gpus: None,
        mounts: Vec::new(),
        port: runtime.port,
        entry_path: runtime.entry_path,
        readiness: Readiness { path: runtime.readiness_path, timeout_seconds: runtime.readiness_seconds },
        command: runtime.command,
        args: runtime.args,
        env: runtime.env,
        files: Vec::new(),
    }
    .with_offer(offer)
}
