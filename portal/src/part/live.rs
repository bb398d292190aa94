//! The live badge: what a datazone has free now, as a dot with words beside it, never colour alone.

use catalog_schemas::datazone::{Capacity, Datazone};
use catalog_schemas::plan::MilliCpu;
use leptos::prelude::*;

use crate::words;

/// What is known of a datazone's free capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// Something is free.
    Free,
    /// Nothing is free.
    Full,
    /// It cannot be known.
    Unknown,
}

impl Live {
    /// Returns what a datazone's last observation says: a full core and some memory are the least that starts anything.
    pub fn of(zone: &Datazone) -> Self {
        match &zone.capacity {
            Some(capacity) if zone.health == "up" => {
                if capacity.free_cpu >= MilliCpu::cores(1) && capacity.free_memory_mib >= 256 {
                    Self::Free
                } else {
                    Self::Full
                }
            }
            _ => Self::Unknown,
        }
    }

    /// Returns the class that draws the dot.
    pub fn class(self) -> &'static str {
        match self {
            Self::Free => "live",
            Self::Full => "live full",
            Self::Unknown => "live unknown",
        }
    }
}

/// Returns the badges of a hit: where it runs, with what is free there.
pub fn badges(ids: &[String], zones: &[Datazone], launchable: bool) -> Vec<AnyView> {
    const SHOWN: usize = 4;
    let mut badges: Vec<AnyView> = ids.iter().take(SHOWN).map(|id| badge(id, zones, launchable)).collect();
    if ids.len() > SHOWN {
        badges.push(view! { <span>{format!("and {} more", ids.len() - SHOWN)}</span> }.into_any());
    }
    badges
}

fn badge(id: &str, zones: &[Datazone], launchable: bool) -> AnyView {
    match zones.iter().find(|zone| zone.id == id) {
        Some(zone) if launchable => {
            let live = Live::of(zone);
            let word = match live {
                Live::Free => "free",
                Live::Full => "full",
                Live::Unknown => "unknown",
            };
            view! { <span class=live.class()>{format!("{} {word}", zone.name)}</span> }.into_any()
        }
        Some(zone) => view! { <span>{format!("at {}", zone.name)}</span> }.into_any(),
        None => view! { <span>"at " <span class="mono">{id.to_owned()}</span></span> }.into_any(),
    }
}

/// Returns what a datazone has free, in words.
pub fn sentence(zone: &Datazone) -> String {
    if zone.health == "down" {
        return zone.problem.clone().unwrap_or_else(|| "does not answer".to_owned());
    }
    match (Live::of(zone), &zone.capacity) {
        (Live::Free, Some(capacity)) => {
            let mut words = format!("{} of {} CPUs free", capacity.free_cpu, zone.capability.cpu);
            for gpu in zone.capability.gpus.iter().filter(|gpu| gpu.count > 0) {
                words.push_str(&format!(" · {} of {} {} free", free_gpus(capacity, &gpu.model), gpu.count, gpu.model));
            }
            words
        }
        (Live::Full, Some(capacity)) => {
            format!(
                "full: {} of {} CPUs, {} free",
                capacity.free_cpu,
                zone.capability.cpu,
                words::memory(capacity.free_memory_mib)
            )
        }
        _ => "free capacity unknown".to_owned(),
    }
}

/// Returns how many GPUs of a model are free.
pub fn free_gpus(capacity: &Capacity, model: &str) -> u32 {
    capacity.free_gpus.iter().filter(|gpu| gpu.model == model).map(|gpu| gpu.count).sum()
}
