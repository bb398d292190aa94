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
use crate::view::Candidate;

/// How long a lab lives unless it is renewed.
const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// What was asked for, and the offer that answered it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// The request.
    pub request: PlanRequest,
    /// The offer.
    pub offer: Offer,
}

impl Launcher {
    /// Takes an offer that was made to an account; nothing when it expired or was taken.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn take_offer(&self, offer: &str, actor: &Actor) -> Result<Option<Asked>, Failure> {
        let stored = self.shared.ledger.offer_take(offer, &actor.account).await?;
        stored.map(|stored| serde_json::from_str(&stored.body).map_err(Failure::internal)).transpose()
    }

    /// Plans and chooses the best offer.
    ///
    /// # Errors
    ///
    /// 409 with every datazone's reasons when none can run it.
    pub async fn choose(&self, candidate: &Candidate, request: PlanRequest, actor: &Actor) -> Result<Asked, Failure> {
        let plan = self.plan(candidate, &request, Some(actor)).await?;
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

    /// Records the intent to launch, within the quota, once for a key; then drives it.
    ///
    /// # Errors
    ///
    /// Whatever the ledger refuses.
    pub async fn begin(
        &self,
        candidate: &Candidate,
        asked: Asked,
        actor: &Actor,
        idempotency: Option<IdempotencyKey>,
        request_id: String,
    ) -> Result<(StoredLaunch, bool), Failure> {
        let Asked { request, offer } = asked;
        let id = LaunchId::from_bytes(*uuid::Uuid::now_v7().as_bytes());
        let now = Timestamp::now();
        let name = request.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let name: String = name.unwrap_or(&candidate.short_name).chars().take(100).collect();
        let spec = spec(&id, &name, candidate, &offer, actor);
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
            expires: now.checked_add(LIFETIME).ok().map(|expires| expires.to_string()),
            hint: candidate.hint.clone(),
        };
        let new = NewLaunch {
            launch,
            spec: serde_json::to_string(&spec).map_err(Failure::internal)?,
            quota: self.shared.quota.sessions,
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

/// Builds the closed description that a backend is given.
fn spec(id: &LaunchId, name: &str, candidate: &Candidate, offer: &Offer, actor: &Actor) -> LaunchSpec {
    let owner_hash = hex::encode(&Sha256::digest(actor.account.as_str())[..8]);
    let runtime = &candidate.runtime;
    LaunchSpec {
        launch: id.clone(),
        name: name.to_owned(),
        datalab_name: candidate.name.clone(),
        owner_hash,
        image: candidate.need.image.clone(),
        interface_type: candidate.need.interface_type.clone(),
        cpu: MilliCpu::default(),
        memory_mib: 0,
        gpus: None,
        mounts: Vec::new(),
        port: runtime.port,
        entry_path: runtime.entry_path.clone(),
        readiness: Readiness { path: runtime.readiness_path.clone(), timeout_seconds: runtime.readiness_seconds },
        command: runtime.command.clone(),
        args: runtime.args.clone(),
        env: runtime.env.clone(),
    }
    .with_offer(offer)
}
