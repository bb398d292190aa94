//! A datazone in this process: nothing is really run, and every page of it says so.
//!
//! It behaves like a real one: launches take from what is free, take their time, end, and fail as they are told to.

mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog_schemas::datazone::{Capability, Capacity, FreeGpu};
use catalog_schemas::id::LaunchId;
use catalog_schemas::plan::MilliCpu;
use catalog_schemas::volume::Space;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backend::{
    Backend, BackendError, Endpoint, FailureCode, Listed, LogLine, LogQuery, LogStream, Observed, Prepared, Progress,
    Stage, Started,
};
use crate::config::{BackendKind, ZoneConfig};
use crate::spec::LaunchSpec;

/// What a demonstration has when its configuration does not say.
const DEFAULT_CPU: MilliCpu = MilliCpu::cores(16);
const DEFAULT_MEMORY_MIB: u64 = 64 * 1024;

/// Lines of a lab's log that are kept.
const KEPT_LINES: usize = 2000;

/// How a demonstration behaves: its slowness and its faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Faults {
    /// How long an image takes to be pulled.
    pub prepare_millis: u64,
    /// How long an interface takes to answer after the start.
    pub ready_millis: u64,
    /// How long a headless lab runs before it ends with success.
    pub headless_millis: u64,
    /// Fails in this stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_at: Option<Stage>,
    /// Fails with this code; one that fits the stage when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_with: Option<FailureCode>,
    /// Grants half of the CPU asked for.
    pub grants_less: bool,
    /// Does not say what is free.
    pub capacity_unknown: bool,
    /// Does not answer at all.
    pub down: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            prepare_millis: 1200,
            ready_millis: 600,
            headless_millis: 5000,
            fail_at: None,
            fail_with: None,
            grants_less: false,
            capacity_unknown: false,
            down: false,
        }
    }
}

/// A datazone in this process.
#[derive(Debug)]
pub struct DemoBackend {
    zone_name: String,
    capability: Capability,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    labs: BTreeMap<LaunchId, Arc<Lab>>,
}

/// A lab: what its page shows and what became of it.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) spec: LaunchSpec,
    pub(crate) zone_name: String,
    pub(crate) started: Timestamp,
    answers_from: Instant,
    ends_at: Option<Instant>,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<LogLine>,
    /// Lines that were dropped from the beginning, so that a follower keeps its place.
    dropped: usize,
    ended: Option<Ended>,
    visits: u64,
    note: String,
}

#[derive(Debug, Clone)]
struct Ended {
    code: i64,
    out_of_memory: bool,
    message: String,
}

impl DemoBackend {
    /// Makes a zone from its configuration.
    pub fn new(config: &ZoneConfig) -> Self {
        let capability = Capability {
            cpu: config.cpu.unwrap_or(DEFAULT_CPU),
            memory_mib: config.memory_mib.unwrap_or(DEFAULT_MEMORY_MIB),
            gpus: config.gpus(),
            architectures: vec!["amd64".to_owned(), "arm64".to_owned()],
            interfaces: config.served_interfaces(),
            volumes: config.mountable(),
        };
        let state = State { faults: config.demo.clone(), labs: BTreeMap::new() };
        Self { zone_name: config.name.clone(), capability, state: Mutex::new(state) }
    }

    /// Changes how it behaves from now on.
    pub fn set_faults(&self, faults: Faults) {
        locked(&self.state).faults = faults;
    }

    /// Ends a lab as if its process had ended; for tests and demonstrations of failures.
    pub fn end(&self, launch: &LaunchId, code: i64, out_of_memory: bool) {
        if let Some(lab) = self.lab(launch) {
            lab.end(Ended { code, out_of_memory, message: String::new() });
        }
    }

    fn lab(&self, launch: &LaunchId) -> Option<Arc<Lab>> {
        locked(&self.state).labs.get(launch).cloned()
    }

    /// Fails when the zone is told to be down or to fail in this stage.
    fn faults(&self, stage: Stage) -> Result<Faults, BackendError> {
        let faults = locked(&self.state).faults.clone();
        if faults.down {
            return Err(BackendError::new(
                stage,
                FailureCode::EngineUnreachable,
                "the demonstration is told to be down",
            ));
        }
        if faults.fail_at == Some(stage) && stage != Stage::Run && stage != Stage::Ready {
            let fitting = match stage {
                Stage::Prepare => FailureCode::ImagePullFailed,
                _ => FailureCode::EngineRefused,
            };
            let code = faults.fail_with.unwrap_or(fitting);
            return Err(BackendError::new(stage, code, "the demonstration is told to fail here"));
        }
        Ok(faults)
    }

    fn free(&self, state: &State) -> Capacity {
        let alive: Vec<&Arc<Lab>> = state.labs.values().filter(|lab| lab.ended().is_none()).collect();
        let used = |of: fn(&LaunchSpec) -> u64| alive.iter().map(|lab| of(&lab.spec)).fold(0, u64::saturating_add);
        let used_cpu = u32::try_from(used(|spec| spec.cpu.0.into())).unwrap_or(u32::MAX);
        let free_gpus = self.capability.gpus.iter().map(|gpu| {
            let mine = alive.iter().filter_map(|lab| lab.spec.gpus.as_ref()).filter(|gpus| gpus.model == gpu.model);
            let used = mine.map(|gpus| gpus.count).fold(0, u32::saturating_add);
            FreeGpu { model: gpu.model.clone(), count: gpu.count.saturating_sub(used) }
        });
        Capacity {
            free_cpu: MilliCpu(self.capability.cpu.0.saturating_sub(used_cpu)),
            free_memory_mib: self.capability.memory_mib.saturating_sub(used(|spec| spec.memory_mib)),
            free_gpus: free_gpus.collect(),
            sessions: u32::try_from(alive.len()).unwrap_or(u32::MAX),
            observed_at: Timestamp::now().to_string(),
        }
    }
}

impl Backend for DemoBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Demo
    }

    fn outlives_server(&self) -> bool {
        false
    }

    fn capability(&self) -> BoxFuture<'_, Result<Capability, BackendError>> {
        async { self.faults(Stage::Inquire).map(|_| self.capability.clone()) }.boxed()
    }

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, BackendError>> {
        async {
            if self.faults(Stage::Inquire)?.capacity_unknown {
                let cause = "the demonstration is told not to say what is free";
                return Err(BackendError::new(Stage::Inquire, FailureCode::EngineRefused, cause));
            }
            Ok(self.free(&locked(&self.state)))
        }
        .boxed()
    }

    fn prepare<'a>(
        &'a self,
        spec: &'a LaunchSpec,
        progress: &'a (dyn Fn(Progress) + Send + Sync),
    ) -> BoxFuture<'a, Result<Prepared, BackendError>> {
        async move {
            let faults = self.faults(Stage::Prepare)?;
            const STEPS: u64 = 10;
            for step in 1..=STEPS {
                tokio::time::sleep(Duration::from_millis(faults.prepare_millis / STEPS)).await;
                progress(Progress::Pull(u8::try_from(step * 100 / STEPS).unwrap_or(100)));
            }
            progress(Progress::Mount);
            for mount in &spec.mounts {
                let key = match Space::of_key(&mount.volume) {
                    Some(space) => space.held_key(),
                    None => &mount.volume,
                };
                if !self.capability.volumes.iter().any(|held| held == key) {
                    let cause = format!("the demonstration does not hold the volume `{}`", mount.volume);
                    return Err(BackendError::new(Stage::Prepare, FailureCode::MountMissing, cause));
                }
            }
            let digest = spec.image.as_ref().and_then(|image| image.pinned()).map(str::to_owned);
            Ok(Prepared { digest, byte_size: None })
        }
        .boxed()
    }

    fn start<'a>(&'a self, spec: &'a LaunchSpec) -> BoxFuture<'a, Result<Started, BackendError>> {
        async move {
            let faults = self.faults(Stage::Start)?;
            spec.check()?;
            let mut granted = spec.resources();
            if faults.grants_less
                && let Some(cpu) = &mut granted.cpu
            {
                cpu.min = MilliCpu(cpu.min.0 / 2);
                cpu.max = Some(cpu.min);
            }
            let mut state = locked(&self.state);
            if let Some(lab) = state.labs.get(&spec.launch) {
                return Ok(Started { granted: lab.spec.resources() });
            }
            let free = self.free(&state);
            if spec.cpu > free.free_cpu || spec.memory_mib > free.free_memory_mib {
                let cause = format!("{} CPUs and {} MiB are free", free.free_cpu, free.free_memory_mib);
                return Err(BackendError::new(Stage::Start, FailureCode::ResourcesUnavailable, cause));
            }
            if let Some(gpus) = &spec.gpus
                && !free.free_gpus.iter().any(|gpu| gpu.model == gpus.model && gpu.count >= gpus.count)
            {
                let cause = format!("{} {} are not free", gpus.count, gpus.model);
                return Err(BackendError::new(Stage::Start, FailureCode::GpuUnavailable, cause));
            }
            let lab = Arc::new(Lab::new(spec.clone(), self.zone_name.clone(), &faults));
            state.labs.insert(spec.launch.clone(), lab);
            Ok(Started { granted })
        }
        .boxed()
    }

    fn status<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Observed, BackendError>> {
        async move {
            self.faults(Stage::Run)?;
            Ok(self.lab(launch).map_or(Observed::Absent, |lab| match lab.ended() {
                None => Observed::Running,
                Some(ended) => {
                    Observed::Exited { code: ended.code, out_of_memory: ended.out_of_memory, message: ended.message }
                }
            }))
        }
        .boxed()
    }

    fn endpoint<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Option<Endpoint>, BackendError>> {
        async move {
            self.faults(Stage::Ready)?;
            let alive = self.lab(launch).filter(|lab| lab.ended().is_none() && lab.spec.has_interface());
            Ok(alive.map(|lab| Endpoint::Handler(page::router(lab))))
        }
        .boxed()
    }

    fn logs(&self, launch: &LaunchId, query: LogQuery) -> LogStream {
        let Some(lab) = self.lab(launch) else { return stream::empty().boxed() };
        let first = lab.first_line(&query);
        stream::unfold((lab, first), move |(lab, next)| async move {
            loop {
                // Waiting is announced before looking, so that a line written in between is not missed.
                let changed = lab.changed.notified();
                match lab.line(next) {
                    Some((line, position)) => return Some((Ok(line), (lab.clone(), position + 1))),
                    None if !query.follow || lab.ended().is_some() => return None,
                    // A lab that ends by time writes nothing, so a follower looks again after a while.
                    None => _ = tokio::time::timeout(Duration::from_millis(500), changed).await,
                }
            }
        })
        .boxed()
    }

    fn stop<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<(), BackendError>> {
        async move {
            self.faults(Stage::Stop)?;
            if let Some(lab) = self.lab(launch).filter(|lab| lab.ended().is_none()) {
                lab.say("asked to stop");
                lab.end(Ended { code: 143, out_of_memory: false, message: "stopped".to_owned() });
            }
            Ok(())
        }
        .boxed()
    }

    fn remove<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Vec<LogLine>, BackendError>> {
        async move {
            self.faults(Stage::Stop)?;
            let removed = locked(&self.state).labs.remove(launch);
            Ok(removed.map_or_else(Vec::new, |lab| {
                lab.end(Ended { code: 137, out_of_memory: false, message: "removed".to_owned() });
                lab.lines()
            }))
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, BackendError>> {
        async {
            self.faults(Stage::Inquire)?;
            let state = locked(&self.state);
            let listed = |(launch, lab): (&LaunchId, &Arc<Lab>)| Listed {
                launch: launch.clone(),
                running: lab.ended().is_none(),
            };
            Ok(state.labs.iter().map(listed).collect())
        }
        .boxed()
    }
}

impl Lab {
    fn new(spec: LaunchSpec, zone_name: String, faults: &Faults) -> Self {
        let now = Instant::now();
        let headless = !spec.has_interface();
        let started = Timestamp::now();
        // A lab told to fail while it runs ends as one that needs more memory than it was granted.
        let fails = matches!(faults.fail_at, Some(Stage::Run));
        let never = faults.fail_at == Some(Stage::Ready);
        let ends_at = headless.then(|| now + Duration::from_millis(faults.headless_millis));
        let wait = if never { Duration::from_secs(365 * 86_400) } else { Duration::from_millis(faults.ready_millis) };
        let lab = Self {
            spec,
            zone_name,
            started,
            answers_from: now + wait,
            ends_at,
            inner: Mutex::default(),
            changed: Notify::new(),
        };
        lab.say(&format!("DEMO: {} starts; nothing is really run", lab.spec.datalab_name));
        lab.say(&format!("granted {} CPUs and {} MiB memory", lab.spec.cpu, lab.spec.memory_mib));
        if let Some(gpus) = &lab.spec.gpus {
            lab.say(&format!("granted {} {}", gpus.count, gpus.model));
        }
        for mount in &lab.spec.mounts {
            lab.say(&format!("mounted {} at {} ({})", mount.volume, mount.mount_path, mount.mode));
        }
        if lab.spec.has_interface() {
            lab.say("listening");
        }
        if fails {
            let out_of_memory = faults.fail_with == Some(FailureCode::MemoryExceeded);
            lab.say("told to fail");
            lab.end(Ended { code: if out_of_memory { 137 } else { 1 }, out_of_memory, message: String::new() });
        }
        lab
    }

    /// Says whether its interface answers yet.
    pub(crate) fn answers(&self) -> bool {
        Instant::now() >= self.answers_from
    }

    /// Writes a line into its log.
    pub(crate) fn say(&self, text: &str) {
        let mut inner = locked(&self.inner);
        if inner.lines.len() == KEPT_LINES {
            inner.lines.remove(0);
            inner.dropped += 1;
        }
        inner.lines.push(LogLine { at: Some(Timestamp::now().to_string()), text: text.to_owned() });
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Counts a visit and returns the count.
    pub(crate) fn visit(&self) -> u64 {
        let mut inner = locked(&self.inner);
        inner.visits += 1;
        inner.visits
    }

    /// Returns what is on its notepad.
    pub(crate) fn note(&self) -> String {
        locked(&self.inner).note.clone()
    }

    /// Replaces what is on its notepad.
    pub(crate) fn set_note(&self, note: String) {
        locked(&self.inner).note = note;
    }

    /// Returns all lines that are kept.
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        locked(&self.inner).lines.clone()
    }

    fn line(&self, position: usize) -> Option<(LogLine, usize)> {
        let inner = locked(&self.inner);
        let position = position.max(inner.dropped);
        inner.lines.get(position - inner.dropped).map(|line| (line.clone(), position))
    }

    fn first_line(&self, query: &LogQuery) -> usize {
        let inner = locked(&self.inner);
        let since = query.since.map(|since| since.to_string());
        let before = |line: &LogLine| since.as_ref().is_some_and(|since| line.at.as_ref() < Some(since));
        let by_time = inner.lines.iter().take_while(|line| before(line)).count();
        let by_tail = query.tail.map_or(0, |tail| inner.lines.len().saturating_sub(tail as usize));
        inner.dropped + by_time.max(by_tail)
    }

    fn ended(&self) -> Option<Ended> {
        let ended = locked(&self.inner).ended.clone();
        let by_time = || self.ends_at.is_some_and(|at| Instant::now() >= at);
        ended.or_else(|| by_time().then(|| Ended { code: 0, out_of_memory: false, message: String::new() }))
    }

    fn end(&self, how: Ended) {
        if self.ended().is_none() {
            locked(&self.inner).ended = Some(how);
        }
        self.changed.notify_waiters();
    }
}

/// A demonstration's state stays usable when a thread that held it panicked: it is only ever replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
