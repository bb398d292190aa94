//! The planner's answers: whole ones for the words, laws for everything else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use catalog_launch::planner::{
    Health, HeldVolume, ImagePolicy, KnownVolume, Need, OFFER_LIFETIME, Policy, REASON_CODES, Running, Viewer,
    ZoneSnapshot,
};
use catalog_launch::{Error, Image, Question, plan};
use catalog_schemas::datazone::{Capability, Capacity, FreeGpu, Gpu};
use catalog_schemas::plan::{
    CpuRange, GpuRequest, MilliCpu, Plan, PlanAnswer, PlanRequest, Range, Resources, VolumeRequest,
};
use catalog_schemas::record::VolumeNeed;
use catalog_schemas::volume::{Space, check_mount_path};
use jiff::Timestamp;
use proptest::prelude::*;

const NOW: &str = "2026-11-22T12:00:00Z";

fn zone(id: &str, cores: u32, memory_mib: u64) -> ZoneSnapshot {
    ZoneSnapshot {
        id: id.to_owned(),
        name: id.to_uppercase(),
        demo: false,
        capability: Capability {
            cpu: MilliCpu::cores(cores),
            memory_mib,
            gpus: Vec::new(),
            architectures: vec!["amd64".to_owned()],
            interfaces: vec!["web".to_owned(), "desktop".to_owned()],
            volumes: Vec::new(),
        },
        capacity: Some(Capacity {
            free_cpu: MilliCpu::cores(cores),
            free_memory_mib: memory_mib,
            free_gpus: Vec::new(),
            sessions: 0,
            observed_at: NOW.to_owned(),
        }),
        capacity_ttl_seconds: 60,
        volumes: BTreeMap::new(),
        health: Health::Up,
        policy: Policy::default(),
    }
}

fn need() -> Need {
    Need {
        resources: Resources {
            cpu: Some(CpuRange { min: MilliCpu::cores(2), max: None }),
            memory_mib: Some(Range { min: 2048, max: None }),
            gpu: None,
        },
        interface_type: "web".to_owned(),
        architectures: vec!["amd64".to_owned()],
        image: Some(Image { reference: "lab:1".to_owned(), digest: Some("sha256:ab".to_owned()) }),
        volumes: Vec::new(),
        personal_space: None,
        team_space: false,
        keeps_results: false,
        allowed_groups: Vec::new(),
        allowed_accounts: Vec::new(),
    }
}

fn gaia() -> KnownVolume {
    KnownVolume {
        key: "gaia-dr3".to_owned(),
        iri: "http://localhost/id/go-esa/esa.gaia-dr3".to_owned(),
        identifier: "esa.gaia-dr3".to_owned(),
        name: "Gaia DR3".to_owned(),
        default_mount_path: "/data/user/gaia_dr3".to_owned(),
        mode: "ro".to_owned(),
        byte_size: Some(4_100_000_000_000),
        allowed_groups: Vec::new(),
        allowed_accounts: Vec::new(),
    }
}

struct Case {
    need: Need,
    request: PlanRequest,
    volumes: Vec<KnownVolume>,
    zones: Vec<ZoneSnapshot>,
    viewer: Viewer,
}

impl Case {
    fn new(zones: Vec<ZoneSnapshot>) -> Self {
        let viewer = Viewer { account: Some("anna".to_owned()), ..Viewer::default() };
        Self { need: need(), request: PlanRequest::default(), volumes: vec![gaia()], zones, viewer }
    }

    fn plan(&self) -> Result<Plan, Error> {
        let question = Question {
            need: &self.need,
            request: &self.request,
            volumes: &self.volumes,
            zones: &self.zones,
            viewer: &self.viewer,
            now: NOW.parse::<Timestamp>().unwrap(),
            offer_lifetime: OFFER_LIFETIME,
        };
        plan(&question, |zone| format!("offer-{zone}"))
    }

    /// The reasons of the only zone, as `code: message`.
    fn reasons(&self) -> Vec<String> {
        let plan = self.plan().unwrap();
        assert_eq!(plan.refusals.len(), 1, "{plan:?}");
        plan.refusals[0].reasons.iter().map(|reason| format!("{}: {}", reason.code, reason.message)).collect()
    }

    fn faults(&self) -> Vec<String> {
        let Err(Error::Request { findings }) = self.plan() else { panic!("planned") };
        findings.iter().map(|finding| format!("{} {}: {}", finding.code, finding.pointer, finding.message)).collect()
    }
}

#[test]
fn data_comes_before_free_capacity_and_the_answer_says_so() {
    let mut far = zone("far", 64, 262_144);
    far.policy.copies_volumes = true;
    let mut near = zone("near", 64, 262_144);
    near.volumes.insert("gaia-dr3".to_owned(), HeldVolume { byte_size: Some(4_100_000_000_000), writable: false });
    near.capacity.as_mut().unwrap().free_cpu = MilliCpu::cores(14);
    near.capacity.as_mut().unwrap().free_memory_mib = 131_072;
    let mut none = zone("none", 64, 262_144);
    none.capacity.as_mut().unwrap().free_cpu = MilliCpu(0);
    let mut case = Case::new(vec![far, none, near]);
    case.need.volumes.push(VolumeNeed {
        volume: "esa.gaia-dr3".to_owned(),
        name: None,
        mount_path: String::new(),
        mode: "ro".to_owned(),
        required: true,
    });
    let plan = case.plan().unwrap();
    let expected = serde_json::json!({
        "answer": "YES",
        "offers": [
            {
                "id": "offer-near", "datazone": "near", "expiresAt": "2026-11-22T12:05:00Z",
                "requested": {"cpu": {"min": 2}, "memoryMiB": {"min": 2048}},
                "offered": {"cpu": {"min": 2, "max": 2}, "memoryMiB": {"min": 2048, "max": 2048}},
                "mounts": [{"volume": "gaia-dr3", "mountPath": "/data/user/gaia_dr3", "mode": "ro"}],
                "score": 1565,
                "explanation": [
                    "the 4.1 TB volume Gaia DR3 is at NEAR, so nothing is copied",
                    "14 of 64 CPUs free", "128 of 256 GiB memory free",
                ],
            },
            {
                "id": "offer-far", "datazone": "far", "expiresAt": "2026-11-22T12:05:00Z",
                "requested": {"cpu": {"min": 2}, "memoryMiB": {"min": 2048}},
                "offered": {"cpu": {"min": 2, "max": 2}, "memoryMiB": {"min": 2048, "max": 2048}},
                "mounts": [{"volume": "gaia-dr3", "mountPath": "/data/user/gaia_dr3", "mode": "ro"}],
                "score": 8_007_813_121_u64,
                "explanation": [
                    "4.1 TB must be copied first: Gaia DR3", "64 of 64 CPUs free", "256 of 256 GiB memory free",
                ],
            },
        ],
        "refusals": [{"datazone": "none", "reasons": [
            {"code": "volume.absent", "message": "does not hold Gaia DR3"},
            {"code": "capacity.full", "message": "full: 0 of 64 CPUs free"},
        ]}],
    });
    assert_eq!(serde_json::to_value(&plan).unwrap(), expected);
}

#[test]
fn spaces_go_along_where_there_are_any_and_are_their_owners_alone() {
    let held = || HeldVolume { byte_size: None, writable: true };
    let mut with = zone("with", 64, 262_144);
    with.volumes.insert(Space::PERSONAL.to_owned(), held());
    with.volumes.insert(Space::TEAMS.to_owned(), held());
    let mut case = Case::new(vec![with, zone("without", 64, 262_144)]);
    case.viewer.groups = vec!["crew".to_owned(), "../x".to_owned()];
    let mounts = |case: &Case| -> BTreeMap<String, Vec<String>> {
        let offers = case.plan().unwrap().offers.into_iter();
        let of = |offer: catalog_schemas::plan::Offer| {
            let mounts = offer.mounts.into_iter().map(|it| format!("{} {} {}", it.volume, it.mount_path, it.mode));
            (offer.datazone, mounts.collect())
        };
        offers.map(of).collect()
    };
    let own = "space/personal /workspace/personal rw".to_owned();
    let expected = |with: Vec<String>| BTreeMap::from([("with".to_owned(), with), ("without".to_owned(), Vec::new())]);
    assert_eq!(mounts(&case), expected(vec![own.clone()]));
    // The manifest and the request may say no; the request has the last word.
    case.need.personal_space = Some(false);
    assert_eq!(mounts(&case), expected(Vec::new()));
    case.request.personal_space = Some(true);
    assert_eq!(mounts(&case), expected(vec![own.clone()]));
    let plan = case.plan().unwrap();
    let without = plan.offers.iter().find(|offer| offer.datazone == "without").unwrap();
    assert!(without.explanation.iter().any(|words| words.contains("no place for your own space")), "{without:?}");
    case.need.team_space = true;
    let team = "space/team/crew /workspace/team/crew rw".to_owned();
    assert_eq!(mounts(&case), expected(vec![own.clone(), team]));
    // A volume that is asked for by name has the place.
    case.need.team_space = false;
    let path = Some(Space::PERSONAL_PATH.to_owned());
    case.request.volumes =
        vec![VolumeRequest { volume: "space/team/crew".to_owned(), mount_path: path, ..VolumeRequest::default() }];
    assert_eq!(mounts(&case)["with"], ["space/team/crew /workspace/personal rw"]);
    // Asked for by name, it must be there and be one's own.
    let reasons = |case: &Case| -> BTreeMap<String, Vec<String>> {
        let refusals = case.plan().unwrap().refusals.into_iter();
        refusals.map(|no| (no.datazone, no.reasons.into_iter().map(|it| it.code).collect())).collect()
    };
    assert_eq!(reasons(&case), BTreeMap::from([("without".to_owned(), vec!["volume.absent".to_owned()])]));
    case.request.volumes[0].volume = "space/team/others".to_owned();
    assert_eq!(reasons(&case)["with"], ["volume.forbidden"]);
    assert_eq!(reasons(&case)["without"], ["volume.forbidden", "volume.absent"]);
    case.request.volumes[0].volume = "space/team/../../etc".to_owned();
    assert!(case.plan().is_err(), "that is no key");
    // What keeps results runs only where they can be kept.
    case.request = PlanRequest { personal_space: Some(false), ..PlanRequest::default() };
    case.need.keeps_results = true;
    assert_eq!(mounts(&case), BTreeMap::from([("with".to_owned(), vec![own])]));
}

#[test]
fn a_zone_says_every_reason_at_once() {
    let mut small = zone("small", 1, 1024);
    small.capability.interfaces = vec!["desktop".to_owned()];
    small.capability.architectures = vec!["arm64".to_owned()];
    small.capability.gpus =
        vec![Gpu { vendor: "nvidia".to_owned(), model: "T4".to_owned(), count: 1, memory_mib: 16_384, cuda: None }];
    small.policy = Policy {
        images: ImagePolicy::Pinned,
        sessions_per_account: Some(1),
        allowed_groups: vec!["staff".to_owned()],
        ..Policy::default()
    };
    small.capacity.as_mut().unwrap().observed_at = "2026-11-22T11:00:00Z".to_owned();
    let mut case = Case::new(vec![small]);
    case.need.image.as_mut().unwrap().digest = None;
    case.need.allowed_groups = vec!["gaia".to_owned()];
    case.need.resources.gpu = Some(GpuRequest { count: 2, ..GpuRequest::default() });
    case.viewer.running.insert("small".to_owned(), Running { sessions: 2, gpus: 1 });
    case.viewer.allowed_sessions = Some(2);
    case.viewer.allowed_gpus = Some(2);
    case.request.volumes.push(VolumeRequest { volume: "gaia-dr3".to_owned(), ..VolumeRequest::default() });
    assert_eq!(
        case.reasons(),
        [
            "capacity.unknown: what is free there is not known: it was last seen at 2026-11-22T11:00:00Z",
            "access.denied: only members of the groups that it is for may launch it",
            "access.denied: only members of staff may launch there",
            "interface.unsupported: does not run labs of the kind `web`",
            "image.unpinned: runs only images named by digest, and this one is named by a tag",
            "image.arch: runs arm64 images, and this one is made for amd64",
            "quota.sessions: you have 2 of 2 labs running",
            "quota.sessions: you have 2 of 1 lab running there",
            "quota.gpu: you hold 1 of 2 GPUs allowed",
            "volume.absent: does not hold Gaia DR3",
            "cpu.insufficient: has 1 CPUs; 2 are asked for",
            "memory.insufficient: has 1 GiB memory; 2 GiB are asked for",
            "gpu.insufficient: has 1 T4; 2 are asked for",
        ]
    );
}

#[test]
fn gpus_are_refused_by_what_is_missing() {
    let gpu = |model: &str, count, memory_mib, cuda: &str| Gpu {
        vendor: "nvidia".to_owned(),
        model: model.to_owned(),
        count,
        memory_mib,
        cuda: (!cuda.is_empty()).then(|| cuda.to_owned()),
    };
    let mut it = zone("z", 8, 8192);
    it.capability.gpus = vec![gpu("A100", 4, 40_960, "12.4"), gpu("T4", 2, 16_384, "")];
    it.capacity.as_mut().unwrap().free_gpus =
        vec![FreeGpu { model: "A100".to_owned(), count: 1 }, FreeGpu { model: "T4".to_owned(), count: 2 }];
    let ask = |gpu: GpuRequest| {
        let mut case = Case::new(vec![it.clone()]);
        case.request.resources.gpu = Some(gpu);
        case
    };
    let one = GpuRequest { count: 1, ..GpuRequest::default() };
    let model = |model: &str| Some(model.to_owned());
    let refused = [
        (GpuRequest { model: model("H100"), ..one.clone() }, "gpu.model: has A100 and T4; H100 is asked for"),
        (
            GpuRequest { memory_mib: Some(81_920), ..one.clone() },
            "gpu.memory: has GPUs with 40 GiB; 80 GiB are asked for",
        ),
        (GpuRequest { cuda: model("13.0"), ..one.clone() }, "gpu.cuda: runs CUDA up to 12.4; 13.0 is asked for"),
        (
            GpuRequest { cuda: model("10.0"), model: model("T4"), ..one.clone() },
            "gpu.cuda: does not say which CUDA its GPUs run; 10.0 is asked for",
        ),
        (GpuRequest { count: 5, ..one.clone() }, "gpu.insufficient: has 4 A100; 5 are asked for"),
        (
            GpuRequest { count: 2, model: model("A100"), ..one.clone() },
            "capacity.full: full: 1 of 4 A100 free, 2 asked for",
        ),
    ];
    for (asked, expected) in refused {
        assert_eq!(ask(asked).reasons(), [expected]);
    }
    let offered = |asked: GpuRequest| ask(asked).plan().unwrap().offers[0].offered.gpu.clone().unwrap().model;
    assert_eq!(offered(one.clone()), model("T4"), "the smallest that is enough");
    assert_eq!(offered(GpuRequest { cuda: model("10.0"), ..one.clone() }), model("A100"));
    it.capability.gpus.clear();
    let mut case = Case::new(vec![it.clone()]);
    case.need.resources.gpu = Some(one);
    assert_eq!(case.reasons(), ["gpu.none: has no GPU"]);
}

#[test]
fn the_minimum_is_granted_unless_more_is_asked_for() {
    let mut case = Case::new(vec![zone("z", 16, 65_536)]);
    case.need.resources.memory_mib = Some(Range { min: 2048, max: Some(16_384) });
    let granted = |case: &Case| case.plan().unwrap().offers[0].offered.memory_mib.unwrap().min;
    assert_eq!(granted(&case), 2048, "nothing is asked for");
    case.request.resources.memory_mib = Some(Range { min: 4096, max: None });
    assert_eq!(granted(&case), 4096, "the record's maximum is no wish");
    case.request.resources.memory_mib = Some(Range { min: 4096, max: Some(8192) });
    assert_eq!(granted(&case), 8192);
}

#[test]
fn what_could_be_put_to_no_zone_is_refused_as_a_whole() {
    let mut case = Case::new(vec![zone("z", 8, 8192)]);
    case.need.resources.gpu = Some(GpuRequest { count: 1, models: vec!["A100".to_owned()], ..GpuRequest::default() });
    case.request = PlanRequest {
        name: Some("lab\n2026 INFO it is stopped".to_owned()),
        datazone: Some("atlantis".to_owned()),
        resources: Resources {
            cpu: Some(CpuRange { min: MilliCpu(500), max: None }),
            memory_mib: Some(Range { min: 4096, max: Some(2048) }),
            gpu: Some(GpuRequest { count: 0, model: Some("T4".to_owned()), ..GpuRequest::default() }),
        },
        volumes: vec![
            VolumeRequest { volume: "nothing".to_owned(), ..VolumeRequest::default() },
            VolumeRequest {
                volume: "gaia-dr3".to_owned(),
                mount_path: Some("/etc".to_owned()),
                mode: Some("rwx".to_owned()),
            },
            VolumeRequest { volume: "esa.gaia-dr3".to_owned(), ..VolumeRequest::default() },
        ],
        ..PlanRequest::default()
    };
    assert_eq!(
        case.faults(),
        [
            "name.invalid /name: a name is one line, without characters that steer the direction of text",
            "resources.below_minimum /resources/cpu/min: it needs at least 2 CPUs; 0.5 is asked for",
            "resources.range /resources/memoryMiB/max: at most 2 GiB is less than at least 4 GiB",
            "resources.below_minimum /resources/gpu/count: it needs at least 1 GPUs; 0 is asked for",
            "resources.gpu_model /resources/gpu/model: it runs on A100, not on T4",
            "volume.unknown /volumes/0/volume: there is no volume `nothing`",
            "mount.mode /volumes/1/mode: `rwx` is not a mode of mounting; write ro or rw",
            "mount.path /volumes/1/mountPath: `/etc` is not a mount path: it must lie below /data, /home, /media, /mnt, /opt, /srv, /team or /workspace",
            "volume.duplicate /volumes/2/volume: the volume Gaia DR3 is asked for twice",
            "datazone.unknown /datazone: there is no datazone `atlantis`",
        ]
    );
    for (name, is_taken) in [("Übung ✓", true), ("a\u{202e}b", false), (&"x".repeat(101), false), ("", true)] {
        let mut case = Case::new(vec![zone("z", 8, 8192)]);
        case.request.name = Some(name.to_owned());
        assert_eq!(case.plan().is_ok(), is_taken, "{name}");
    }
}

#[test]
fn volumes_are_forbidden_and_conflict_in_words() {
    let mut it = zone("z", 8, 8192);
    it.volumes.insert("gaia-dr3".to_owned(), HeldVolume::default());
    it.volumes.insert("team".to_owned(), HeldVolume { byte_size: None, writable: true });
    let mut case = Case::new(vec![it]);
    case.volumes.push(KnownVolume {
        key: "team".to_owned(),
        name: "HDBSCAN".to_owned(),
        default_mount_path: "/data/user/gaia_dr3/team".to_owned(),
        mode: "rw".to_owned(),
        allowed_groups: vec!["hdbscan".to_owned()],
        ..KnownVolume::default()
    });
    let ask = |volume: &str, mode: Option<&str>| VolumeRequest {
        volume: volume.to_owned(),
        mount_path: None,
        mode: mode.map(str::to_owned),
    };
    case.request.volumes = vec![ask("gaia-dr3", Some("rw")), ask("team", None)];
    assert_eq!(
        case.reasons(),
        [
            "mount.conflict: Gaia DR3 at /data/user/gaia_dr3 and HDBSCAN at /data/user/gaia_dr3/team would lie within one another",
            "volume.forbidden: Gaia DR3 is read-only there",
            "volume.forbidden: only members of the groups that it is for may mount HDBSCAN",
        ]
    );
}

#[test]
fn a_volume_of_a_team_is_for_its_members_and_for_who_is_named() {
    let mut it = zone("z", 8, 8192);
    it.volumes.insert("gaia-dr3".to_owned(), HeldVolume::default());
    let mut case = Case::new(vec![it]);
    case.request.volumes.push(VolumeRequest { volume: "gaia-dr3".to_owned(), ..VolumeRequest::default() });
    case.volumes[0].allowed_accounts = vec!["bert".to_owned()];
    assert_eq!(case.reasons(), ["volume.forbidden: only the accounts that its owner named may mount Gaia DR3"]);
    case.volumes[0].allowed_groups = vec!["gaia".to_owned()];
    assert_eq!(case.reasons(), ["volume.forbidden: only members of the groups that it is for may mount Gaia DR3"]);
    case.viewer.groups = vec!["gaia".to_owned()];
    assert_eq!(case.plan().unwrap().answer, PlanAnswer::Yes);
    case.viewer.groups.clear();
    case.volumes[0].allowed_accounts.push("anna".to_owned());
    assert_eq!(case.plan().unwrap().answer, PlanAnswer::Yes);
    // The same holds for the record itself.
    case.need.allowed_accounts = vec!["bert".to_owned()];
    assert_eq!(case.reasons(), ["access.denied: only the accounts that its owner named may launch it"]);
}

#[test]
fn a_demonstration_comes_last_and_a_chosen_zone_alone() {
    let mut demo = zone("demo", 64, 262_144);
    demo.demo = true;
    demo.policy.images = ImagePolicy::NotNeeded;
    let mut busy = zone("real", 64, 262_144);
    busy.capacity.as_mut().unwrap().free_cpu = MilliCpu::cores(2);
    let mut case = Case::new(vec![demo, busy]);
    let order =
        |case: &Case| -> Vec<String> { case.plan().unwrap().offers.into_iter().map(|offer| offer.datazone).collect() };
    assert_eq!(order(&case), ["real", "demo"]);
    case.request.datazone = Some("demo".to_owned());
    assert_eq!(order(&case), ["demo"]);
    assert_eq!(case.reasons(), ["zone.not_chosen: you chose DEMO"]);
    case.request.datazone = None;
    case.need.image = None;
    assert_eq!(order(&case), ["demo"]);
    assert_eq!(case.reasons(), ["image.none: it is catalogued, but names no public image that could be run"]);
}

fn any_gpu() -> impl Strategy<Value = Gpu> {
    (
        "nvidia|amd",
        "A100|T4|H100",
        0u32..4,
        prop_oneof![Just(0u64), Just(16_384), Just(40_960)],
        proptest::option::of("9\\.2|10\\.0|12\\.4"),
    )
        .prop_map(|(vendor, model, count, memory_mib, cuda)| Gpu { vendor, model, count, memory_mib, cuda })
}

fn any_zone() -> impl Strategy<Value = ZoneSnapshot> {
    (
        (0u32..8, 0u64..8, proptest::collection::vec(any_gpu(), 0..3)),
        proptest::option::weighted(0.9, (0u32..9_000, 0u64..9_000, 0u32..4, 0i64..90)),
        proptest::collection::btree_map("v[0-3]", (proptest::option::of(0u64..9_000_000_000_000), any::<bool>()), 0..4),
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0u8..3),
    )
        .prop_map(|((cores, gibibytes, mut gpus), capacity, volumes, (demo, down, copies, arm, images))| {
            gpus.sort_by(|one, other| one.model.cmp(&other.model));
            gpus.dedup_by(|one, other| one.model == other.model);
            let mut it = zone("", cores, gibibytes * 1024);
            it.demo = demo;
            if down {
                it.health = Health::Down("no route".to_owned());
            }
            it.policy.copies_volumes = copies;
            it.policy.images = [ImagePolicy::Any, ImagePolicy::Pinned, ImagePolicy::NotNeeded][images as usize];
            if arm {
                it.capability.architectures = vec!["arm64".to_owned()];
            }
            it.capacity = capacity.map(|(cpu, memory, free, age)| Capacity {
                free_cpu: MilliCpu(cpu),
                free_memory_mib: memory,
                free_gpus: gpus.iter().map(|gpu| FreeGpu { model: gpu.model.clone(), count: free }).collect(),
                sessions: 0,
                observed_at: NOW
                    .parse::<Timestamp>()
                    .unwrap()
                    .checked_sub(jiff::SignedDuration::from_secs(age))
                    .unwrap()
                    .to_string(),
            });
            it.capability.gpus = gpus;
            it.volumes = volumes
                .into_iter()
                .map(|(key, (byte_size, writable))| (key, HeldVolume { byte_size, writable }))
                .collect();
            it
        })
}

fn any_case() -> impl Strategy<Value = Case> {
    let gpu = (
        0u32..4,
        proptest::option::of("A100|T4|H100"),
        proptest::option::of(Just(20_000u64)),
        proptest::option::of("10\\.0|9\\.1"),
    )
        .prop_map(|(count, model, memory_mib, cuda)| GpuRequest {
            count,
            model,
            memory_mib,
            cuda,
            ..GpuRequest::default()
        });
    (
        proptest::collection::vec(any_zone(), 0..6),
        (1u32..6_000, proptest::option::of(0u32..4_000), 1u64..6_000, proptest::option::of(0u64..4_000)),
        proptest::option::of(gpu),
        proptest::collection::btree_map("v[0-3]", (any::<bool>(), any::<bool>()), 0..4),
        (any::<bool>(), proptest::option::of(0u32..3), 0u32..3),
    )
        .prop_map(|(mut zones, (cpu, more_cpu, memory, more_memory), gpu, volumes, (pinned, allowed, running))| {
            for (position, zone) in zones.iter_mut().enumerate() {
                zone.id = format!("z{position}");
                zone.name = format!("Z{position}");
            }
            let mut case = Case::new(zones);
            case.volumes = (0..4)
                .map(|number| KnownVolume {
                    key: format!("v{number}"),
                    name: format!("Volume {number}"),
                    default_mount_path: format!("/data/v{number}"),
                    mode: if number % 2 == 0 { "ro" } else { "rw" }.to_owned(),
                    byte_size: (number != 3).then_some(1 << (30 + number)),
                    ..KnownVolume::default()
                })
                .collect();
            case.request.resources = Resources {
                cpu: Some(CpuRange { min: MilliCpu(cpu), max: more_cpu.map(|more| MilliCpu(cpu + more)) }),
                memory_mib: Some(Range { min: memory, max: more_memory.map(|more| memory + more) }),
                gpu,
            };
            case.need.resources = Resources {
                cpu: Some(CpuRange { min: MilliCpu(1), max: None }),
                memory_mib: Some(Range { min: 1, max: None }),
                gpu: None,
            };
            case.request.volumes = volumes
                .into_iter()
                .map(|(volume, (writes, says))| VolumeRequest {
                    volume,
                    mount_path: None,
                    mode: says.then(|| if writes { "rw" } else { "ro" }.to_owned()),
                })
                .collect();
            if !pinned {
                case.need.image.as_mut().unwrap().digest = None;
            }
            case.viewer.allowed_sessions = allowed;
            case.viewer.running.insert("z0".to_owned(), Running { sessions: running, gpus: 0 });
            case
        })
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.need, self.request, self.zones)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_yes_is_never_more_than_advertised_and_a_no_always_has_a_reason(case in any_case()) {
        let plan = case.plan().unwrap();
        let answered: Vec<&str> = plan
            .offers
            .iter()
            .map(|offer| offer.datazone.as_str())
            .chain(plan.refusals.iter().map(|refusal| refusal.datazone.as_str()))
            .collect();
        let distinct: BTreeSet<&str> = answered.iter().copied().collect();
        prop_assert_eq!(answered.len(), case.zones.len());
        prop_assert_eq!(distinct.len(), case.zones.len(), "every zone exactly once");
        prop_assert_eq!(plan.answer == PlanAnswer::Yes, !plan.offers.is_empty());
        for refusal in &plan.refusals {
            prop_assert!(!refusal.reasons.is_empty());
            prop_assert!(refusal.reasons.iter().all(|reason| !reason.message.is_empty()));
            let is_known = |code: &str| REASON_CODES.iter().any(|(known, _)| *known == code);
            prop_assert!(refusal.reasons.iter().all(|reason| is_known(&reason.code)), "{:?}", refusal);
        }
        prop_assert!(plan.offers.is_sorted_by_key(|offer| (offer.score, offer.datazone.clone())));
        for offer in &plan.offers {
            let zone = case.zones.iter().find(|zone| zone.id == offer.datazone).unwrap();
            let capacity = zone.capacity.as_ref().unwrap();
            prop_assert_eq!(&zone.health, &Health::Up);
            let (requested, offered) = (&offer.requested, &offer.offered);
            let cpu = offered.cpu.unwrap().min;
            prop_assert!(cpu >= requested.cpu.unwrap().min && cpu <= capacity.free_cpu && cpu <= zone.capability.cpu);
            let memory = offered.memory_mib.unwrap().min;
            prop_assert!(memory >= requested.memory_mib.unwrap().min);
            prop_assert!(memory <= capacity.free_memory_mib && memory <= zone.capability.memory_mib);
            prop_assert_eq!(offered.gpu.is_some(), requested.gpu.is_some());
            if let (Some(asked), Some(given)) = (&requested.gpu, &offered.gpu) {
                let model = given.model.as_ref().unwrap();
                let held = zone.capability.gpus.iter().find(|gpu| gpu.model == *model).unwrap();
                let free = capacity.free_gpus.iter().find(|gpu| gpu.model == *model).unwrap();
                prop_assert!(given.count == asked.count && given.count <= held.count && given.count <= free.count);
                prop_assert!(asked.models.is_empty() || asked.models.contains(model));
                prop_assert!(asked.memory_mib.is_none_or(|memory| held.memory_mib >= memory));
                prop_assert!(asked.cuda.is_none() || held.cuda.is_some());
            }
            prop_assert_eq!(offer.mounts.len(), case.request.volumes.len());
            for mount in &offer.mounts {
                prop_assert!(check_mount_path(&mount.mount_path).is_ok());
                match zone.volumes.get(&mount.volume) {
                    Some(held) => prop_assert!(mount.mode == "ro" || held.writable),
                    None => prop_assert!(zone.policy.copies_volumes && mount.mode == "ro"),
                }
            }
            prop_assert!(!offer.explanation.is_empty());
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_whatever_the_order_of_zones(case in any_case(), turn in 0usize..6) {
        let plan = case.plan().unwrap();
        let mut turned = case;
        let count = turned.zones.len().max(1);
        turned.zones.rotate_left(turn % count);
        turned.zones.reverse();
        prop_assert_eq!(turned.plan().unwrap(), plan);
    }
}
