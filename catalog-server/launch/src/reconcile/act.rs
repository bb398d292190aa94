//! What is asked of a backend, and how its answer becomes the row.

use std::time::Duration;

use catalog_schemas::launch::{Failure, LaunchState};
use futures::StreamExt;
use jiff::Timestamp;

use super::drive::Update;
use super::step::Transition;
use crate::backend::{Backend, BackendError, LogQuery, Progress, Stage, check_granted};
use crate::probe::{Answer, answers};
use crate::spec::LaunchSpec;

/// Writes a transition into the row, and the end of the log into a failure.
pub(super) async fn enter(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec, transition: Transition) {
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
pub(super) async fn refuse(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec, error: BackendError) {
    if error.is_transient() {
        update.launch.stage = Some("the datazone does not answer; asking again".to_owned());
        return;
    }
    let transition = Transition { state: LaunchState::Failed, stage: None, failure: Some(error) };
    enter(update, backend, spec, transition).await;
    update.again = false;
}

pub(super) async fn prepare(
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

pub(super) async fn start(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
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

pub(super) async fn probe(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
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

pub(super) async fn stop(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
    match backend.stop(&spec.launch).await {
        Ok(()) => update.again = true,
        Err(error) => {
            tracing::warn!(launch = %spec.launch, code = %error.code, "a lab could not be stopped: {}", error.cause)
        }
    }
}

pub(super) async fn remove(update: &mut Update, backend: &dyn Backend, spec: &LaunchSpec) {
    match backend.remove(&spec.launch).await {
        Ok(log) => update.log = Some(log),
        Err(error) => {
            tracing::warn!(launch = %spec.launch, code = %error.code, "a lab could not be removed: {}", error.cause)
        }
    }
}
