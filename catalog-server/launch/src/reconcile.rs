//! From the intent and what is seen to the next step: a pure function, and a driver that does what it says.
//!
//! The server's loop reads the launches that are not over, calls [`drive`] for each and writes the answer back with
//! compare-and-set. Every action is idempotent, so a crash between acting and writing only repeats an action.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::{Failure, Launch, LaunchState};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};

use crate::backend::{
    Backend, BackendError, FailureCode, Listed, LogLine, LogQuery, Observed, Progress, Stage, check_granted,
};
use crate::probe::{Answer, answers};
use crate::spec::{Image, LaunchSpec};

/// How long a launch may stay in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// To pull the image and find the volumes.
    pub prepare: SignedDuration,
    /// To create and start the container, before its interface is waited for.
    pub start: SignedDuration,
    /// To stop.
    pub stop: SignedDuration,
    /// For an engine that does not answer, while a launch is on its way.
    pub unreachable: SignedDuration,
    /// How long a lab may go unused.
    pub idle: Option<SignedDuration>,
    /// How long what ended is kept at the backend, unless it is removed when finished.
    pub keep_ended: SignedDuration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            prepare: SignedDuration::from_mins(30),
            start: SignedDuration::from_mins(2),
            stop: SignedDuration::from_mins(2),
            unreachable: SignedDuration::from_mins(2),
            idle: None,
            keep_ended: SignedDuration::from_hours(24),
        }
    }
}

/// What is known of a launch at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The row.
    pub launch: &'a Launch,
    /// When it came into its state: the time of its last change of state.
    pub since: Timestamp,
    /// What the backend says.
    pub observed: &'a Observed,
    /// Whether it has an interface to wait for.
    pub has_interface: bool,
    /// How long its interface may take to answer.
    pub ready_within: SignedDuration,
    /// The moment.
    pub now: Timestamp,
}

/// What to write and what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// The change to write.
    pub transition: Option<Transition>,
    /// What to ask the backend for, after the change is written.
    pub action: Option<Action>,
}

/// A change of a launch's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state after it.
    pub state: LaunchState,
    /// More about the state in words.
    pub stage: Option<String>,
    /// Why it failed.
    pub failure: Option<BackendError>,
}

/// What to ask the backend for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Get the image and look for the volumes.
    Prepare,
    /// Start the container, or adopt the one that was started.
    Start,
    /// Ask the interface.
    Probe,
    /// Stop the container.
    Stop,
    /// Remove the container and keep its log.
    Remove,
}

/// Decides the next step.
pub fn step(sight: &Sight<'_>, deadlines: &Deadlines) -> Step {
    let Sight { launch, observed, .. } = *sight;
    if let Observed::Unreachable(cause) = observed {
        return step_unreachable(sight, cause, deadlines);
    }
    if let Observed::Failed(error) = observed
        && !launch.state.is_final()
        && launch.state != LaunchState::Stopping
    {
        let remove = launch.granted.is_none() || launch.remove_when_finished;
        return fail(error.stage, error.code, &error.cause, remove.then_some(Action::Remove));
    }
    match launch.state {
        LaunchState::Requested => to(LaunchState::Planned, None),
        LaunchState::Planned => to(LaunchState::Preparing, None),
        LaunchState::Preparing => step_preparing(sight, deadlines),
        LaunchState::Starting => step_starting(sight, deadlines),
        LaunchState::Ready | LaunchState::Running => step_running(sight, deadlines),
        LaunchState::Stopping => step_stopping(sight, deadlines),
        LaunchState::Completed | LaunchState::Cancelled | LaunchState::Failed => step_final(sight, deadlines),
    }
}

/// Returns what is listed and belongs to no launch, once that has been so for the time of quarantine.
///
/// `first_seen` is the caller's memory between calls. A restored database or a second server with the same label must
/// not cost anybody their work, so nothing is removed at first sight.
pub fn orphans(
    listed: &[Listed],
    known: &BTreeSet<LaunchId>,
    first_seen: &mut BTreeMap<LaunchId, Timestamp>,
    now: Timestamp,
    quarantine: SignedDuration,
) -> Vec<LaunchId> {
    let strangers: BTreeSet<&LaunchId> =
        listed.iter().map(|listed| &listed.launch).filter(|launch| !known.contains(*launch)).collect();
    first_seen.retain(|launch, _| strangers.contains(launch));
    strangers
        .into_iter()
        .filter(|launch| now.duration_since(*first_seen.entry((*launch).clone()).or_insert(now)) >= quarantine)
        .cloned()
        .collect()
}

/// What [`drive`] did to a launch.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The row as it is now.
    pub launch: Launch,
    /// Whether the row differs from the one given, and must be written.
    pub changed: bool,
    /// The step in words, for the launch's events; absent when nothing is worth telling.
    pub message: Option<String>,
    /// The end of its log, to be kept; only after it was removed.
    pub log: Option<Vec<LogLine>>,
    /// Whether to call again at once instead of after a pause.
    pub again: bool,
}

/// Looks at a launch, takes one step, and returns the row to write.
///
/// `since` is when the launch came into its state, `progress` hears how far the preparation is.
pub async fn drive(
    backend: &dyn Backend,
    spec: &LaunchSpec,
    launch: &Launch,
    since: Timestamp,
    deadlines: &Deadlines,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Update {
    let pinned;
    let spec = match (&launch.digest, &spec.image) {
        (Some(digest), Some(image)) if image.pinned().is_none() => {
            // What was pulled is what is started, whatever the tag says by now.
            let image = Image { digest: Some(digest.clone()), ..image.clone() };
            pinned = LaunchSpec { image: Some(image), ..spec.clone() };
            &pinned
        }
        _ => spec,
    };
    let mut observed = match backend.status(&spec.launch).await {
        Ok(observed) => observed,
        Err(error) => Observed::Unreachable(error.cause),
    };
    let was_started = launch.granted.is_some();
    let alive = matches!(launch.state, LaunchState::Starting | LaunchState::Ready | LaunchState::Running);
    if observed == Observed::Absent && alive && was_started && !backend.outlives_server() {
        // The lab ended with the server that held it; the intent still stands.
        if backend.start(spec).await.is_ok() {
            observed = Observed::Running;
        }
    }
    let sight = Sight {
        launch,
        since,
        observed: &observed,
        has_interface: spec.has_interface(),
        ready_within: SignedDuration::from_secs(spec.readiness.timeout_seconds.into()),
        now: Timestamp::now(),
    };
    let Step { transition, action } = step(&sight, deadlines);
    let mut update = Update {
        launch: launch.clone(),
        changed: false,
        message: None,
        log: None,
        again: transition.as_ref().is_some_and(|transition| !transition.state.is_final()),
    };
    if let Some(transition) = transition {
        enter(&mut update, backend, spec, transition).await;
    }
    match action {
        None => {}
        Some(Action::Prepare) => {
            // What is left of the deadline, so that a registry that stalls does not hold the launch for ever.
            let left = deadlines.prepare.saturating_sub(sight.now.duration_since(since));
            let preparing = prepare(&mut update, backend, spec, progress);
            if tokio::time::timeout(left.unsigned_abs(), preparing).await.is_err() {
                let cause = format!("the image was not there within {} s", deadlines.prepare.as_secs());
                let error = BackendError::new(Stage::Prepare, FailureCode::PrepareTimeout, cause);
                refuse(&mut update, backend, spec, error).await;
            }
        }
        Some(Action::Start) => {
            // The next look at the launch decides what became of a start that was not waited for.
            _ = tokio::time::timeout(deadlines.start.unsigned_abs(), start(&mut update, backend, spec)).await;
        }
        Some(Action::Probe) => probe(&mut update, backend, spec).await,
        Some(Action::Stop) => stop(&mut update, backend, spec).await,
        Some(Action::Remove) => remove(&mut update, backend, spec).await,
    }
    update.changed = update.launch != *launch;
    update
}

fn to(state: LaunchState, action: Option<Action>) -> Step {
    Step { transition: Some(Transition { state, stage: None, failure: None }), action }
}

fn only(action: Action) -> Step {
    Step { transition: None, action: Some(action) }
}

fn fail(stage: Stage, code: FailureCode, cause: impl AsRef<str>, action: Option<Action>) -> Step {
    let failure = Some(BackendError::new(stage, code, cause));
    Step { transition: Some(Transition { state: LaunchState::Failed, stage: None, failure }), action }
}

impl Sight<'_> {
    fn is_over(&self, limit: SignedDuration) -> bool {
        self.now.duration_since(self.since) > limit
    }

    fn is_expired(&self) -> bool {
        let expires = self.launch.expires.as_ref().and_then(|expires| expires.parse::<Timestamp>().ok());
        expires.is_some_and(|expires| self.now >= expires)
    }

    /// Says whether a lab that is used through its interface was not used for too long.
    fn is_idle(&self, deadlines: &Deadlines) -> bool {
        let Some(limit) = deadlines.idle.filter(|_| self.has_interface) else { return false };
        let used = self.launch.last_used.as_ref().or(self.launch.ready.as_ref());
        used.and_then(|used| used.parse::<Timestamp>().ok()).is_some_and(|used| self.now.duration_since(used) > limit)
    }
}

fn step_unreachable(sight: &Sight<'_>, cause: &str, deadlines: &Deadlines) -> Step {
    let on_its_way = |stage| {
        if sight.is_over(deadlines.unreachable) {
            fail(stage, FailureCode::EngineUnreachable, cause, None)
        } else {
            Step::default()
        }
    };
    match sight.launch.state {
        LaunchState::Requested | LaunchState::Planned | LaunchState::Preparing => on_its_way(Stage::Prepare),
        LaunchState::Starting => on_its_way(Stage::Start),
        // A container lives on without its engine, so a running lab is not given up; an engine that is back shows it.
        LaunchState::Ready | LaunchState::Running => Step::default(),
        LaunchState::Stopping if sight.is_over(deadlines.stop) => {
            fail(Stage::Stop, FailureCode::StopTimeout, format!("the datazone does not answer: {cause}"), None)
        }
        LaunchState::Stopping | LaunchState::Completed | LaunchState::Cancelled | LaunchState::Failed => {
            Step::default()
        }
    }
}

fn step_preparing(sight: &Sight<'_>, deadlines: &Deadlines) -> Step {
    match sight.observed {
        Observed::Absent | Observed::Pending if sight.is_over(deadlines.prepare) => {
            let cause = format!("the image was not there within {} s", deadlines.prepare.as_secs());
            let remove = (*sight.observed == Observed::Pending).then_some(Action::Remove);
            fail(Stage::Prepare, FailureCode::PrepareTimeout, cause, remove)
        }
        Observed::Absent | Observed::Pending => only(Action::Prepare),
        // It was started before the server that did so could write it down.
        _ => to(LaunchState::Starting, None),
    }
}

fn step_starting(sight: &Sight<'_>, deadlines: &Deadlines) -> Step {
    let was_started = sight.launch.granted.is_some();
    match sight.observed {
        Observed::Absent if was_started => lost(),
        Observed::Absent | Observed::Created | Observed::Pending if sight.is_over(deadlines.start) => {
            fail(Stage::Start, FailureCode::StartTimeout, "the container did not start in time", Some(Action::Remove))
        }
        Observed::Absent | Observed::Created | Observed::Pending => only(Action::Start),
        // Starting what runs only reads back what was granted.
        Observed::Running if !was_started => only(Action::Start),
        Observed::Running if !sight.has_interface => to(LaunchState::Running, None),
        Observed::Running if sight.is_over(sight.ready_within) => {
            let cause = format!("its interface did not answer within {} s", sight.ready_within.as_secs());
            fail(Stage::Ready, FailureCode::ReadyTimeout, cause, Some(Action::Stop))
        }
        Observed::Running => only(Action::Probe),
        Observed::Exited { code: 0, .. } if sight.has_interface => {
            fail(Stage::Ready, FailureCode::ExitEarly, "it ended before its interface answered", None)
        }
        Observed::Exited { .. } => exited(sight, Stage::Start),
        Observed::Failed(_) | Observed::Unreachable(_) => Step::default(),
    }
}

/// Ends what still runs, and says why.
fn end(why: &str) -> Step {
    let stage = Some(why.to_owned());
    let transition = Transition { state: LaunchState::Stopping, stage, failure: None };
    Step { transition: Some(transition), action: Some(Action::Stop) }
}

fn step_running(sight: &Sight<'_>, deadlines: &Deadlines) -> Step {
    match sight.observed {
        Observed::Absent => lost(),
        Observed::Exited { .. } => exited(sight, Stage::Run),
        // An engine that was restarted may show a container as created for a moment; it is looked at again.
        Observed::Created | Observed::Pending | Observed::Failed(_) | Observed::Unreachable(_) => Step::default(),
        Observed::Running if sight.is_expired() => end("its time is over"),
        Observed::Running if sight.is_idle(deadlines) => end("nobody used it for too long"),
        Observed::Running => Step::default(),
    }
}

fn step_stopping(sight: &Sight<'_>, deadlines: &Deadlines) -> Step {
    match sight.observed {
        Observed::Absent => to(LaunchState::Cancelled, None),
        Observed::Exited { .. } | Observed::Failed(_) => to(LaunchState::Cancelled, Some(Action::Remove)),
        Observed::Created | Observed::Pending => only(Action::Remove),
        Observed::Running if sight.is_over(deadlines.stop) => {
            fail(Stage::Stop, FailureCode::StopTimeout, "it did not stop in time", Some(Action::Remove))
        }
        Observed::Running => only(Action::Stop),
        Observed::Unreachable(_) => Step::default(),
    }
}

/// What is over leaves nothing behind: at once when its owner wanted that, later so that it can be looked at.
fn step_final(sight: &Sight<'_>, deadlines: &Deadlines) -> Step {
    let launch = sight.launch;
    let at_once = launch.remove_when_finished || launch.state == LaunchState::Cancelled;
    match sight.observed {
        Observed::Absent | Observed::Unreachable(_) => Step::default(),
        Observed::Running => only(Action::Stop),
        Observed::Created | Observed::Pending => only(Action::Remove),
        Observed::Exited { .. } | Observed::Failed(_) if at_once || sight.is_over(deadlines.keep_ended) => {
            only(Action::Remove)
        }
        Observed::Exited { .. } | Observed::Failed(_) => Step::default(),
    }
}

fn lost() -> Step {
    fail(Stage::Run, FailureCode::ContainerLost, "it is not at the datazone any more", None)
}

fn exited(sight: &Sight<'_>, stage: Stage) -> Step {
    let Observed::Exited { code, out_of_memory, message } = sight.observed else { return Step::default() };
    let remove = sight.launch.remove_when_finished.then_some(Action::Remove);
    if *out_of_memory {
        let memory = sight.launch.granted.as_ref().and_then(|granted| granted.memory_mib);
        let cause = memory.map_or_else(
            || "it used more memory than it was granted".to_owned(),
            |memory| format!("it used more than the {} MiB of memory that it was granted", memory.min),
        );
        return fail(stage, FailureCode::MemoryExceeded, cause, remove);
    }
    match code {
        0 => to(LaunchState::Completed, remove),
        127 if stage == Stage::Start => {
            fail(stage, FailureCode::CommandNotFound, "its command does not exist in the image", remove)
        }
        code if message.is_empty() => {
            fail(stage, FailureCode::ExitNonzero, format!("it ended with code {code}"), remove)
        }
        code => fail(stage, FailureCode::ExitNonzero, format!("it ended with code {code}: {message}"), remove),
    }
}

/// Writes a transition into the row, and the end of the log into a failure.
async fn enter(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec, transition: Transition) {
    let Transition { state, stage, failure } = transition;
    let failure = match failure {
        Some(error) => Some(with_log(backend, spec, &error).await),
        None => None,
    };
    update.message = Some(words(state, stage.as_deref(), failure.as_ref()));
    let launch = &mut update.launch;
    let now = Timestamp::now().to_string();
    launch.state = state;
    launch.stage = stage;
    launch.failure = failure;
    match state {
        LaunchState::Ready | LaunchState::Running => {
            launch.ready.get_or_insert(now);
            launch.access_url = spec
                .has_interface()
                .then(|| format!("{}{}", spec.base_path(), spec.entry_path.trim_start_matches('/')));
        }
        LaunchState::Completed | LaunchState::Cancelled | LaunchState::Failed => {
            launch.ended.get_or_insert(now);
            launch.access_url = None;
        }
        LaunchState::Stopping => launch.access_url = None,
        _ => {}
    }
}

fn words(state: LaunchState, stage: Option<&str>, failure: Option<&Failure>) -> String {
    if let Some(failure) = failure {
        return format!("failed: {}", failure.cause);
    }
    let said = match state {
        LaunchState::Requested => "asked for",
        LaunchState::Planned => "a datazone is chosen",
        LaunchState::Preparing => "the image is fetched",
        LaunchState::Starting => "the container is started",
        LaunchState::Ready => "the interface answers",
        LaunchState::Running => "it runs",
        LaunchState::Stopping => "it is stopped",
        LaunchState::Completed => "it ended with success",
        LaunchState::Cancelled => "it is stopped and over",
        LaunchState::Failed => "failed",
    };
    stage.map_or_else(|| said.to_owned(), |stage| format!("{said}: {stage}"))
}

async fn with_log(backend: &dyn Backend, spec: &LaunchSpec, error: &BackendError) -> Failure {
    const LAST_LINES: u32 = 20;
    if error.is_transient() || matches!(error.stage, Stage::Prepare | Stage::Inquire) {
        return error.failure(Vec::new());
    }
    let query = LogQuery { tail: Some(LAST_LINES), ..LogQuery::default() };
    let lines = backend.logs(&spec.launch, query).filter_map(async |line| line.ok().map(|line| line.text));
    // A log that does not end must not hold up the failure it belongs to.
    let lines = tokio::time::timeout(Duration::from_secs(3), lines.take(LAST_LINES as usize).collect()).await;
    error.failure(lines.unwrap_or_default())
}

/// Ends a launch that a backend refused; an engine that does not answer is asked again instead.
async fn refuse(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec, error: BackendError) {
    if error.is_transient() {
        update.launch.stage = Some("the datazone does not answer; asking again".to_owned());
        return;
    }
    let transition = Transition { state: LaunchState::Failed, stage: None, failure: Some(error) };
    enter(update, backend, spec, transition).await;
    update.again = false;
}

async fn prepare(
    update: &mut Update,
    backend: &dyn Backend,
    spec: &LaunchSpec,
    progress: &(dyn Fn(Progress) + Send + Sync),
) {
    match backend.prepare(spec, progress).await {
        Ok(prepared) => {
            if let Some(digest) = prepared.digest {
                update.launch.digest.get_or_insert(digest);
            }
            enter(update, backend, spec, Transition { state: LaunchState::Starting, stage: None, failure: None }).await;
            update.again = true;
        }
        Err(error) => refuse(update, backend, spec, error).await,
    }
}

async fn start(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
    match backend.start(spec).await {
        Ok(started) => match check_granted(spec, &started.granted) {
            Ok(()) => {
                update.launch.granted = Some(started.granted);
                update.launch.stage = spec.has_interface().then(|| "waiting for its interface".to_owned());
                update.again = true;
            }
            Err(error) => {
                update.launch.granted = Some(started.granted);
                refuse(update, backend, spec, error).await;
                stop(update, backend, spec).await;
                update.again = false;
            }
        },
        Err(error) => refuse(update, backend, spec, error).await,
    }
}

async fn probe(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let answer = match backend.endpoint(&spec.launch).await {
        Ok(Some(endpoint)) => answers(&endpoint, &spec.probe_path(), PATIENCE).await,
        Ok(None) => Answer::Nothing("it has no address yet".to_owned()),
        Err(error) => Answer::Nothing(error.cause),
    };
    if answer.is_ready() {
        enter(update, backend, spec, Transition { state: LaunchState::Ready, stage: None, failure: None }).await;
    } else {
        update.launch.stage = Some(format!("waiting for its interface: {answer}"));
    }
}

async fn stop(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
    match backend.stop(&spec.launch).await {
        Ok(()) => update.again = true,
        Err(error) => {
            tracing::warn!(launch = %spec.launch, code = %error.code, "a lab could not be stopped: {}", error.cause)
        }
    }
}

async fn remove(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
    match backend.remove(&spec.launch).await {
        Ok(log) => update.log = Some(log),
        Err(error) => {
            tracing::warn!(launch = %spec.launch, code = %error.code, "a lab could not be removed: {}", error.cause)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog_schemas::plan::{Range, Resources};

    fn launch(state: LaunchState, started: bool) -> Launch {
        let granted = Resources { memory_mib: Some(Range { min: 64, max: None }), ..Resources::default() };
        Launch {
            id: "l0".to_owned(),
            name: "aladin".to_owned(),
            owner: "anna".to_owned(),
            datalab: "http://localhost/id/go-esa/esa.esdc.aladin".to_owned(),
            datalab_name: "Aladin".to_owned(),
            version: "0.3.1".to_owned(),
            datazone: "sci-cloud".to_owned(),
            demo: false,
            interface_type: "web".to_owned(),
            digest: None,
            state,
            stage: None,
            failure: None,
            requested: Resources::default(),
            granted: started.then_some(granted),
            mounts: Vec::new(),
            access_url: None,
            open_when_ready: false,
            remove_when_finished: false,
            created: "2026-11-22T10:00:00Z".to_owned(),
            ready: None,
            ended: None,
            expires: None,
            last_used: None,
            idle_minutes: None,
            hint: None,
        }
    }

    fn exit(code: i64) -> Observed {
        Observed::Exited { code, out_of_memory: false, message: String::new() }
    }

    /// Writes a step as `state:code>action`, with `-` for what is absent.
    fn written(step: &Step) -> String {
        let transition = step.transition.as_ref().map_or_else(
            || "-".to_owned(),
            |transition| match &transition.failure {
                Some(failure) => format!("{}:{}", transition.state.as_str(), failure.code),
                None => transition.state.as_str().to_owned(),
            },
        );
        let action = step.action.map_or_else(|| "-".to_owned(), |action| format!("{action:?}").to_lowercase());
        format!("{transition}>{action}")
    }

    #[test]
    fn every_state_and_sight_has_its_step() {
        use LaunchState::*;
        use Observed::{Absent, Created, Pending, Running as Runs};
        let put_out = || Observed::Failed(BackendError::new(Stage::Run, FailureCode::Evicted, "no memory left"));
        let gone = || Observed::Unreachable("gone".to_owned());
        let oom = || Observed::Exited { code: 137, out_of_memory: true, message: String::new() };
        // State, whether it was started, what is seen, seconds in the state, the step.
        let table = [
            (Requested, false, Absent, 0, "planned>-"),
            (Planned, false, Absent, 0, "preparing>-"),
            (Planned, false, gone(), 60, "->-"),
            (Planned, false, gone(), 121, "failed:engine.unreachable>-"),
            (Preparing, false, Absent, 0, "->prepare"),
            (Preparing, false, Absent, 1801, "failed:prepare.timeout>-"),
            (Preparing, false, Created, 0, "starting>-"),
            (Preparing, false, Runs, 0, "starting>-"),
            (Preparing, false, gone(), 121, "failed:engine.unreachable>-"),
            (Preparing, false, Pending, 60, "->prepare"),
            (Preparing, false, Pending, 1801, "failed:prepare.timeout>remove"),
            (Preparing, false, put_out(), 0, "failed:container.evicted>remove"),
            (Starting, false, Pending, 0, "->start"),
            (Running, true, put_out(), 0, "failed:container.evicted>-"),
            (Stopping, false, Pending, 0, "->remove"),
            (Stopping, true, put_out(), 0, "cancelled>remove"),
            (Failed, true, put_out(), 0, "->-"),
            (Starting, false, Absent, 0, "->start"),
            (Starting, false, Created, 0, "->start"),
            (Starting, false, Created, 121, "failed:start.timeout>remove"),
            (Starting, false, Runs, 0, "->start"),
            (Starting, true, Runs, 0, "->probe"),
            (Starting, true, Runs, 121, "failed:ready.timeout>stop"),
            (Starting, true, Absent, 0, "failed:container.lost>-"),
            (Starting, true, exit(0), 0, "failed:exit.early>-"),
            (Starting, true, exit(1), 0, "failed:exit.nonzero>-"),
            (Starting, true, exit(127), 0, "failed:command.not_found>-"),
            (Starting, true, oom(), 0, "failed:memory.exceeded>-"),
            (Starting, true, gone(), 121, "failed:engine.unreachable>-"),
            (Ready, true, Runs, 99999, "->-"),
            (Ready, true, gone(), 99999, "->-"),
            (Ready, true, Absent, 0, "failed:container.lost>-"),
            (Running, true, exit(0), 0, "completed>-"),
            (Running, true, exit(3), 0, "failed:exit.nonzero>-"),
            (Running, true, oom(), 0, "failed:memory.exceeded>-"),
            (Stopping, true, Runs, 0, "->stop"),
            (Stopping, true, Runs, 121, "failed:stop.timeout>remove"),
            (Stopping, false, Created, 0, "->remove"),
            (Stopping, true, exit(143), 0, "cancelled>remove"),
            (Stopping, false, Absent, 0, "cancelled>-"),
            (Stopping, true, gone(), 60, "->-"),
            (Stopping, true, gone(), 121, "failed:stop.timeout>-"),
            (Completed, true, exit(0), 60, "->-"),
            (Completed, true, exit(0), 86_401, "->remove"),
            (Completed, true, Absent, 0, "->-"),
            (Cancelled, true, exit(143), 0, "->remove"),
            (Cancelled, true, Runs, 0, "->stop"),
            (Failed, true, Runs, 0, "->stop"),
            (Failed, true, gone(), 0, "->-"),
        ];
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (state, started, observed, seconds, expected) in table {
            let launch = launch(state, started);
            let sight = Sight {
                launch: &launch,
                since: now.checked_sub(SignedDuration::from_secs(seconds)).unwrap(),
                observed: &observed,
                has_interface: true,
                ready_within: SignedDuration::from_secs(120),
                now,
            };
            let step = step(&sight, &Deadlines::default());
            assert_eq!(written(&step), expected, "{state:?}, started {started}, {observed:?}, {seconds} s");
        }
    }

    #[test]
    fn what_has_no_interface_runs_at_once_and_completes() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut launch = launch(LaunchState::Starting, true);
        launch.remove_when_finished = true;
        let written_for = |launch: &Launch, observed: &Observed| {
            let ready_within = SignedDuration::from_secs(1);
            let sight = Sight { launch, since: now, observed, has_interface: false, ready_within, now };
            written(&step(&sight, &Deadlines::default()))
        };
        assert_eq!(written_for(&launch, &Observed::Running), "running>-");
        assert_eq!(written_for(&launch, &exit(0)), "completed>remove");
        launch.state = LaunchState::Running;
        launch.expires = Some("2026-11-22T12:00:00Z".to_owned());
        assert_eq!(written_for(&launch, &Observed::Running), "stopping>stop");
        launch.expires = Some("2026-11-22T12:00:01Z".to_owned());
        assert_eq!(written_for(&launch, &Observed::Running), "->-");
    }

    #[test]
    fn a_lab_that_nobody_uses_is_stopped_and_a_computation_is_not() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let deadlines = Deadlines { idle: Some(SignedDuration::from_hours(1)), ..Deadlines::default() };
        let mut launch = launch(LaunchState::Running, true);
        launch.ready = Some("2026-11-22T10:00:00Z".to_owned());
        let step_of = |launch: &Launch, has_interface| {
            let ready_within = SignedDuration::from_secs(1);
            let sight = Sight { launch, since: now, observed: &Observed::Running, has_interface, ready_within, now };
            written(&step(&sight, &deadlines))
        };
        assert_eq!(step_of(&launch, true), "stopping>stop");
        assert_eq!(step_of(&launch, false), "->-");
        launch.last_used = Some("2026-11-22T11:00:00Z".to_owned());
        assert_eq!(step_of(&launch, true), "->-");
    }

    #[test]
    fn a_stranger_is_removed_after_its_quarantine_and_a_child_of_ours_never() {
        let ids: Vec<LaunchId> = (0..3).map(|byte| LaunchId::from_bytes([byte; 16])).collect();
        let listed: Vec<Listed> = ids.iter().map(|id| Listed { launch: id.clone(), running: true }).collect();
        let mut known = BTreeSet::from([ids[0].clone()]);
        let mut first_seen = BTreeMap::new();
        let quarantine = SignedDuration::from_mins(10);
        let mut at = |time: &str, known: &BTreeSet<LaunchId>, listed: &[Listed]| {
            orphans(listed, known, &mut first_seen, time.parse().unwrap(), quarantine)
        };
        assert_eq!(at("2026-11-22T12:00:00Z", &known, &listed), []);
        assert_eq!(at("2026-11-22T12:09:59Z", &known, &listed), []);
        // A row that comes back, as from a backup, ends the quarantine.
        known.insert(ids[1].clone());
        assert_eq!(at("2026-11-22T12:10:00Z", &known, &listed), [ids[2].clone()]);
        known.remove(&ids[1]);
        assert_eq!(at("2026-11-22T12:11:00Z", &known, &listed[..2]), []);
    }
}
