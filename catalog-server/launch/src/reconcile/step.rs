//! The pure part: what is known of a launch at one moment decides its next step.

use catalog_schemas::launch::{Launch, LaunchState};
use jiff::{SignedDuration, Timestamp};

use super::Deadlines;
use crate::backend::{BackendError, FailureCode, Observed, Stage};

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
            results: None,
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
}
