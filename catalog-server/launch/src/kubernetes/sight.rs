//! What a pod, its container and its events say, in our words.

use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, Range, Resources};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateWaiting, ContainerStatus, Event, Node, Pod};

use super::amounts::{mebibytes, milli};
use super::objects::CONTAINER;
use crate::backend::{BackendError, FailureCode, Observed, Stage};
use crate::config::ZoneConfig;

/// Says what there is of a launch whose pod is there.
pub(super) fn observed(pod: &Pod, config: &ZoneConfig, now: Timestamp) -> Observed {
    let status = pod.status.clone().unwrap_or_default();
    let phase = status.phase.as_deref().unwrap_or("Pending");
    let message = status.message.unwrap_or_default();
    if let Some(error) = put_out(status.reason.as_deref(), &message) {
        return Observed::Failed(error);
    }
    let state = lab_of(pod).and_then(|lab| lab.state.clone()).unwrap_or_default();
    match state {
        ContainerState { terminated: Some(ended), .. } => Observed::Exited {
            code: ended.exit_code.into(),
            out_of_memory: ended.reason.as_deref() == Some("OOMKilled"),
            // What it wrote last is in its log; what the cluster says of a command that is not there is only here.
            message: match ended.reason.as_deref() {
                Some("StartError" | "ContainerCannotRun") => ended.message.unwrap_or_default(),
                _ => String::new(),
            },
        },
        ContainerState { running: Some(_), .. } => Observed::Running,
        ContainerState { waiting: Some(waiting), .. } if is_hopeless(&waiting) => Observed::Failed(stuck(&waiting)),
        _ => match phase {
            "Failed" | "Succeeded" => {
                let code = i64::from(phase == "Failed");
                Observed::Exited { code, out_of_memory: false, message }
            }
            _ => unscheduled(pod, config, now).map_or(Observed::Pending, Observed::Failed),
        },
    }
}

/// Says in words what a pod waits for.
pub(super) fn waits_for(pod: &Pod) -> String {
    if let Some(condition) = scheduling(pod).filter(|condition| condition.status == "False") {
        let said = condition.message.clone().unwrap_or_default();
        return format!("waiting for a node: {said}").trim_end_matches([':', ' ']).to_owned();
    }
    let waiting = lab_of(pod).and_then(|lab| lab.state.as_ref()?.waiting.as_ref()?.reason.clone());
    match waiting.as_deref() {
        Some("ContainerCreating" | "PodInitializing") => "image and volumes are prepared".to_owned(),
        Some("ErrImagePull" | "ImagePullBackOff") => "the image is asked for again".to_owned(),
        Some(reason) => reason.to_owned(),
        None => "waiting for a node".to_owned(),
    }
}

fn lab_of(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.iter().find(|status| status.name == CONTAINER)
}

fn put_out(reason: Option<&str>, message: &str) -> Option<BackendError> {
    let reason = reason
        .filter(|reason| matches!(*reason, "Evicted" | "Preempting" | "NodeLost" | "Shutdown" | "NodeShutdown"))?;
    let cause = format!("the cluster put it out ({reason}): {message}");
    Some(BackendError::new(Stage::Run, FailureCode::Evicted, cause.trim_end_matches([':', ' '])))
}

/// Says whether waiting longer cannot help. A pull that failed once may succeed the next time, so only the cluster's
/// giving up counts, or an image that does not exist.
fn is_hopeless(waiting: &ContainerStateWaiting) -> bool {
    match waiting.reason.as_deref().unwrap_or_default() {
        "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "CrashLoopBackOff"
        | "ImageInspectError" => true,
        "ErrImagePull" => is_absent_image(waiting.message.as_deref().unwrap_or_default()),
        _ => false,
    }
}

fn is_absent_image(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["not found", "manifest unknown", "does not exist", "access denied", "unauthorized", "authorization failed"]
        .iter()
        .any(|word| message.contains(word))
}

fn stuck(waiting: &ContainerStateWaiting) -> BackendError {
    let (reason, message) =
        (waiting.reason.as_deref().unwrap_or_default(), waiting.message.as_deref().unwrap_or_default());
    let lower = message.to_ascii_lowercase();
    let (stage, code) = match reason {
        "InvalidImageName" => (Stage::Prepare, FailureCode::ImageNotFound),
        "ErrImagePull" | "ImagePullBackOff" if is_absent_image(message) => (Stage::Prepare, FailureCode::ImageNotFound),
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "ImageInspectError" => {
            (Stage::Prepare, FailureCode::ImagePullFailed)
        }
        _ if lower.contains("executable file not found") || lower.contains("no such file or directory") => {
            (Stage::Start, FailureCode::CommandNotFound)
        }
        _ if lower.contains("non-root") || lower.contains("runasnonroot") => (Stage::Start, FailureCode::SpecRefused),
        _ => (Stage::Start, FailureCode::EngineRefused),
    };
    BackendError::new(stage, code, if message.is_empty() { reason } else { message })
}

fn scheduling(pod: &Pod) -> Option<&k8s_openapi::api::core::v1::PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == "PodScheduled")
}

/// Says why no node takes it, once the scheduler has looked for long enough; a claim that is not there is said at once.
fn unscheduled(pod: &Pod, config: &ZoneConfig, now: Timestamp) -> Option<BackendError> {
    let condition = scheduling(pod).filter(|condition| condition.status == "False")?;
    let message = condition.message.clone().unwrap_or_default();
    let refuse = |code| Some(BackendError::new(Stage::Prepare, code, format!("no node takes it: {message}")));
    if message.contains("persistentvolumeclaim") && message.contains("not found") {
        return refuse(FailureCode::MountMissing);
    }
    let since = pod.metadata.creation_timestamp.as_ref().map_or(now, |time| time.0);
    if now.duration_since(since) < SignedDuration::from_secs(config.kubernetes.schedule_seconds) {
        return None;
    }
    let wants_gpu = message.contains(&config.kubernetes.gpu_resource);
    refuse(if wants_gpu { FailureCode::GpuUnavailable } else { FailureCode::ResourcesUnavailable })
}

/// Says what the newest warning about a pod that is still prepared means, when it means that it will not be.
pub(super) fn warned(events: &[Event]) -> Option<BackendError> {
    let at = |event: &&Event| event.last_timestamp.clone().or(event.first_timestamp.clone());
    let newest = events.iter().filter(|event| event.type_.as_deref() == Some("Warning")).max_by_key(at)?;
    let message = newest.message.clone().unwrap_or_default();
    let lower = message.to_ascii_lowercase();
    let code = match newest.reason.as_deref()? {
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume"
            if newest.count.unwrap_or(1) > 2 || lower.contains("not found") || lower.contains("no such file") =>
        {
            FailureCode::MountMissing
        }
        "FailedCreatePodSandBox" if newest.count.unwrap_or(1) > 4 => FailureCode::EngineRefused,
        "FailedCreate" if lower.contains("exceeded quota") => FailureCode::ResourcesUnavailable,
        _ => return None,
    };
    Some(BackendError::new(Stage::Prepare, code, message))
}

/// Reads back what was granted: from the cluster's own record of the container where it keeps one, else from the pod as
/// the cluster admitted it, which may be less than what was asked for. The GPU's model is that of the node.
pub(super) fn granted(pod: &Pod, node: Option<&Node>, config: &ZoneConfig) -> Resources {
    let own = lab_of(pod).and_then(|lab| lab.resources.clone());
    let admitted = || pod.spec.as_ref()?.containers.iter().find(|it| it.name == CONTAINER)?.resources.clone();
    let limits = own.filter(|own| own.limits.is_some()).or_else(admitted).and_then(|it| it.limits).unwrap_or_default();
    let amount = |name: &str| limits.get(name).map(|quantity| quantity.0.as_str());
    let cpu = amount("cpu").and_then(milli).unwrap_or_default();
    let memory = amount("memory").and_then(mebibytes).unwrap_or_default();
    let gpus = amount(&config.kubernetes.gpu_resource).and_then(|count| count.parse::<u32>().ok()).unwrap_or_default();
    let label = &config.kubernetes.gpu_model_label;
    let selected = || pod.spec.as_ref()?.node_selector.as_ref()?.get(label).cloned();
    let on_node = node.and_then(|node| node.metadata.labels.as_ref()?.get(label).cloned());
    let model = on_node.or_else(selected);
    Resources {
        cpu: Some(CpuRange { min: MilliCpu(cpu), max: Some(MilliCpu(cpu)) }),
        memory_mib: Some(Range { min: memory, max: Some(memory) }),
        gpu: (gpus > 0).then(|| GpuRequest {
            count: gpus,
            vendor: config.gpu.iter().find(|gpu| Some(&gpu.model) == model.as_ref()).map(|gpu| gpu.vendor.clone()),
            model,
            ..GpuRequest::default()
        }),
    }
}

/// Returns the digest that the image's name stood for when its container was made.
pub(super) fn digest(pod: &Pod) -> Option<String> {
    let id = &lab_of(pod)?.image_id;
    id.rsplit_once('@').map(|(_, digest)| digest.to_owned()).filter(|digest| digest.starts_with("sha256:"))
}
