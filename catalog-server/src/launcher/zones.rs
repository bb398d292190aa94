//! The datazones: their backends, and what was last seen of each.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use catalog_launch::planner::{Health, ZoneSnapshot};
use catalog_launch::{Backend, ZoneConfig};
use catalog_schemas::datazone::{Capability, Capacity, Datazone};

use super::Launcher;

/// How often every zone is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How old a sight may be for planning.
const FRESH: Duration = Duration::from_secs(1);

/// How long a zone may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// All datazones.
pub struct Zones {
    zones: Vec<Zone>,
}

struct Zone {
    config: ZoneConfig,
    backend: Arc<dyn Backend>,
    seen: RwLock<Seen>,
}

/// What was last seen of a zone.
#[derive(Debug, Clone)]
struct Seen {
    capability: Capability,
    capacity: Option<Capacity>,
    problem: Option<String>,
    at: Option<Instant>,
}

impl Zones {
    pub(super) fn open(configs: &[ZoneConfig]) -> Result<Self, catalog_launch::Error> {
        let zones = configs
            .iter()
            .map(|config| {
                let seen = Seen {
                    capability: Capability::default(),
                    capacity: None,
                    problem: Some("not seen yet".to_owned()),
                    at: None,
                };
                Ok(Zone { backend: catalog_launch::open(config)?, config: config.clone(), seen: RwLock::new(seen) })
            })
            .collect::<Result<_, catalog_launch::Error>>()?;
        Ok(Self { zones })
    }

    pub(super) fn backend(&self, id: &str) -> Option<Arc<dyn Backend>> {
        self.zones.iter().find(|zone| zone.config.id.as_str() == id).map(|zone| Arc::clone(&zone.backend))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.zones.iter().map(|zone| zone.config.id.as_str())
    }

    pub(super) fn is_demo(&self, id: &str) -> bool {
        self.zones.iter().any(|zone| zone.config.id.as_str() == id && zone.config.is_demo())
    }

    pub(super) fn list(&self) -> Vec<Datazone> {
        self.zones
            .iter()
            .map(|zone| {
                let seen = zone.seen();
                let is_stale =
                    seen.at.is_none_or(|at| at.elapsed().as_secs() > zone.config.capacity_seconds.unsigned_abs());
                let health = match (&seen.problem, seen.at) {
                    (_, None) => "unknown",
                    (Some(_), _) => "down",
                    (None, _) => "up",
                };
                let mut capability = seen.capability;
                capability.volumes = zone.config.held_volumes().into_keys().collect();
                Datazone {
                    id: zone.config.id.to_string(),
                    name: zone.config.name.clone(),
                    demo: zone.config.is_demo(),
                    capability,
                    // What is stale is unknown, never zero.
                    capacity: seen.capacity.filter(|_| !is_stale),
                    health: health.to_owned(),
                    problem: seen.problem,
                    file_service: zone.config.file_service.clone(),
                }
            })
            .collect()
    }

    pub(super) fn snapshots(&self) -> Vec<ZoneSnapshot> {
        self.zones
            .iter()
            .map(|zone| {
                let seen = zone.seen();
                ZoneSnapshot {
                    id: zone.config.id.to_string(),
                    name: zone.config.name.clone(),
                    demo: zone.config.is_demo(),
                    capability: seen.capability,
                    capacity: seen.capacity,
                    capacity_ttl_seconds: zone.config.capacity_seconds,
                    volumes: zone.config.held_volumes(),
                    health: seen.problem.map_or(Health::Up, Health::Down),
                    policy: zone.config.policy(),
                }
            })
            .collect()
    }

    /// Looks at every zone whose last sight is too old to plan with.
    pub(super) async fn look_again(&self) {
        let old = self.zones.iter().filter(|zone| zone.seen().at.is_none_or(|at| at.elapsed() > FRESH));
        futures::future::join_all(old.map(Zone::look)).await;
    }
}

impl Zone {
    fn seen(&self) -> Seen {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self) {
        let asked = async { Ok((self.backend.capability().await?, self.backend.capacity().await)) };
        let answer: Result<(Capability, _), catalog_launch::BackendError> =
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(answer) => answer,
                Err(_) => {
                    self.note(|seen| seen.problem = Some(format!("it did not answer within {} s", PATIENCE.as_secs())));
                    return;
                }
            };
        self.note(|seen| match answer {
            Ok((capability, capacity)) => {
                seen.capability = capability;
                seen.capacity = capacity.ok();
                seen.problem = None;
            }
            Err(error) => seen.problem = Some(error.cause),
        });
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut seen);
        seen.at = Some(Instant::now());
    }
}

/// Looks at every zone again and again, for badges and pages.
pub(super) async fn keep_watching(launcher: Launcher) {
    loop {
        launcher.shared.zones.look_again().await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
