//! Datazones and launches: keeps sight of every zone, plans, records intents and drives them to what the ledger says.

mod capacity;
mod drive;
mod intent;
mod zones;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog_launch::planner::{Question, Running, Viewer};
use catalog_launch::{Endpoint, LaunchSpec, plan};
use catalog_records::{AccountName, Actor, LaunchFilter, Ledger, StoredLaunch, StoredOffer};
use catalog_schemas::datazone::Datazone;
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::{Launch, LaunchState};
use catalog_schemas::plan::{Plan, PlanRequest};
use jiff::Timestamp;

use crate::config::{Config, Quota};
use crate::http::problem::Failure;
use crate::view::{Candidate, volumes::VolumeShelf};

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
    volumes: VolumeShelf,
    drivers: drive::Drivers,
}

impl Launcher {
    /// Opens the backends of the configured datazones; one that does not answer is shown as down, not an error.
    ///
    /// # Errors
    ///
    /// Says which datazone's configuration cannot be used.
    pub fn open(config: &Config, ledger: Ledger, volumes: VolumeShelf) -> Result<Self, catalog_launch::Error> {
        let zones = Zones::open(&config.datazone)?;
        let shared = Shared { ledger, zones, quota: config.quota, volumes, drivers: drive::Drivers::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Starts looking at the zones and driving what is not over: also what an earlier process left.
    pub fn start(&self) {
        tokio::spawn(zones::keep_watching(self.clone()));
        tokio::spawn(drive::sweep(self.clone()));
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
        self.shared.zones.look_again_in_time().await;
        let viewer = self.viewer(actor).await?;
        let (zones, volumes) = (self.shared.zones.snapshots(), self.shared.volumes.known().await?);
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
        if let Some(actor) = actor {
            for offer in &plan.offers {
                let asked = Asked { request: request.clone(), offer: offer.clone() };
                let expires = offer.expires_at.parse().map_err(Failure::internal)?;
                let body = serde_json::to_string(&asked).map_err(Failure::internal)?;
                let owner = actor.account.to_string();
                self.shared.ledger.offer_put(StoredOffer { id: offer.id.clone(), owner, body, expires }).await?;
            }
        }
        Ok(plan)
    }

    async fn viewer(&self, actor: Option<&Actor>) -> Result<Viewer, Failure> {
        let mut viewer = Viewer {
            allowed_sessions: Some(self.shared.quota.sessions),
            allowed_gpus: Some(self.shared.quota.gpus),
            ..Viewer::default()
        };
        let Some(actor) = actor else { return Ok(viewer) };
        viewer.account = Some(actor.account.to_string());
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

    /// Notes that somebody opened a lab: from then on it is in use, not only ready.
    pub async fn note_first_use(&self, launch: &Launch) {
        let mut running = launch.clone();
        running.state = LaunchState::Running;
        let update = catalog_records::LaunchUpdate {
            id: launch.id.clone(),
            expected: vec![LaunchState::Ready],
            launch: running,
            handle: None,
            message: Some("it was opened".to_owned()),
            by: None,
        };
        // Two first requests at once: the second finds it running already, which is as good.
        let _ = self.shared.ledger.launch_update(update).await;
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
