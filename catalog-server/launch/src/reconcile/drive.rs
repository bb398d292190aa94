//! Looks at a launch and takes one step.

use catalog_schemas::launch::{Launch, LaunchState};
use jiff::{SignedDuration, Timestamp};

use super::Deadlines;
use super::act::{enter, prepare, probe, refuse, remove, start, stop};
use super::step::{Action, Sight, Step, step};
use crate::backend::{Backend, BackendError, FailureCode, LogLine, Observed, Progress, Stage};
use crate::spec::{Image, LaunchSpec};

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
    let mut observed = match launch.state {
        // Nothing was asked of the backend yet, so there is nothing to see.
        LaunchState::Requested | LaunchState::Planned => Observed::Absent,
        _ => match backend.status(&spec.launch).await {
            Ok(observed) => observed,
            Err(error) => Observed::Unreachable(error.cause),
        },
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
