//! One zone's answer: every reason against it, or what it offers, its rank and why in words.

use catalog_schemas::datazone::{Capacity, Gpu};
use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, Mount, Range, Reason, Resources};
use catalog_schemas::volume::Space;
use jiff::{SignedDuration, Timestamp};

use super::request::{Wanted, WantedMount, contains_word, dotted};
use super::{Health, ImagePolicy, Question, ZoneSnapshot};
use crate::words::{bytes, free_of_mebibytes, list, mebibytes, plural};

/// A zone's yes.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) offered: Resources,
    pub(super) mounts: Vec<Mount>,
    pub(super) score: u64,
    pub(super) explanation: Vec<String>,
}

/// Clocks of zones may run ahead of ours by this much before an observation counts as nonsense.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// Judges one zone.
pub(super) fn judge(
    wanted: &Wanted<'_>,
    zone: &ZoneSnapshot,
    question: &Question<'_>,
) -> Result<Accepted, Vec<Reason>> {
    let mut reasons = Reasons::default();
    if let Some(chosen) = question.request.datazone.as_ref().filter(|chosen| **chosen != zone.id) {
        let name = question.zones.iter().find(|zone| zone.id == *chosen).map_or(chosen, |zone| &zone.name);
        reasons.push("zone.not_chosen", format!("you chose {name}"));
    }
    let capacity = match &zone.health {
        Health::Down(cause) => {
            // What is free in a zone that does not answer is not worth a reason of its own.
            reasons.push("zone.down", format!("does not answer: {cause}"));
            None
        }
        Health::Up => {
            let fresh = zone.capacity.as_ref().filter(|capacity| is_fresh(capacity, zone, question.now));
            if fresh.is_none() {
                reasons.push("capacity.unknown", unknown_since(zone));
            }
            fresh
        }
    };
    judge_access(zone, question, &mut reasons);
    judge_image(zone, question, &mut reasons);
    judge_quota(wanted, zone, question, &mut reasons);
    let bytes_to_move = judge_mounts(wanted, zone, question, &mut reasons);
    judge_cpu(wanted, zone, capacity, &mut reasons);
    judge_memory(wanted, zone, capacity, &mut reasons);
    let gpu = wanted.gpu.as_ref().and_then(|gpu| judge_gpu(gpu, zone, capacity, &mut reasons));

    let Some(capacity) = capacity.filter(|_| reasons.0.is_empty()) else { return Err(reasons.0) };
    let offered = offered(wanted, zone, capacity, gpu);
    let score = score(zone, capacity, bytes_to_move, question);
    let explanation = explain(wanted, zone, capacity, gpu, bytes_to_move, question);
    let mounts = mounted(wanted, zone).map(|it| it.mount.clone()).collect();
    Ok(Accepted { offered, mounts, score, explanation })
}

/// Lists what is mounted there: everything but the spaces that the datazone does not have and that it can do without.
fn mounted<'w, 'a>(wanted: &'w Wanted<'a>, zone: &ZoneSnapshot) -> impl Iterator<Item = &'w WantedMount<'a>> {
    wanted.mounts.iter().filter(|it| !it.is_optional || zone.volumes.contains_key(it.held_key()))
}

#[derive(Default)]
struct Reasons(Vec<Reason>);

impl Reasons {
    fn push(&mut self, code: &str, message: impl Into<String>) {
        self.0.push(Reason { code: code.to_owned(), message: message.into() });
    }
}

fn is_fresh(capacity: &Capacity, zone: &ZoneSnapshot, now: Timestamp) -> bool {
    capacity.observed_at.parse::<Timestamp>().is_ok_and(|observed| {
        let age = now.duration_since(observed);
        age <= SignedDuration::from_secs(zone.capacity_ttl_seconds.max(0)) && age >= -CLOCK_TOLERANCE
    })
}

fn unknown_since(zone: &ZoneSnapshot) -> String {
    zone.capacity.as_ref().map_or_else(
        || "what is free there is not known".to_owned(),
        |capacity| format!("what is free there is not known: it was last seen at {}", capacity.observed_at),
    )
}

fn judge_access(zone: &ZoneSnapshot, question: &Question<'_>, reasons: &mut Reasons) {
    let (need, viewer) = (question.need, question.viewer);
    let limited = !need.allowed_groups.is_empty() || !need.allowed_accounts.is_empty();
    let named = viewer.account.as_ref().is_some_and(|account| need.allowed_accounts.contains(account));
    if limited && !named && !is_member(&need.allowed_groups, question) {
        let message = if need.allowed_groups.is_empty() {
            "only the accounts that its owner named may launch it".to_owned()
        } else {
            "only members of the groups that it is for may launch it".to_owned()
        };
        reasons.push("access.denied", message);
    }
    if !zone.policy.allowed_groups.is_empty() && !is_member(&zone.policy.allowed_groups, question) {
        reasons
            .push("access.denied", format!("only members of {} may launch there", list(&zone.policy.allowed_groups)));
    }
}

fn is_member(groups: &[String], question: &Question<'_>) -> bool {
    question.viewer.account.is_some() && groups.iter().any(|group| question.viewer.groups.contains(group))
}

fn judge_image(zone: &ZoneSnapshot, question: &Question<'_>, reasons: &mut Reasons) {
    let need = question.need;
    if !zone.capability.interfaces.contains(&need.interface_type) {
        let message = format!("does not run labs of the kind `{}`", need.interface_type);
        reasons.push("interface.unsupported", message);
    }
    if zone.policy.images == ImagePolicy::NotNeeded {
        return;
    }
    let Some(image) = &need.image else {
        reasons.push("image.none", "it is catalogued, but names no public image that could be run");
        return;
    };
    if image.digest.is_none() && zone.policy.images == ImagePolicy::Pinned {
        reasons.push("image.unpinned", "runs only images named by digest, and this one is named by a tag");
    }
    if !need.architectures.is_empty() && !need.architectures.iter().any(|it| zone.capability.architectures.contains(it))
    {
        let message = format!(
            "runs {} images, and this one is made for {}",
            list(&zone.capability.architectures),
            list(&need.architectures)
        );
        reasons.push("image.arch", message);
    }
}

fn judge_quota(wanted: &Wanted<'_>, zone: &ZoneSnapshot, question: &Question<'_>, reasons: &mut Reasons) {
    let viewer = question.viewer;
    let here = viewer.running.get(&zone.id).copied().unwrap_or_default();
    let everywhere = |of: fn(&super::Running) -> u32| viewer.running.values().map(of).fold(0, u32::saturating_add);
    let sessions = everywhere(|running| running.sessions);
    if let Some(allowed) = viewer.allowed_sessions.filter(|allowed| sessions >= *allowed) {
        let message = format!("you have {sessions} of {allowed} {} running", plural(allowed.into(), "lab", "labs"));
        reasons.push("quota.sessions", message);
    }
    if let Some(allowed) = zone.policy.sessions_per_account.filter(|allowed| here.sessions >= *allowed) {
        let count = here.sessions;
        let message = format!("you have {count} of {allowed} {} running there", plural(allowed.into(), "lab", "labs"));
        reasons.push("quota.sessions", message);
    }
    let Some(gpu) = &wanted.gpu else { return };
    let gpus = everywhere(|running| running.gpus);
    if let Some(allowed) = viewer.allowed_gpus.filter(|allowed| gpus.saturating_add(gpu.count) > *allowed) {
        let message = format!("you hold {gpus} of {allowed} {} allowed", plural(allowed.into(), "GPU", "GPUs"));
        reasons.push("quota.gpu", message);
    }
    let over = |allowed: &u32| here.gpus.saturating_add(gpu.count) > *allowed;
    if let Some(allowed) = zone.policy.gpus_per_account.filter(over) {
        let message = format!("you hold {} of {allowed} GPUs allowed there", here.gpus);
        reasons.push("quota.gpu", message);
    }
}

/// Judges the volumes and returns the bytes that would have to be moved.
fn judge_mounts(wanted: &Wanted<'_>, zone: &ZoneSnapshot, question: &Question<'_>, reasons: &mut Reasons) -> u64 {
    for message in &wanted.conflicts {
        reasons.push("mount.conflict", message);
    }
    let mut bytes_to_move = 0u64;
    for it in mounted(wanted, zone) {
        let (volume, writes) = (it.volume.as_ref(), it.mount.mode == "rw");
        let name = &volume.name;
        let limited = !volume.allowed_groups.is_empty() || !volume.allowed_accounts.is_empty();
        let named = question.viewer.account.as_ref().is_some_and(|it| volume.allowed_accounts.contains(it));
        if limited && !named && !is_member(&volume.allowed_groups, question) {
            let message = if volume.allowed_groups.is_empty() {
                format!("only the accounts that its owner named may mount {name}")
            } else {
                format!("only members of the groups that it is for may mount {name}")
            };
            reasons.push("volume.forbidden", message);
        }
        match zone.volumes.get(it.held_key()) {
            Some(held) => {
                if writes && (!held.writable || volume.mode != "rw") {
                    reasons.push("volume.forbidden", format!("{name} is read-only there"));
                }
            }
            None if it.is_space() => reasons.push("volume.absent", format!("has no place for {name}")),
            None if !zone.policy.copies_volumes => reasons.push("volume.absent", format!("does not hold {name}")),
            None => match volume.byte_size {
                Some(size) if !writes => bytes_to_move = bytes_to_move.saturating_add(size),
                Some(_) => reasons.push("volume.forbidden", format!("does not hold {name}; a copy is read-only")),
                None => {
                    reasons.push("volume.absent", format!("does not hold {name}, and its size is not known"));
                }
            },
        }
    }
    bytes_to_move
}

fn judge_cpu(wanted: &Wanted<'_>, zone: &ZoneSnapshot, capacity: Option<&Capacity>, reasons: &mut Reasons) {
    let (asked, total) = (wanted.cpu.min, zone.capability.cpu);
    if asked > total {
        reasons.push("cpu.insufficient", format!("has {total} CPUs; {asked} are asked for"));
    } else if let Some(free) = capacity.map(|capacity| capacity.free_cpu).filter(|free| asked > *free) {
        reasons.push("capacity.full", full(&format!("{free} of {total} CPUs"), free.0 == 0, &asked.to_string()));
    }
}

fn judge_memory(wanted: &Wanted<'_>, zone: &ZoneSnapshot, capacity: Option<&Capacity>, reasons: &mut Reasons) {
    let (asked, total) = (wanted.memory.min, zone.capability.memory_mib);
    if asked > total {
        let message = format!("has {} memory; {} are asked for", mebibytes(total), mebibytes(asked));
        reasons.push("memory.insufficient", message);
    } else if let Some(free) = capacity.map(|capacity| capacity.free_memory_mib).filter(|free| asked > *free) {
        let of = format!("{} memory", free_of_mebibytes(free, total));
        reasons.push("capacity.full", full(&of, free == 0, &mebibytes(asked)));
    }
}

fn full(free_of_total: &str, nothing: bool, asked: &str) -> String {
    if nothing {
        format!("full: {free_of_total} free")
    } else {
        format!("full: {free_of_total} free, {asked} asked for")
    }
}

/// Judges the GPUs and returns the model that would be granted: the smallest that is enough, so that the large ones
/// stay free for those who need them.
fn judge_gpu<'z>(
    asked: &GpuRequest,
    zone: &'z ZoneSnapshot,
    capacity: Option<&Capacity>,
    reasons: &mut Reasons,
) -> Option<(&'z Gpu, u32)> {
    let held: Vec<&Gpu> = zone.capability.gpus.iter().filter(|gpu| gpu.count > 0).collect();
    if held.is_empty() {
        reasons.push("gpu.none", "has no GPU");
        return None;
    }
    let names = |gpus: &[&Gpu]| list(&gpus.iter().map(|gpu| gpu.model.as_str()).collect::<Vec<_>>());
    let is_wanted_model = |gpu: &&Gpu| {
        (asked.models.is_empty() || contains_word(&asked.models, &gpu.model))
            && asked.vendor.as_ref().is_none_or(|vendor| vendor.eq_ignore_ascii_case(&gpu.vendor))
    };
    let fitting: Vec<&Gpu> = held.iter().copied().filter(is_wanted_model).collect();
    if fitting.is_empty() {
        let models = if asked.models.is_empty() {
            format!("a GPU of {}", asked.vendor.as_deref().unwrap_or("another vendor"))
        } else {
            list(&asked.models)
        };
        reasons.push("gpu.model", format!("has {}; {models} is asked for", names(&held)));
        return None;
    }
    let large: Vec<&Gpu> = retained(&fitting, |gpu| asked.memory_mib.is_none_or(|asked| gpu.memory_mib >= asked));
    if large.is_empty() {
        let largest = fitting.iter().map(|gpu| gpu.memory_mib).max().unwrap_or_default();
        let wanted = mebibytes(asked.memory_mib.unwrap_or_default());
        reasons.push("gpu.memory", format!("has GPUs with {}; {wanted} are asked for", mebibytes(largest)));
    }
    let runs_cuda = |gpu: &Gpu, cuda: &str| gpu.cuda.as_ref().is_some_and(|newest| dotted(newest) >= dotted(cuda));
    let recent: Vec<&Gpu> = retained(&fitting, |gpu| asked.cuda.as_ref().is_none_or(|cuda| runs_cuda(gpu, cuda)));
    if let Some(cuda) = asked.cuda.as_ref().filter(|_| recent.is_empty()) {
        let newest = fitting.iter().filter_map(|gpu| gpu.cuda.as_deref()).max_by_key(|cuda| dotted(cuda));
        let message = newest.map_or_else(
            || format!("does not say which CUDA its GPUs run; {cuda} is asked for"),
            |newest| format!("runs CUDA up to {newest}; {cuda} is asked for"),
        );
        reasons.push("gpu.cuda", message);
    }
    if large.is_empty() || recent.is_empty() {
        return None;
    }
    let good: Vec<&Gpu> = retained(&large, |gpu| recent.contains(&gpu));
    let many: Vec<&Gpu> = retained(&good, |gpu| gpu.count >= asked.count);
    if many.is_empty() {
        let code = if good.is_empty() { "gpu.memory" } else { "gpu.insufficient" };
        let message = good.iter().max_by_key(|gpu| gpu.count).map_or_else(
            || "has no GPU with both the memory and the CUDA asked for".to_owned(),
            |gpu| format!("has {} {}; {} are asked for", gpu.count, gpu.model, asked.count),
        );
        reasons.push(code, message);
        return None;
    }
    let capacity = capacity?;
    let free_of = |gpu: &Gpu| {
        let free = capacity.free_gpus.iter().filter(|free| free.model == gpu.model).map(|free| free.count);
        free.fold(0, u32::saturating_add).min(gpu.count)
    };
    let mut free: Vec<(&Gpu, u32)> =
        many.iter().map(|gpu| (*gpu, free_of(gpu))).filter(|(_, free)| *free >= asked.count).collect();
    free.sort_by(|(one, _), (other, _)| {
        one.memory_mib.cmp(&other.memory_mib).then_with(|| one.model.cmp(&other.model))
    });
    if free.is_empty() {
        for gpu in &many {
            let free = free_of(gpu);
            let of = format!("{free} of {} {}", gpu.count, gpu.model);
            reasons.push("capacity.full", full(&of, free == 0, &asked.count.to_string()));
        }
    }
    free.first().copied()
}

fn retained<'z>(gpus: &[&'z Gpu], keep: impl Fn(&Gpu) -> bool) -> Vec<&'z Gpu> {
    gpus.iter().copied().filter(|gpu| keep(gpu)).collect()
}

fn offered(wanted: &Wanted<'_>, zone: &ZoneSnapshot, capacity: &Capacity, gpu: Option<(&Gpu, u32)>) -> Resources {
    let most_cpu = capacity.free_cpu.min(zone.capability.cpu);
    let cpu: MilliCpu = wanted.cpu.max.unwrap_or(wanted.cpu.min).min(most_cpu);
    let most_memory = capacity.free_memory_mib.min(zone.capability.memory_mib);
    let memory = wanted.memory.max.unwrap_or(wanted.memory.min).min(most_memory);
    Resources {
        cpu: Some(CpuRange { min: cpu, max: Some(cpu) }),
        memory_mib: Some(Range { min: memory, max: Some(memory) }),
        gpu: gpu.map(|(gpu, _)| GpuRequest {
            count: wanted.gpu.as_ref().map_or(0, |wanted| wanted.count),
            models: Vec::new(),
            model: Some(gpu.model.clone()),
            vendor: Some(gpu.vendor.clone()),
            memory_mib: Some(gpu.memory_mib),
            cuda: gpu.cuda.clone(),
        }),
    }
}

/// Ranks: real before demonstration, then mebibytes to move, then thousandths in use, then the viewer's last zone.
///
/// The parts lie in separate bits, so that comparing two scores compares the parts in this order.
fn score(zone: &ZoneSnapshot, capacity: &Capacity, bytes_to_move: u64, question: &Question<'_>) -> u64 {
    const MOST_MEBIBYTES: u64 = (1 << 44) - 1;
    let mebibytes = bytes_to_move.div_ceil(1 << 20).min(MOST_MEBIBYTES);
    let elsewhere = question.viewer.last_zone.as_ref() != Some(&zone.id);
    (u64::from(zone.demo) << 55)
        | (mebibytes << 11)
        | ((1000 - free_thousandths(zone, capacity)) << 1)
        | u64::from(elsewhere)
}

/// What is free of the scarcer of CPU and memory, in thousandths.
fn free_thousandths(zone: &ZoneSnapshot, capacity: &Capacity) -> u64 {
    let part = |free: u64, total: u64| {
        let part = u128::from(free.min(total)) * 1000 / u128::from(total.max(1));
        u64::try_from(part).unwrap_or(1000).min(1000)
    };
    let cpu = part(capacity.free_cpu.0.into(), zone.capability.cpu.0.into());
    cpu.min(part(capacity.free_memory_mib, zone.capability.memory_mib))
}

fn explain(
    wanted: &Wanted<'_>,
    zone: &ZoneSnapshot,
    capacity: &Capacity,
    gpu: Option<(&Gpu, u32)>,
    bytes_to_move: u64,
    question: &Question<'_>,
) -> Vec<String> {
    let mut words = Vec::new();
    if zone.demo {
        words.push("demonstration: a page stands for the lab and nothing is really run".to_owned());
    }
    if let Some(sentence) = explain_volumes(wanted, zone, bytes_to_move) {
        words.push(sentence);
    }
    words.push(format!("{} of {} CPUs free", capacity.free_cpu.min(zone.capability.cpu), zone.capability.cpu));
    let total = zone.capability.memory_mib;
    words.push(format!("{} memory free", free_of_mebibytes(capacity.free_memory_mib.min(total), total)));
    let asked_for_space = question.request.personal_space == Some(true);
    if asked_for_space && !zone.volumes.contains_key(Space::PERSONAL) {
        words.push("has no place for your own space: what a lab there keeps ends with it".to_owned());
    }
    if let Some((gpu, free)) = gpu {
        words.push(format!("{free} of {} {} free", gpu.count, gpu.model));
    }
    if question.viewer.last_zone.as_ref() == Some(&zone.id) {
        words.push("your last lab ran here".to_owned());
    }
    let unpinned = question.need.image.as_ref().is_some_and(|image| image.digest.is_none());
    if unpinned && zone.policy.images == ImagePolicy::Any {
        words.push("the image is named by a tag; what it stands for is recorded when it is pulled".to_owned());
    }
    words
}

fn explain_volumes(wanted: &Wanted<'_>, zone: &ZoneSnapshot, bytes_to_move: u64) -> Option<String> {
    let (here, absent): (Vec<_>, Vec<_>) =
        mounted(wanted, zone).filter(|it| !it.is_space()).partition(|it| zone.volumes.contains_key(&it.volume.key));
    if !absent.is_empty() {
        let names: Vec<&str> = absent.iter().map(|it| it.volume.name.as_str()).collect();
        return Some(format!("{} must be copied first: {}", bytes(bytes_to_move), list(&names)));
    }
    let size_of = |key: &str| zone.volumes.get(key).and_then(|held| held.byte_size);
    match here.as_slice() {
        [] => None,
        [one] => Some(size_of(&one.volume.key).or(one.volume.byte_size).map_or_else(
            || format!("the volume {} is at {}, so nothing is copied", one.volume.name, zone.name),
            |size| format!("the {} volume {} is at {}, so nothing is copied", bytes(size), one.volume.name, zone.name),
        )),
        many => {
            let sizes: Option<Vec<u64>> =
                many.iter().map(|it| size_of(&it.volume.key).or(it.volume.byte_size)).collect();
            let total = sizes.map(|sizes| sizes.into_iter().fold(0, u64::saturating_add));
            Some(total.map_or_else(
                || format!("all {} volumes are at {}, so nothing is copied", many.len(), zone.name),
                |total| {
                    format!("all {} volumes ({}) are at {}, so nothing is copied", many.len(), bytes(total), zone.name)
                },
            ))
        }
    }
}
