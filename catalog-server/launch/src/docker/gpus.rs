//! Which devices a launch gets. The engine gives the same device to anybody who asks, so we choose and write it down.

use std::collections::BTreeSet;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};

use crate::backend::{BackendError, FailureCode, Stage};
use crate::config::GpuConfig;
use crate::labels;
use crate::spec::Gpus;

/// Returns the engine's names of the devices of every model; unnamed ones are numbered through, as the engine does.
pub(super) fn devices_by_model(gpus: &[GpuConfig]) -> Vec<(String, Vec<String>)> {
    let mut number = 0u32;
    let mut models = Vec::with_capacity(gpus.len());
    for gpu in gpus {
        let numbers = (number..number.saturating_add(gpu.count)).map(|number| number.to_string());
        let devices = if gpu.devices.is_empty() { numbers.collect() } else { gpu.devices.clone() };
        number = number.saturating_add(gpu.count);
        models.push((gpu.model.clone(), devices));
    }
    models
}

/// Says whether a container still holds what it was granted.
pub(super) fn holds_resources(container: &ContainerSummary) -> bool {
    use ContainerSummaryStateEnum::{DEAD, EXITED};
    !matches!(container.state, Some(EXITED | DEAD))
}

/// Returns the devices that the containers hold, of this and of every other server on the engine.
pub(super) fn in_use(containers: &[ContainerSummary]) -> BTreeSet<String> {
    let named = containers.iter().filter_map(|container| container.labels.as_ref()?.get(labels::DEVICES));
    named.flat_map(|devices| devices.split(' ')).filter(|device| !device.is_empty()).map(str::to_owned).collect()
}

/// Chooses free devices of the model asked for.
pub(super) fn choose(
    wanted: &Gpus,
    gpus: &[GpuConfig],
    in_use: &BTreeSet<String>,
) -> Result<Vec<String>, BackendError> {
    let refuse = |cause: String| Err(BackendError::new(Stage::Start, FailureCode::GpuUnavailable, cause));
    let Some((_, devices)) = devices_by_model(gpus).into_iter().find(|(model, _)| *model == wanted.model) else {
        return refuse(format!("the datazone has no {}", wanted.model));
    };
    let free: Vec<String> = devices.into_iter().filter(|device| !in_use.contains(device)).collect();
    if free.len() < wanted.count as usize {
        return refuse(format!("{} {} asked for, {} free", wanted.count, wanted.model, free.len()));
    }
    Ok(free.into_iter().take(wanted.count as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_given_once_and_never_all() {
        let gpu = |model: &str, count, devices: &[&str]| GpuConfig {
            vendor: "nvidia".to_owned(),
            model: model.to_owned(),
            count,
            devices: devices.iter().map(|device| (*device).to_owned()).collect(),
            ..GpuConfig::default()
        };
        let gpus = [gpu("T4", 2, &[]), gpu("A100", 2, &[]), gpu("H100", 1, &["GPU-7f"])];
        let wanted = |count, model: &str| Gpus { count, vendor: "nvidia".to_owned(), model: model.to_owned() };
        let used = BTreeSet::from(["2".to_owned()]);
        assert_eq!(choose(&wanted(1, "A100"), &gpus, &used).unwrap(), ["3"]);
        assert_eq!(choose(&wanted(1, "H100"), &gpus, &used).unwrap(), ["GPU-7f"]);
        let error = choose(&wanted(2, "A100"), &gpus, &used).unwrap_err();
        assert_eq!((error.code, error.cause.as_str()), (FailureCode::GpuUnavailable, "2 A100 asked for, 1 free"));
        assert_eq!(choose(&wanted(1, "L4"), &gpus, &used).unwrap_err().code, FailureCode::GpuUnavailable);
    }
}
