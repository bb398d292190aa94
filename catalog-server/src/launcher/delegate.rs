//! Launches across servers: what another server says about a plan, and what another server's users run here.

use catalog_launch::remote::Delegated;
use catalog_launch::{BackendKind, planner};
use catalog_records::{Actor, IdempotencyKey, StoredLaunch};
use catalog_schemas::launch::Launch;
use catalog_schemas::plan::{
    CpuRange, GpuRequest, Plan, PlanAnswer, PlanRequest, Range, Reason, Refusal, Resources, VolumeRequest,
};
use catalog_schemas::problem::Finding;
use catalog_schemas::record::VolumeNeed;
use jiff::{SignedDuration, Timestamp};

use super::intent::{new_id, spec};
use super::{Asked, Launcher};
use crate::http::problem::Failure;
use crate::view::{Candidate, Runtime};

impl Launcher {
    /// Asks the servers of remote datazones that look good from here whether they would run it for this user; what they
    /// refuse is refused here, with their reasons.
    pub(super) async fn ask_remote(
        &self,
        candidate: &Candidate,
        request: &PlanRequest,
        mut plan: Plan,
        actor: Option<&Actor>,
    ) -> Plan {
        let Some(actor) = actor else { return plan };
        let asked = plan.offers.iter().filter_map(|offer| {
            let backend = self.shared.zones.backend(&offer.datazone)?;
            (backend.kind() == BackendKind::Remote).then_some(async move {
                let name = request.name.as_deref().unwrap_or(&candidate.short_name);
                let wanted = spec(&new_id(), name, candidate, offer, actor);
                let reasons = backend.refusals(&wanted).await.unwrap_or_else(|error| {
                    vec![Reason { code: "zone.down".to_owned(), message: format!("does not answer: {}", error.cause) }]
                });
                (offer.datazone.clone(), reasons)
            })
        });
        let said: Vec<(String, Vec<Reason>)> = futures::future::join_all(asked).await;
        for (datazone, reasons) in said {
            if reasons.is_empty() {
                let offer = plan.offers.iter_mut().find(|offer| offer.datazone == datazone);
                let words = "it runs at another server, which is told your account's name";
                offer.into_iter().for_each(|offer| offer.explanation.push(words.to_owned()));
            } else {
                plan.offers.retain(|offer| offer.datazone != datazone);
                plan.refusals.push(Refusal { datazone, reasons });
            }
        }
        plan.refusals.sort_by(|one, other| one.datazone.cmp(&other.datazone));
        plan.answer = if plan.offers.is_empty() { PlanAnswer::No } else { PlanAnswer::Yes };
        plan
    }

    /// Plans what another server's user wants to run here. Zones of yet other servers are left out: a launch is handed on
    /// once, never around.
    ///
    /// # Errors
    ///
    /// 422 when what is asked for could be put to no zone.
    pub async fn plan_delegated(&self, delegated: &Delegated, actor: &Actor) -> Result<Plan, Failure> {
        delegated.spec.check().map_err(refused_spec)?;
        let (candidate, request) = (candidate_of(delegated), request_of(delegated));
        let is_ours = |zone: &str| self.shared.zones.backend(zone).is_some_and(|it| it.kind() != BackendKind::Remote);
        if !is_ours(&delegated.datazone) {
            return Err(Failure::not_found("datazone", &delegated.datazone));
        }
        let mut plan = self.plan_only(&candidate, &request, Some(actor)).await?;
        plan.offers.retain(|offer| is_ours(&offer.datazone));
        Ok(plan)
    }

    /// Records what another server's user launches here, under the id that it has there.
    ///
    /// # Errors
    ///
    /// 409 with the reasons when the datazone does not run it.
    pub async fn begin_delegated(
        &self,
        delegated: &Delegated,
        actor: &Actor,
        request_id: String,
    ) -> Result<(StoredLaunch, bool), Failure> {
        let plan = self.plan_delegated(delegated, actor).await?;
        let offer = plan.offers.into_iter().find(|offer| offer.datazone == delegated.datazone).ok_or_else(|| {
            let reasons = plan.refusals.iter().filter(|refusal| refusal.datazone == delegated.datazone);
            let reasons: Vec<&str> =
                reasons.flat_map(|refusal| refusal.reasons.iter().map(|reason| reason.message.as_str())).collect();
            Failure::new(http::StatusCode::CONFLICT, "plan.no", "the datazone does not run it", reasons.join("; "))
        })?;
        let asked = Asked { request: request_of(delegated), offer };
        // The id is its key: whoever sends it again, at once or later, gets the same launch.
        let key = IdempotencyKey { key: delegated.spec.launch.to_string(), request: "delegated".to_owned() };
        let id = delegated.spec.launch.clone();
        let candidate = candidate_of(delegated);
        self.begin_as(id, &candidate, asked, false, actor, Some(key), request_id).await
    }

    /// Lets a delegated launch live as long as its own server asks after it: that server decides when it ends, and one
    /// that is gone for good leaves nothing running for ever.
    pub async fn keep_alive(&self, stored: &StoredLaunch) {
        let lifetime = SignedDuration::from_hours(self.shared.lifetimes.lifetime_hours.into());
        let now = Timestamp::now();
        let is_due = stored.expires.is_some_and(|expires| now + lifetime / 2 > expires);
        if !is_due || stored.launch.state.is_final() {
            return;
        }
        let expires = (now + lifetime).to_string();
        let renewed = move |launch: &mut Launch| {
            launch.expires = Some(expires);
            !launch.state.is_final()
        };
        if let Err(error) = self.shared.ledger.launch_patch(&stored.launch.id, renewed, None, None).await {
            tracing::debug!(launch = stored.launch.id, %error, "a delegated launch was not renewed");
        }
    }
}

fn refused_spec(error: catalog_launch::BackendError) -> Failure {
    Failure::unprocessable(Finding::error("spec.refused", error.cause).pointer("/spec"))
}

/// What was planned there is what is asked for here.
fn request_of(delegated: &Delegated) -> PlanRequest {
    let spec = &delegated.spec;
    PlanRequest {
        datalab: delegated.datalab.clone(),
        version: Some(delegated.version.clone()),
        name: Some(spec.name.clone()),
        datazone: Some(delegated.datazone.clone()),
        resources: Resources::default(),
        volumes: spec
            .mounts
            .iter()
            .map(|mount| VolumeRequest {
                volume: mount.volume.clone(),
                mount_path: Some(mount.mount_path.clone()),
                mode: Some(mount.mode.clone()),
            })
            .collect(),
        datasets: spec.datasets.clone(),
        personal_space: Some(false),
        ..PlanRequest::default()
    }
}

fn candidate_of(delegated: &Delegated) -> Candidate {
    let spec = &delegated.spec;
    Candidate {
        iri: delegated.datalab.clone(),
        name: spec.datalab_name.clone(),
        short_name: spec.name.clone(),
        version: delegated.version.clone(),
        need: planner::Need {
            resources: Resources {
                cpu: Some(CpuRange { min: spec.cpu, max: None }),
                memory_mib: Some(Range { min: spec.memory_mib, max: None }),
                gpu: spec.gpus.as_ref().map(|gpus| GpuRequest {
                    count: gpus.count,
                    models: vec![gpus.model.clone()],
                    ..GpuRequest::default()
                }),
            },
            interface_type: spec.interface_type.clone(),
            architectures: Vec::new(),
            image: spec.image.clone(),
            volumes: Vec::<VolumeNeed>::new(),
            // What is mounted was decided by the server that asks, and is named.
            personal_space: Some(false),
            team_space: false,
            keeps_results: false,
            allowed_groups: Vec::new(),
            allowed_accounts: Vec::new(),
        },
        runtime: Runtime {
            port: spec.port,
            entry_path: spec.entry_path.clone(),
            readiness_path: spec.readiness.path.clone(),
            readiness_seconds: spec.readiness.timeout_seconds,
            command: spec.command.clone(),
            args: spec.args.clone(),
            env: spec.env.clone(),
        },
        hint: None,
        files: spec.files.clone(),
    }
}
