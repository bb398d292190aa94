//! A launch's steps: done, now, and to come.

use catalog_schemas::launch::{Launch, LaunchState};
use leptos::prelude::*;

const STEPS: [(&str, &str); 4] =
    [("planned", "Planned"), ("preparing", "Preparing"), ("starting", "Starting"), ("ready", "Ready")];

/// Returns a state in plain words.
pub fn word(state: LaunchState) -> &'static str {
    match state {
        LaunchState::Requested => "Requested",
        LaunchState::Planned => "Planned",
        LaunchState::Preparing => "Preparing",
        LaunchState::Starting => "Starting",
        LaunchState::Ready => "Ready",
        LaunchState::Running => "Running",
        LaunchState::Stopping => "Stopping",
        LaunchState::Completed => "Finished",
        LaunchState::Cancelled => "Stopped",
        LaunchState::Failed => "Failed",
    }
}

/// Returns a state as a badge.
pub fn badge(state: LaunchState) -> AnyView {
    let class = match state {
        LaunchState::Ready | LaunchState::Running => "state good",
        LaunchState::Failed => "state bad",
        LaunchState::Completed | LaunchState::Cancelled => "state over",
        _ => "state now",
    };
    view! { <span class=class>{word(state)}</span> }.into_any()
}

/// Returns the step in which something failed, by the word of the backend or of the state.
fn failed_step(stage: &str) -> &str {
    match stage {
        "inquire" | "plan" => "planned",
        "prepare" => "preparing",
        "start" => "starting",
        other => other,
    }
}

/// Returns what was being done when a launch failed, in plain words.
pub fn stage(stage: &str) -> &str {
    match failed_step(stage) {
        "planned" => "asking the datazone",
        "preparing" => "preparing image and volumes",
        "starting" => "starting",
        "ready" => "waiting for its interface",
        "run" => "running",
        "stop" => "stopping",
        other => other,
    }
}

/// Returns the steps of a launch.
pub fn steps(launch: &Launch) -> AnyView {
    let failed = launch.failure.as_ref().map(|failure| failed_step(&failure.stage));
    let reached = match launch.state {
        LaunchState::Requested => 0,
        LaunchState::Planned => 1,
        LaunchState::Preparing => 1,
        LaunchState::Starting => 2,
        LaunchState::Ready | LaunchState::Running => 4,
        // Afterwards all one knows is whether it ever answered, and where it failed.
        _ if launch.ready.is_some() => 4,
        _ => STEPS.iter().position(|(stage, _)| Some(*stage) == failed).unwrap_or(0),
    };
    let over = launch.state.is_final() || launch.state == LaunchState::Stopping;
    let items: Vec<_> = STEPS
        .iter()
        .enumerate()
        .map(|(at, (stage, label))| {
            let bad = failed == Some(*stage) && at >= reached;
            let now = at == reached && !over;
            let class = if bad { "bad" } else if at < reached { "done" } else if now { "now" } else { "" };
            let said = if bad { ": failed" } else if at < reached { ": done" } else if now { ": now" } else { "" };
            let detail = launch.stage.clone().filter(|_| now).map(|detail| view! { <br/><span>{detail}</span> });
            view! { <li class=class aria-current=now.then_some("step")>{*label}<span class="unseen">{said}</span>{detail}</li> }
        })
        .collect();
    view! { <ol class="steps">{items}</ol> }.into_any()
}
