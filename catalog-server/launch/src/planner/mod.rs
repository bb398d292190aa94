//! The planner: every datazone's yes with an offer, or its no with all reasons.
//!
//! It is a pure function in integers. What the record needs, what is asked for, what the zones can and now do hold,
//! and what the viewer may do come in as values; the clock and the offers' ids come from the caller.

mod judge;
mod request;

use std::collections::BTreeMap;

use catalog_schemas::datazone::{Capability, Capacity};
use catalog_schemas::plan::{Offer, Plan, PlanAnswer, PlanRequest, Refusal, Resources};
use catalog_schemas::record::VolumeNeed;
use catalog_schemas::volume::Volume;
use jiff::{SignedDuration, Timestamp};

use crate::Error;

/// What a datalab gets when its record says nothing, as in the source deck's launch form.
pub const DEFAULT_CPU_CORES: u32 = 2;

/// What a datalab gets when its record says nothing, as in the source deck's launch form.
pub const DEFAULT_MEMORY_MIB: u64 = 2048;

/// How long an offer holds unless the caller decides otherwise.
pub const OFFER_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// Every code of a refusal, with its meaning; codes never change their meaning.
pub const REASON_CODES: &[(&str, &str)] = &[
    ("access.denied", "the record or the datazone admits only others"),
    ("capacity.full", "what is asked for fits, but not beside what runs now"),
    ("capacity.unknown", "what is free was not seen lately"),
    ("cpu.insufficient", "the datazone never has that many processor cores"),
    ("gpu.cuda", "its driver does not run the CUDA asked for"),
    ("gpu.insufficient", "it has fewer GPUs of a fitting model"),
    ("gpu.memory", "its GPUs have less memory"),
    ("gpu.model", "it has other GPUs"),
    ("gpu.none", "it has no GPU"),
    ("image.arch", "the image is made for another architecture"),
    ("image.none", "the record names no image"),
    ("image.unpinned", "only images named by digest run there"),
    ("interface.unsupported", "it does not run labs of that kind"),
    ("memory.insufficient", "the datazone never has that much memory"),
    ("mount.conflict", "two volumes would hide one another"),
    ("quota.gpu", "the viewer holds as many GPUs as allowed"),
    ("quota.sessions", "the viewer has as many labs as allowed"),
    ("volume.absent", "it does not hold the volume"),
    ("volume.forbidden", "the viewer may not mount the volume, or not so"),
    ("zone.down", "it does not answer"),
    ("zone.not_chosen", "another datazone was chosen"),
];

/// What the record says that it needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Need {
    /// CPU, memory and GPU; the minima are floors. The defaults apply to what is absent.
    pub resources: Resources,
    /// `web`, `desktop`, `vm`, `terminal` or `headless`.
    pub interface_type: String,
    /// The architectures that its image exists for; any when empty.
    pub architectures: Vec<String>,
    /// Its image; absent when the record is catalogued without one.
    pub image: Option<crate::Image>,
    /// The volumes that its manifest names, by key, identifier, IRI or `urn:esado:volume:` and key. An empty path or mode
    /// is the volume's own; what is required is mounted without being asked for, and nothing runs without it.
    pub volumes: Vec<VolumeNeed>,
    /// Whether its manifest wants the launcher's own space; yes unless it says no.
    pub personal_space: Option<bool>,
    /// Whether its manifest wants the spaces of the launcher's teams.
    pub team_space: bool,
    /// Whether it writes results into the launcher's own space, and runs nowhere without one.
    pub keeps_results: bool,
    /// Only these groups may launch it; everybody when this and the accounts are empty.
    pub allowed_groups: Vec<String>,
    /// Only these accounts may launch it.
    pub allowed_accounts: Vec<String>,
}

/// A data volume of the catalogue as the planner needs to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownVolume {
    /// Its key.
    pub key: String,
    /// The record's IRI.
    pub iri: String,
    /// The record's identifier.
    pub identifier: String,
    /// Its name in words.
    pub name: String,
    /// Where it is mounted unless asked otherwise.
    pub default_mount_path: String,
    /// `ro` or `rw`: the most that it allows.
    pub mode: String,
    /// Its size, when any replica knows it.
    pub byte_size: Option<u64>,
    /// Only members of these groups may mount it; everybody when this and the accounts are empty.
    pub allowed_groups: Vec<String>,
    /// Only these accounts may mount it.
    pub allowed_accounts: Vec<String>,
}

impl From<&Volume> for KnownVolume {
    fn from(volume: &Volume) -> Self {
        // The identifier is the last segment of `{base}/id/{zone}/{identifier}`.
        let identifier = volume.iri.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            key: volume.key.clone(),
            iri: volume.iri.clone(),
            identifier,
            name: volume.name.clone(),
            default_mount_path: volume.default_mount_path.clone(),
            mode: volume.mode.clone(),
            byte_size: volume.replicas.iter().filter_map(|replica| replica.byte_size).max(),
            allowed_groups: Vec::new(),
            allowed_accounts: Vec::new(),
        }
    }
}

/// A datazone at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSnapshot {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it only demonstrates; it is then ranked behind every zone that does not.
    pub demo: bool,
    /// Its static ceiling.
    pub capability: Capability,
    /// What was free when it was last seen.
    pub capacity: Option<Capacity>,
    /// For how many seconds that holds; afterwards what is free is unknown.
    pub capacity_ttl_seconds: i64,
    /// The volumes it holds, by key.
    pub volumes: BTreeMap<String, HeldVolume>,
    /// Whether its backend answers.
    pub health: Health,
    /// What its operator allows.
    pub policy: Policy,
}

/// A zone's replica of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldVolume {
    /// Its size, when known.
    pub byte_size: Option<u64>,
    /// Whether this replica can be written to.
    pub writable: bool,
}

/// Whether a zone's backend answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answered when last asked.
    Up,
    /// It does not answer, and why.
    Down(String),
}

/// What a zone's operator allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Which images may run.
    pub images: ImagePolicy,
    /// Whether volumes that the zone does not hold are copied to it before a launch.
    pub copies_volumes: bool,
    /// Launches at once an account may have in this zone.
    pub sessions_per_account: Option<u32>,
    /// GPUs at once an account may have in this zone.
    pub gpus_per_account: Option<u32>,
    /// Only members of these groups may launch here; everybody when empty.
    pub allowed_groups: Vec<String>,
}

/// Which images a zone may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImagePolicy {
    /// Images named by digest or by tag; a tag is resolved at the first pull.
    #[default]
    Any,
    /// Only images named by digest.
    Pinned,
    /// No image is needed, as nothing is really run.
    NotNeeded,
}

/// Who asks, and what of their quota is in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewer {
    /// The account; a viewer without one is in no group.
    pub account: Option<String>,
    /// The groups it is a member of.
    pub groups: Vec<String>,
    /// Its launches that are not over, by zone id.
    pub running: BTreeMap<String, Running>,
    /// Launches it may have at once over all zones.
    pub allowed_sessions: Option<u32>,
    /// GPUs it may have at once over all zones.
    pub allowed_gpus: Option<u32>,
    /// The zone of its last launch.
    pub last_zone: Option<String>,
}

/// What a viewer's launches in one zone hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Running {
    /// Launches.
    pub sessions: u32,
    /// GPUs.
    pub gpus: u32,
}

/// Everything that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the record says.
    pub need: &'a Need,
    /// What is asked for.
    pub request: &'a PlanRequest,
    /// The catalogue's volumes: at least those that the need and the request name.
    pub volumes: &'a [KnownVolume],
    /// The datazones; their order does not matter.
    pub zones: &'a [ZoneSnapshot],
    /// Who asks.
    pub viewer: &'a Viewer,
    /// The moment of the plan.
    pub now: Timestamp,
    /// How long its offers hold.
    pub offer_lifetime: SignedDuration,
}

/// Answers for every datazone exactly once: an offer, best first, or a refusal with all reasons, by zone id.
///
/// `mint` names an offer, given its datazone, so that the caller can make the id a random one or a row's key.
///
/// # Errors
///
/// A request that could not be put to any zone (an unknown volume or datazone, a mount path outside the roots, less than
/// the record's minimum) is answered with all its faults as [`Error::Request`].
pub fn plan(question: &Question<'_>, mut mint: impl FnMut(&str) -> String) -> Result<Plan, Error> {
    let wanted = request::wanted(question)?;
    let mut offers = Vec::new();
    let mut refusals = Vec::new();
    for zone in question.zones {
        match judge::judge(&wanted, zone, question) {
            Ok(accepted) => offers.push((accepted.score, zone, accepted)),
            Err(reasons) => refusals.push(Refusal { datazone: zone.id.clone(), reasons }),
        }
    }
    offers
        .sort_by(|(score, zone, _), (other, other_zone, _)| score.cmp(other).then_with(|| zone.id.cmp(&other_zone.id)));
    refusals.sort_by(|one, other| one.datazone.cmp(&other.datazone));

    let expires_at = question.now.checked_add(question.offer_lifetime).unwrap_or(Timestamp::MAX).to_string();
    let offers: Vec<Offer> = offers
        .into_iter()
        .map(|(score, zone, accepted)| Offer {
            id: mint(&zone.id),
            datazone: zone.id.clone(),
            expires_at: expires_at.clone(),
            requested: wanted.requested(),
            offered: accepted.offered,
            mounts: accepted.mounts,
            score,
            explanation: accepted.explanation,
        })
        .collect();
    let answer = if offers.is_empty() { PlanAnswer::No } else { PlanAnswer::Yes };
    Ok(Plan { answer, offers, refusals })
}
