//! Looks at a datazone: what the planner, the zone list and the board of running labs read.

use std::time::Duration;

use catalog_schemas::datazone::{Capability, Datazone};
use catalog_schemas::volume::Space;
use jiff::{SignedDuration, Timestamp};

use crate::backend::{Backend, BackendError, FailureCode, Stage};
use crate::config::{BackendKind, ZoneConfig};
use crate::planner::{Health, HeldVolume, ZoneSnapshot};

/// A datazone that takes longer to say what is free counts as one that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a datazone what it can and now does hold.
///
/// A zone that does not answer keeps the capability and the last observation of `before`, so that it is still shown;
/// the planner takes neither for what is free.
pub async fn observe(config: &ZoneConfig, backend: &dyn Backend, before: Option<&ZoneSnapshot>) -> ZoneSnapshot {
    let asked = async {
        let capability = backend.capability().await?;
        // A zone may know itself and not know what is free; then it is up and what is free is unknown.
        Ok((capability, backend.capacity().await))
    };
    let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
        let cause = format!("nothing within {} s", PATIENCE.as_secs());
        Err(BackendError::new(Stage::Inquire, FailureCode::EngineUnreachable, cause))
    });
    let (capability, capacity, health) = match answer {
        Ok((capability, Ok(capacity))) => (capability, Some(capacity), Health::Up),
        Ok((capability, Err(error))) if error.is_transient() => {
            (capability, before.and_then(|before| before.capacity.clone()), Health::Down(error.cause))
        }
        Ok((capability, Err(_))) => (capability, None, Health::Up),
        Err(error) => {
            let capability = before.map_or_else(|| configured(config), |before| before.capability.clone());
            (capability, before.and_then(|before| before.capacity.clone()), Health::Down(error.cause))
        }
    };
    let volumes = match config.backend {
        // What another server holds is what it says; whether it may be written to is decided there.
        BackendKind::Remote => {
            let held = |key: &String| (key.clone(), HeldVolume { byte_size: None, writable: true });
            // Its teams are not ours; an account has a space of its own there as well.
            capability.volumes.iter().filter(|key| *key != Space::TEAMS).map(held).collect()
        }
        _ => config.held_volumes(),
    };
    ZoneSnapshot {
        id: config.id.to_string(),
        name: config.name.clone(),
        // Another server's demonstration is one here too.
        demo: backend.demonstrates(),
        capability,
        capacity,
        capacity_ttl_seconds: config.capacity_seconds,
        volumes,
        health,
        policy: config.policy(),
    }
}

/// Returns a zone as everybody may see it; what is free is left out when it is not known now.
pub fn datazone(config: &ZoneConfig, snapshot: &ZoneSnapshot, now: Timestamp) -> Datazone {
    let lifetime = SignedDuration::from_secs(snapshot.capacity_ttl_seconds);
    let is_fresh = |at: &str| at.parse::<Timestamp>().is_ok_and(|at| now.duration_since(at) <= lifetime);
    let (health, problem) = match &snapshot.health {
        Health::Up => ("up", None),
        Health::Down(cause) => ("down", Some(cause.clone())),
    };
    let capacity = snapshot.capacity.clone().filter(|capacity| health == "up" && is_fresh(&capacity.observed_at));
    Datazone {
        id: snapshot.id.clone(),
        name: snapshot.name.clone(),
        demo: snapshot.demo,
        capability: snapshot.capability.clone(),
        capacity,
        health: health.to_owned(),
        problem,
        file_service: config.file_service.clone(),
    }
}

/// What the configuration promises, for a zone that never answered.
fn configured(config: &ZoneConfig) -> Capability {
    Capability {
        cpu: config.cpu.unwrap_or_default(),
        memory_mib: config.memory_mib.unwrap_or_default(),
        gpus: config.gpus(),
        architectures: Vec::new(),
        interfaces: config.served_interfaces(),
        volumes: config.mountable(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{DemoBackend, Faults};

    #[tokio::test]
    async fn a_zone_is_up_unknown_or_down_and_then_still_shown() {
        let mut config = ZoneConfig::new("demo".parse().unwrap(), "DEMO", BackendKind::Demo);
        config.file_service = Some("https://files.example/".to_owned());
        let backend = DemoBackend::new(&config);
        let up = observe(&config, &backend, None).await;
        let now = Timestamp::now();
        let shown = datazone(&config, &up, now);
        assert_eq!((shown.health.as_str(), shown.capacity.is_some(), shown.demo), ("up", true, true));
        assert_eq!(shown.file_service.as_deref(), Some("https://files.example/"));
        let later = now.checked_add(SignedDuration::from_secs(61)).unwrap();
        assert_eq!(datazone(&config, &up, later).capacity, None, "stale is unknown");

        backend.set_faults(Faults { capacity_unknown: true, ..Faults::default() });
        let unknown = observe(&config, &backend, Some(&up)).await;
        assert_eq!((&unknown.health, &unknown.capacity), (&Health::Up, &None));

        backend.set_faults(Faults { down: true, ..Faults::default() });
        let down = observe(&config, &backend, Some(&up)).await;
        assert_eq!((&down.capability, &down.capacity), (&up.capability, &up.capacity));
        let shown = datazone(&config, &down, now);
        assert_eq!((shown.health.as_str(), shown.capacity), ("down", None));
        assert_eq!(shown.problem.as_deref(), Some("the demonstration is told to be down"));
    }
}
