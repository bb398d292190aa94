//! What is wanted: the record's need and the request made into one, or every fault of the request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, Mount, Range, Resources};
use catalog_schemas::problem::Finding;
use catalog_schemas::volume::{Space, check_mount_path};

use super::{DEFAULT_CPU_CORES, DEFAULT_MEMORY_MIB, KnownVolume, Question};
use crate::Error;
use crate::words::{list, mebibytes};

/// The record's need and the request made into one.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) cpu: CpuRange,
    pub(super) memory: Range,
    /// Absent when none is wanted.
    pub(super) gpu: Option<GpuRequest>,
    pub(super) mounts: Vec<WantedMount<'a>>,
    /// The clashes between mounts, which are the same in every zone.
    pub(super) conflicts: Vec<String>,
}

/// A volume that will be mounted, with what the catalogue says about it.
#[derive(Debug)]
pub(super) struct WantedMount<'a> {
    pub(super) mount: Mount,
    pub(super) volume: Cow<'a, KnownVolume>,
    /// Whether it is left out where the datazone has none.
    pub(super) is_optional: bool,
}

impl WantedMount<'_> {
    /// Returns the key by which a datazone says that it holds it.
    pub(super) fn held_key(&self) -> &str {
        match Space::of_key(&self.volume.key) {
            Some(space) => space.held_key(),
            None => &self.volume.key,
        }
    }

    /// Says whether it is a space of somebody's own, which is never copied from elsewhere.
    pub(super) fn is_space(&self) -> bool {
        Space::of_key(&self.volume.key).is_some()
    }
}

impl Wanted<'_> {
    /// Returns what is asked for in the words of an offer.
    pub(super) fn requested(&self) -> Resources {
        Resources { cpu: Some(self.cpu), memory_mib: Some(self.memory), gpu: self.gpu.clone() }
    }
}

/// Makes one of need and request.
pub(super) fn wanted<'a>(question: &Question<'a>) -> Result<Wanted<'a>, Error> {
    let mut findings = Vec::new();
    findings.extend(question.request.name.as_deref().and_then(name_fault));
    let cpu = wanted_cpu(question, &mut findings);
    let memory = wanted_memory(question, &mut findings);
    let gpu = wanted_gpu(question, &mut findings);
    let mounts = wanted_mounts(question, &mut findings);
    if let Some(chosen) = &question.request.datazone
        && !question.zones.iter().any(|zone| zone.id == *chosen)
    {
        findings.push(
            Finding::error("datazone.unknown", format!("there is no datazone `{}`", cut(chosen)))
                .pointer("/datazone")
                .got(chosen),
        );
    }
    if findings.is_empty() {
        let conflicts = conflicts(&mounts);
        Ok(Wanted { cpu, memory, gpu, mounts, conflicts })
    } else {
        Err(Error::Request { findings })
    }
}

/// Says what is wrong with the owner's name for a launch, which stands in lists, logs and at other servers.
fn name_fault(name: &str) -> Option<Finding> {
    const MOST: usize = 100;
    let is_hidden = |it: char| it.is_control() || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let message = if name.chars().count() > MOST {
        format!("a name has at most {MOST} characters")
    } else if name.contains(is_hidden) {
        "a name is one line, without characters that steer the direction of text".to_owned()
    } else {
        return None;
    };
    Some(Finding::error("name.invalid", message).pointer("/name").got(cut(name)))
}

fn wanted_cpu(question: &Question<'_>, findings: &mut Vec<Finding>) -> CpuRange {
    let default = CpuRange { min: MilliCpu::cores(DEFAULT_CPU_CORES), max: None };
    let need = question.need.resources.cpu.unwrap_or(default);
    // A record's maximum says what it can make use of. It is not a wish: who does not ask for more gets the minimum.
    let Some(asked) = question.request.resources.cpu else { return CpuRange { max: None, ..need } };
    if asked.min < need.min {
        findings.push(below("/resources/cpu/min", &asked.min.to_string(), &need.min.to_string(), "CPUs"));
    }
    if let Some(max) = asked.max.filter(|max| *max < asked.min) {
        findings.push(upside_down("/resources/cpu/max", &max.to_string(), &asked.min.to_string()));
    }
    asked
}

fn wanted_memory(question: &Question<'_>, findings: &mut Vec<Finding>) -> Range {
    let need = question.need.resources.memory_mib.unwrap_or(Range { min: DEFAULT_MEMORY_MIB, max: None });
    let Some(asked) = question.request.resources.memory_mib else { return Range { max: None, ..need } };
    if asked.min < need.min {
        findings.push(below("/resources/memoryMiB/min", &mebibytes(asked.min), &mebibytes(need.min), "memory"));
    }
    if let Some(max) = asked.max.filter(|max| *max < asked.min) {
        findings.push(upside_down("/resources/memoryMiB/max", &mebibytes(max), &mebibytes(asked.min)));
    }
    asked
}

fn wanted_gpu(question: &Question<'_>, findings: &mut Vec<Finding>) -> Option<GpuRequest> {
    let need = normalised(question.need.resources.gpu.as_ref());
    let Some(asked) = &question.request.resources.gpu else { return need.filter(|gpu| gpu.count > 0) };
    let asked = normalised(Some(asked)).unwrap_or_default();
    let Some(need) = need else { return Some(asked).filter(|gpu| gpu.count > 0) };
    if asked.count < need.count {
        findings.push(below("/resources/gpu/count", &asked.count.to_string(), &need.count.to_string(), "GPUs"));
    }
    let models = match (need.models.is_empty(), asked.models.is_empty()) {
        (_, true) => need.models.clone(),
        (true, false) => asked.models.clone(),
        (false, false) => {
            let both: Vec<String> =
                asked.models.iter().filter(|model| contains_word(&need.models, model)).cloned().collect();
            if both.is_empty() {
                let message = format!("it runs on {}, not on {}", list(&need.models), list(&asked.models));
                findings.push(
                    Finding::error("resources.gpu_model", message)
                        .pointer("/resources/gpu/model")
                        .got(list(&asked.models)),
                );
            }
            both
        }
    };
    let vendor = match (&need.vendor, &asked.vendor) {
        (Some(need), Some(asked)) if !need.eq_ignore_ascii_case(asked) => {
            let message = format!("it runs on {need} GPUs, not on {}", cut(asked));
            findings.push(Finding::error("resources.gpu_model", message).pointer("/resources/gpu/vendor").got(asked));
            Some(need.clone())
        }
        (need, asked) => asked.clone().or(need.clone()),
    };
    if let (Some(asked), Some(need)) = (asked.memory_mib, need.memory_mib)
        && asked < need
    {
        findings.push(below("/resources/gpu/memoryMiB", &mebibytes(asked), &mebibytes(need), "GPU memory"));
    }
    let cuda = match (&need.cuda, &asked.cuda) {
        (Some(need), Some(asked)) => Some(if dotted(need) > dotted(asked) { need.clone() } else { asked.clone() }),
        (need, asked) => asked.clone().or(need.clone()),
    };
    let memory_mib = asked.memory_mib.max(need.memory_mib);
    Some(GpuRequest { count: asked.count, models, model: None, vendor, memory_mib, cuda }).filter(|gpu| gpu.count > 0)
}

/// Adds the single model of a form to the list of models.
fn normalised(gpu: Option<&GpuRequest>) -> Option<GpuRequest> {
    let mut gpu = gpu?.clone();
    if let Some(model) = gpu.model.take().filter(|model| !model.is_empty())
        && !contains_word(&gpu.models, &model)
    {
        gpu.models.push(model);
    }
    gpu.vendor = gpu.vendor.filter(|vendor| !vendor.is_empty());
    Some(gpu)
}

fn wanted_mounts<'a>(question: &Question<'a>, findings: &mut Vec<Finding>) -> Vec<WantedMount<'a>> {
    let known = |name: &str| {
        if let Some(space) = Space::of_key(name) {
            return Some(Cow::Owned(space_volume(space)));
        }
        // A manifest may name a volume without knowing which zone describes it.
        let name = name.strip_prefix("urn:esado:volume:").unwrap_or(name);
        let is_named = |volume: &&KnownVolume| volume.key == name || volume.iri == name || volume.identifier == name;
        question.volumes.iter().find(is_named).map(Cow::Borrowed)
    };
    let mut mounts: BTreeMap<String, WantedMount<'a>> = BTreeMap::new();
    for (space, is_optional) in wanted_spaces(question) {
        let volume: Cow<'a, KnownVolume> = Cow::Owned(space_volume(space));
        let mount = mount(&volume, None, None);
        mounts.insert(volume.key.clone(), WantedMount { mount, volume, is_optional });
    }
    for need in question.need.volumes.iter().filter(|need| need.required) {
        if let Some(volume) = known(&need.volume) {
            let mount = mount(&volume, Some(&need.mount_path), Some(&need.mode));
            mounts.insert(volume.key.clone(), WantedMount { mount, volume, is_optional: false });
        } else {
            // The record was valid when it was published; the volume has left the catalogue since.
            let message = format!("it needs the volume `{}`, which is not in the catalogue", cut(&need.volume));
            findings.push(Finding::error("volume.unknown", message).pointer("/datalab").got(&need.volume));
        }
    }
    let mut asked_before: Vec<String> = Vec::new();
    for (position, asked) in question.request.volumes.iter().enumerate() {
        let Some(volume) = known(&asked.volume) else {
            let message = format!("there is no volume `{}`", cut(&asked.volume));
            let pointer = format!("/volumes/{position}/volume");
            findings.push(Finding::error("volume.unknown", message).pointer(pointer).got(&asked.volume));
            continue;
        };
        if asked_before.contains(&volume.key) {
            let message = format!("the volume {} is asked for twice", volume.name);
            findings.push(
                Finding::error("volume.duplicate", message)
                    .pointer(format!("/volumes/{position}/volume"))
                    .got(&asked.volume),
            );
            continue;
        }
        asked_before.push(volume.key.clone());
        if let Some(mode) = asked.mode.as_deref().filter(|mode| !matches!(*mode, "" | "ro" | "rw")) {
            let message = format!("`{}` is not a mode of mounting; write ro or rw", cut(mode));
            findings.push(Finding::error("mount.mode", message).pointer(format!("/volumes/{position}/mode")).got(mode));
        }
        // What the manifest says about an optional volume holds when the request leaves it open.
        let manifest =
            question.need.volumes.iter().find(|need| known(&need.volume).is_some_and(|it| it.key == volume.key));
        let said = |asked: &Option<String>| asked.as_ref().is_some_and(|asked| !asked.is_empty());
        let path =
            if said(&asked.mount_path) { asked.mount_path.as_ref() } else { manifest.map(|need| &need.mount_path) };
        let mode = if said(&asked.mode) { asked.mode.as_ref() } else { manifest.map(|need| &need.mode) };
        let mount = mount(&volume, path, mode);
        if let Err(invalid) = check_mount_path(&mount.mount_path) {
            findings.push(
                Finding::error("mount.path", invalid.to_string())
                    .pointer(format!("/volumes/{position}/mountPath"))
                    .got(&mount.mount_path),
            );
        }
        mounts.insert(volume.key.clone(), WantedMount { mount, volume, is_optional: false });
    }
    let mounts: Vec<WantedMount<'a>> = mounts.into_values().collect();
    // What nobody asked for by name makes room for what somebody did.
    let is_in_the_way = |it: &WantedMount<'_>| {
        it.is_optional && mounts.iter().any(|other| !other.is_optional && overlap(&it.mount, &other.mount))
    };
    let clashing: Vec<String> = mounts.iter().filter(|it| is_in_the_way(it)).map(|it| it.volume.key.clone()).collect();
    mounts.into_iter().filter(|it| !clashing.contains(&it.volume.key)).collect()
}

fn overlap(one: &Mount, other: &Mount) -> bool {
    let (one, other) = (&one.mount_path, &other.mount_path);
    one == other || lies_below(one, other) || lies_below(other, one)
}

/// Lists the spaces that are mounted without being named, and whether a datazone without them will do.
fn wanted_spaces<'a>(question: &Question<'a>) -> Vec<(Space<'a>, bool)> {
    let (need, viewer) = (question.need, question.viewer);
    let mut spaces = Vec::new();
    let wants = question.request.personal_space.or(need.personal_space).unwrap_or(true);
    if need.keeps_results || (wants && viewer.account.is_some()) {
        spaces.push((Space::Personal, !need.keeps_results));
    }
    if need.team_space {
        spaces.extend(viewer.groups.iter().map(|team| (Space::Team(team), true)));
    }
    // What cannot be a folder's name has no folder.
    spaces.retain(|(space, _)| Space::of_key(&space.key()).is_some());
    spaces
}

/// Describes a space as if the catalogue had it.
fn space_volume(space: Space<'_>) -> KnownVolume {
    let (name, allowed_groups) = match space {
        Space::Personal => ("your own space".to_owned(), Vec::new()),
        Space::Team(team) => (format!("the space of {team}"), vec![team.to_owned()]),
    };
    KnownVolume {
        key: space.key(),
        name,
        default_mount_path: space.mount_path(),
        mode: "rw".to_owned(),
        allowed_groups,
        ..KnownVolume::default()
    }
}

fn mount(volume: &KnownVolume, path: Option<&String>, mode: Option<&String>) -> Mount {
    Mount {
        volume: volume.key.clone(),
        mount_path: path.filter(|path| !path.is_empty()).unwrap_or(&volume.default_mount_path).clone(),
        mode: mode.filter(|mode| !mode.is_empty()).unwrap_or(&volume.mode).clone(),
    }
}

/// Says of each pair of mounts whether one would hide the other.
fn conflicts(mounts: &[WantedMount<'_>]) -> Vec<String> {
    let mut messages = Vec::new();
    for (position, one) in mounts.iter().enumerate() {
        if let Err(invalid) = check_mount_path(&one.mount.mount_path) {
            messages.push(format!("{} cannot be mounted: {invalid}", one.volume.name));
        }
        for other in &mounts[position + 1..] {
            let (path, other_path) = (&one.mount.mount_path, &other.mount.mount_path);
            if !overlap(&one.mount, &other.mount) {
                continue;
            }
            if path == other_path {
                messages.push(format!("{} and {} would both be mounted at {path}", one.volume.name, other.volume.name));
            } else {
                messages.push(format!(
                    "{} at {path} and {} at {other_path} would lie within one another",
                    one.volume.name, other.volume.name
                ));
            }
        }
    }
    messages
}

fn lies_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
}

fn below(pointer: &str, asked: &str, minimum: &str, of: &str) -> Finding {
    Finding::error("resources.below_minimum", format!("it needs at least {minimum} {of}; {asked} is asked for"))
        .pointer(pointer)
        .got(asked)
}

fn upside_down(pointer: &str, max: &str, min: &str) -> Finding {
    Finding::error("resources.range", format!("at most {max} is less than at least {min}")).pointer(pointer).got(max)
}

/// Says whether a list of model or vendor words holds a word, whatever its case.
pub(super) fn contains_word(words: &[String], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Reads `12.4` as numbers, so that 10.0 is newer than 9.2.
pub(super) fn dotted(version: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    while parts.last() == Some(&0) {
        parts.pop();
    }
    parts
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}
