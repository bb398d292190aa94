//! Datazones and launches: keeps sight of every zone, plans, records intents and drives them to what the ledger says.

mod capacity;
mod delegate;
mod drive;
mod intent;
mod life;
mod spaces;
mod startable;
mod zones;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog_launch::planner::{Question, Running, Viewer};
use catalog_launch::{Endpoint, LaunchSpec, plan};
use catalog_records::{AccountName, Actor, LaunchFilter, LaunchQuota, Ledger, StoredLaunch, StoredOffer};
use catalog_schemas::datazone::Datazone;
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::LaunchState;
use catalog_schemas::plan::{Plan, PlanAnswer, PlanRequest, Reason, Refusal};
use jiff::Timestamp;

use crate::config::{Config, Lifetimes, Quota};
use crate::http::problem::Failure;
use crate::view::Candidate;
use crate::view::volumes::{Knower, VolumeShelf};

use life::Uses;

pub use intent::Asked;
pub use zones::Zones;

/// Plans and drives launches.
#[derive(Clone)]
pub struct Launcher {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Ledger,
    zones: Zones,
    quota: Quota,
    lifetimes: Lifetimes,
    volumes: VolumeShelf,
    uses: Uses,
    startable: startable::Startable,
    drivers: drive::Drivers,
}

impl Launcher {
    /// Opens the backends of the configured datazones; one that does not answer is shown as down, not an error.
    ///
    /// # Errors
    ///
    /// Says which datazone's configuration cannot be used.
    pub fn open(
        config: &Config,
        identity: Option<&catalog_launch::Identity>,
        ledger: Ledger,
        volumes: VolumeShelf,
    ) -> Result<Self, catalog_launch::Error> {
        let zones = Zones::open(&config.datazone, identity)?;
        let shared = Shared {
            ledger,
            zones,
            quota: config.quota,
            lifetimes: config.launches,
            volumes,
            uses: Uses::default(),
            startable: startable::Startable::default(),
            drivers: drive::Drivers::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Starts looking at the zones and driving what is not over: also what an earlier process left.
    pub fn start(&self) {
        tokio::spawn(zones::keep_watching(self.clone()));
        tokio::spawn(zones::keep_verifying(self.clone()));
        tokio::spawn(drive::sweep(self.clone()));
        for zone in self.shared.zones.ids().map(str::to_owned).collect::<Vec<_>>() {
            tokio::spawn(drive::listen(self.clone(), zone));
        }
    }

    /// Lists the datazones with what is free at each.
    pub fn datazones(&self) -> Vec<Datazone> {
        self.shared.zones.list()
    }

    /// Says what is free at each datazone now, for queries that ask; from what was last seen, without asking anybody.
    pub fn capacity_triples(&self, base: &str) -> Vec<catalog_graph::Triple> {
        capacity::triples(base, &self.shared.zones.list())
    }

    /// Counts an account's launches that are not over.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn running(&self, account: &AccountName) -> Result<u32, Failure> {
        Ok(self.shared.ledger.live_count(account).await?)
    }

    /// Plans a launch over all datazones. The offers of a viewer with an account are kept until they expire.
    ///
    /// # Errors
    ///
    /// 422 with all faults when the request fits no zone at all.
    pub async fn plan(
        &self,
        candidate: &Candidate,
        request: &PlanRequest,
        actor: Option<&Actor>,
    ) -> Result<Plan, Failure> {
        let plan = self.plan_only(candidate, request, actor).await?;
        match actor {
            Some(actor) if !plan.offers.is_empty() => self.hold(plan, request, actor).await,
            _ => Ok(plan),
        }
    }

    /// Plans and keeps nothing.
    async fn plan_only(
        &self,
        candidate: &Candidate,
        request: &PlanRequest,
        actor: Option<&Actor>,
    ) -> Result<Plan, Failure> {
        self.shared.zones.look_again_in_time().await;
        let viewer = self.viewer(actor).await?;
        let who = actor.map(|actor| Knower { account: &actor.account, teams: &viewer.groups });
        let (zones, volumes) = (self.shared.zones.snapshots(), self.shared.volumes.known(who).await?);
        let question = Question {
            need: &candidate.need,
            request,
            volumes: &volumes,
            zones: &zones,
            viewer: &viewer,
            now: Timestamp::now(),
            offer_lifetime: catalog_launch::planner::OFFER_LIFETIME,
        };
        let plan = plan(&question, |_| format!("o{}", uuid::Uuid::new_v4().simple())).map_err(invalid_request)?;
        Ok(self.ask_remote(candidate, request, plan, actor).await)
    }

    /// Keeps a plan's offers and the place in the quota that they hold; a plan that has none any more says so.
    async fn hold(&self, mut plan: Plan, request: &PlanRequest, actor: &Actor) -> Result<Plan, Failure> {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let mut offers = Vec::with_capacity(plan.offers.len());
        for offer in &plan.offers {
            let asked = Asked { request: request.clone(), offer: offer.clone() };
            offers.push(StoredOffer {
                id: offer.id.clone(),
                plan: id.clone(),
                owner: actor.account.to_string(),
                body: serde_json::to_string(&asked).map_err(Failure::internal)?,
                gpus: offer.offered.gpu.as_ref().map_or(0, |gpu| gpu.count),
                expires: offer.expires_at.parse().map_err(Failure::internal)?,
            });
        }
        if !self.shared.ledger.offers_put(offers, self.quota("")).await? {
            let message = "your last place was taken while this was planned".to_owned();
            let reason = Reason { code: "quota.sessions".to_owned(), message };
            let refused =
                plan.offers.drain(..).map(|offer| Refusal { datazone: offer.datazone, reasons: vec![reason.clone()] });
            plan.refusals.extend(refused);
            plan.refusals.sort_by(|one, other| one.datazone.cmp(&other.datazone));
            plan.answer = PlanAnswer::No;
        }
        Ok(plan)
    }

    /// Returns what an account may have, in a datazone when one is named.
    fn quota(&self, zone: &str) -> LaunchQuota {
        let policy = self.shared.zones.config(zone).map(catalog_launch::ZoneConfig::policy).unwrap_or_default();
        LaunchQuota {
            sessions: self.shared.quota.sessions,
            gpus: self.shared.quota.gpus,
            zone_sessions: policy.sessions_per_account,
            zone_gpus: policy.gpus_per_account,
        }
    }

    async fn viewer(&self, actor: Option<&Actor>) -> Result<Viewer, Failure> {
        let mut viewer = Viewer {
            allowed_sessions: Some(self.shared.quota.sessions),
            allowed_gpus: Some(self.shared.quota.gpus),
            ..Viewer::default()
        };
        let Some(actor) = actor else { return Ok(viewer) };
        viewer.account = Some(actor.account.to_string());
        viewer.groups = self.shared.ledger.teams(&actor.account).await?;
        let mine = LaunchFilter { owner: Some(actor.account.clone()), limit: 50, ..LaunchFilter::default() };
        let launches = self.shared.ledger.launches(&mine).await?;
        viewer.last_zone = launches.first().map(|stored| stored.launch.datazone.clone());
        let mut running: BTreeMap<String, Running> = BTreeMap::new();
        for stored in launches.iter().filter(|stored| !stored.launch.state.is_final()) {
            let held = running.entry(stored.launch.datazone.clone()).or_default();
            held.sessions += 1;
            held.gpus += stored.launch.requested.gpu.as_ref().map_or(0, |gpu| gpu.count);
        }
        viewer.running = running;
        Ok(viewer)
    }

    /// Returns what the backend is told of a launch.
    ///
    /// # Errors
    ///
    /// A row that this release did not write.
    pub fn spec(&self, stored: &StoredLaunch) -> Result<LaunchSpec, Failure> {
        serde_json::from_str(&stored.spec).map_err(Failure::internal)
    }

    /// Returns how to reach a lab.
    ///
    /// # Errors
    ///
    /// 502 when its datazone does not answer, or the lab has no interface.
    pub async fn endpoint(&self, zone: &str, launch: &LaunchId) -> Result<Endpoint, Failure> {
        let unreachable = |detail: String| {
            Failure::new(http::StatusCode::BAD_GATEWAY, "lab.unreachable", "the lab does not answer", detail)
        };
        let backend =
            self.shared.zones.backend(zone).ok_or_else(|| unreachable(format!("there is no datazone `{zone}`")))?;
        let endpoint = backend.endpoint(launch).await.map_err(|error| unreachable(error.cause))?;
        endpoint.ok_or_else(|| unreachable("it has no interface, or does not run".to_owned()))
    }

    /// Returns the last lines of a launch's log.
    ///
    /// # Errors
    ///
    /// Whatever its datazone says.
    pub async fn logs(
        &self,
        stored: &StoredLaunch,
        query: catalog_launch::LogQuery,
    ) -> Result<catalog_launch::LogStream, Failure> {
        let id: LaunchId = stored.launch.id.parse().map_err(Failure::from)?;
        let backend = self.shared.zones.backend(&stored.launch.datazone);
        let backend = backend.ok_or_else(|| Failure::not_found("datazone", &stored.launch.datazone))?;
        Ok(backend.logs(&id, query))
    }

    /// Asks for a launch to be stopped; asking again changes nothing.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn stop(&self, stored: StoredLaunch, actor: &Actor) -> Result<StoredLaunch, Failure> {
        if stored.launch.state.is_final() || stored.launch.state == LaunchState::Stopping {
            return Ok(stored);
        }
        let mut launch = stored.launch;
        launch.state = LaunchState::Stopping;
        launch.stage = None;
        let live = [
            LaunchState::Requested,
            LaunchState::Planned,
            LaunchState::Preparing,
            LaunchState::Starting,
            LaunchState::Ready,
            LaunchState::Running,
        ];
        let id = launch.id.clone();
        let update = catalog_records::LaunchUpdate {
            id: id.clone(),
            expected: live.to_vec(),
            launch,
            handle: None,
            message: Some("its owner asked for it to be stopped".to_owned()),
            by: Some((actor.clone(), crate::http::problem::request_id())),
        };
        let updated = match self.shared.ledger.launch_update(update).await {
            // It ended by itself in the meantime.
            Err(catalog_records::Error::LaunchState { .. }) => {
                self.shared.ledger.launch(&id).await?.ok_or_else(|| Failure::not_found("launch", &id))?
            }
            other => other?,
        };
        drive::wake(self, &id);
        Ok(updated)
    }
}

fn invalid_request(error: catalog_launch::Error) -> Failure {
    match error {
        catalog_launch::Error::Request { findings } => Failure::invalid_request(findings),
        other => Failure::internal(other),
    }
}
