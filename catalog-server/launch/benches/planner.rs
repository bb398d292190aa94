//! The planner's time for 50 zones and 1,000 volumes, of which one launch mounts ten.
#![allow(clippy::print_stdout, reason = "a bench prints its figure")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog_launch::planner::{
    Health, HeldVolume, KnownVolume, Need, OFFER_LIFETIME, Policy, Question, Viewer, ZoneSnapshot, plan,
};
use catalog_schemas::datazone::{Capability, Capacity};
use catalog_schemas::plan::{MilliCpu, PlanRequest, VolumeRequest};
use jiff::Timestamp;

fn main() {
    const ROUNDS: usize = 200;
    let now = Timestamp::UNIX_EPOCH;
    let volumes: Vec<KnownVolume> = (0..1000)
        .map(|number| KnownVolume {
            key: format!("volume-{number}"),
            iri: format!("https://catalogue.example/id/go-esa/esa.volume-{number}"),
            identifier: format!("esa.volume-{number}"),
            name: format!("Volume {number}"),
            default_mount_path: format!("/data/user/volume_{number}"),
            mode: "ro".to_owned(),
            byte_size: Some(number << 30),
            allowed_groups: Vec::new(),
            allowed_accounts: Vec::new(),
        })
        .collect();
    let held: BTreeMap<String, HeldVolume> = volumes
        .iter()
        .map(|volume| (volume.key.clone(), HeldVolume { byte_size: volume.byte_size, writable: false }))
        .collect();
    let zones: Vec<ZoneSnapshot> = (0..50)
        .map(|number| ZoneSnapshot {
            id: format!("zone-{number}"),
            name: format!("Zone {number}"),
            demo: false,
            capability: Capability {
                cpu: MilliCpu::cores(64),
                memory_mib: 262_144,
                gpus: Vec::new(),
                architectures: vec!["amd64".to_owned()],
                interfaces: vec!["web".to_owned()],
                volumes: Vec::new(),
            },
            capacity: Some(Capacity {
                free_cpu: MilliCpu::cores(number),
                free_memory_mib: 200_000,
                free_gpus: Vec::new(),
                sessions: 3,
                observed_at: now.to_string(),
            }),
            capacity_ttl_seconds: 60,
            volumes: held.clone(),
            health: Health::Up,
            policy: Policy::default(),
        })
        .collect();
    let need = Need {
        interface_type: "web".to_owned(),
        image: Some(catalog_launch::Image { reference: "lab:1".to_owned(), digest: None }),
        ..Need::default()
    };
    let ask =
        |number: usize| VolumeRequest { volume: format!("esa.volume-{}", number * 99), ..VolumeRequest::default() };
    let request = PlanRequest { volumes: (1..=10).map(ask).collect(), ..PlanRequest::default() };
    let viewer = Viewer::default();
    let question = Question {
        need: &need,
        request: &request,
        volumes: &volumes,
        zones: &zones,
        viewer: &viewer,
        now,
        offer_lifetime: OFFER_LIFETIME,
    };
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    let mut offers = 0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answered = plan(&question, str::to_owned);
        times.push(begun.elapsed());
        offers = answered.map_or(0, |plan| plan.offers.len());
    }
    times.sort_unstable();
    println!(
        "plan of 50 zones x 1000 volumes, {offers} offers: p50 {:?}, p99 {:?}, worst {:?}",
        times[ROUNDS / 2],
        times[ROUNDS * 99 / 100],
        times[ROUNDS - 1]
    );
}
