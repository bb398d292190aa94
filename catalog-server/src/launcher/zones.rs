//! The datazones: their backends, and what was last seen of each.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use catalog_launch::observe::{datazone, observe};
use catalog_launch::planner::ZoneSnapshot;
use catalog_launch::{Backend, ZoneConfig};
use catalog_schemas::datazone::Datazone;
use jiff::Timestamp;

use super::Launcher;

/// How often every zone is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often it is looked whether the volumes are where they should be.
const VERIFY_EVERY: Duration = Duration::from_secs(300);

/// How long that may take: a file system that hangs is not waited for.
const VERIFY_PATIENCE: Duration = Duration::from_secs(20);

/// How old a sight may be for planning.
const FRESH: Duration = Duration::from_secs(1);

/// How long a plan waits for zones to answer; one that takes longer is planned with as it was last seen.
const PATIENCE: Duration = Duration::from_secs(3);

/// All datazones.
pub struct Zones {
    zones: Vec<Zone>,
}

struct Zone {
    config: ZoneConfig,
    backend: Arc<dyn Backend>,
    seen: RwLock<Option<(Instant, ZoneSnapshot)>>,
    verified: RwLock<BTreeMap<String, Verified>>,
}

/// When a volume was last found where it should be, and what is wrong when it is not there now.
#[derive(Debug, Clone, Default)]
struct Verified {
    last: Option<Timestamp>,
    problem: Option<String>,
}

impl Zones {
    pub(super) fn open(
        configs: &[ZoneConfig],
        identity: Option<&catalog_launch::Identity>,
    ) -> Result<Self, catalog_launch::Error> {
        let open = |config: &ZoneConfig| {
            Ok(Zone {
                backend: catalog_launch::open(config, identity)?,
                config: config.clone(),
                seen: RwLock::default(),
                verified: RwLock::default(),
            })
        };
        Ok(Self { zones: configs.iter().map(open).collect::<Result<_, catalog_launch::Error>>()? })
    }

    pub(super) fn backend(&self, id: &str) -> Option<Arc<dyn Backend>> {
        self.zones.iter().find(|zone| zone.config.id.as_str() == id).map(|zone| Arc::clone(&zone.backend))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.zones.iter().map(|zone| zone.config.id.as_str())
    }

    /// Returns the configuration of a zone.
    pub(super) fn config(&self, id: &str) -> Option<&ZoneConfig> {
        self.zones.iter().map(|zone| &zone.config).find(|config| config.id.as_str() == id)
    }

    pub(super) fn is_demo(&self, id: &str) -> bool {
        self.zones.iter().any(|zone| zone.config.id.as_str() == id && zone.backend.demonstrates())
    }

    /// Lists the zones that were seen, as everybody may see them.
    pub(super) fn list(&self) -> Vec<Datazone> {
        let now = Timestamp::now();
        self.zones.iter().filter_map(|zone| Some(datazone(&zone.config, &zone.seen()?.1, now))).collect()
    }

    pub(super) fn snapshots(&self) -> Vec<ZoneSnapshot> {
        self.zones.iter().filter_map(|zone| Some(zone.seen()?.1)).collect()
    }

    /// Returns when a zone's replica of a volume was last found where it should be.
    pub(super) fn verified(&self, zone: &str, volume: &str) -> Option<Timestamp> {
        let zone = self.zones.iter().find(|known| known.config.id.as_str() == zone)?;
        zone.verified.read().unwrap_or_else(PoisonError::into_inner).get(volume)?.last
    }

    /// Looks at every zone whose last sight is too old to plan with.
    pub(super) async fn look_again(&self) {
        let old = self.zones.iter().filter(|zone| zone.seen().is_none_or(|(at, _)| at.elapsed() > FRESH));
        futures::future::join_all(old.map(Zone::look)).await;
    }

    /// The same, without waiting longer than a person would for a zone that does not answer.
    pub(super) async fn look_again_in_time(&self) {
        // A zone that was never seen in this time is left out of the plan rather than guessed.
        let _ = tokio::time::timeout(PATIENCE, self.look_again()).await;
    }
}

impl Zone {
    fn seen(&self) -> Option<(Instant, ZoneSnapshot)> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self) {
        let before = self.seen().map(|(_, snapshot)| snapshot);
        let mut now = observe(&self.config, self.backend.as_ref(), before.as_ref()).await;
        // What is not where it should be is not held: a launch with it could only fail.
        let verified = self.verified.read().unwrap_or_else(PoisonError::into_inner);
        now.volumes.retain(|key, _| verified.get(key).is_none_or(|it| it.problem.is_none()));
        drop(verified);
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), now));
    }
}

impl Zone {
    async fn verify(&self) {
        let Ok(looked) = tokio::time::timeout(VERIFY_PATIENCE, self.backend.verify()).await else { return };
        let now = Timestamp::now();
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        for (key, outcome) in looked {
            let known = verified.entry(key.clone()).or_default();
            match outcome {
                Ok(()) => *known = Verified { last: Some(now), problem: None },
                Err(problem) => {
                    if known.problem.is_none() {
                        tracing::warn!(zone = %self.config.id, volume = key, problem, "a volume cannot be used");
                    }
                    known.problem = Some(problem);
                }
            }
        }
    }
}

/// Looks again and again whether the volumes are where they should be.
pub(super) async fn keep_verifying(launcher: Launcher) {
    loop {
        futures::future::join_all(launcher.shared.zones.zones.iter().map(Zone::verify)).await;
        tokio::time::sleep(VERIFY_EVERY).await;
    }
}

/// Looks at every zone again and again, for badges and pages.
pub(super) async fn keep_watching(launcher: Launcher) {
    loop {
        launcher.shared.zones.look_again().await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
