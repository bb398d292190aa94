//! Amounts as a cluster writes them, and what its nodes have and have free.

use std::collections::BTreeMap;

use catalog_schemas::datazone::{FreeGpu, Gpu};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::config::ZoneConfig;

/// Reads processor cores in thousandths, rounded down: `1500m`, `2`, `0.5`.
pub(super) fn milli(text: &str) -> Option<u32> {
    u32::try_from(thousandths(text)?).ok()
}

/// Reads memory in mebibytes, rounded down: `4096Mi`, `16393216Ki`, `2G`, `128974848`.
pub(super) fn mebibytes(text: &str) -> Option<u64> {
    u64::try_from(thousandths(text)? / 1000 / (1 << 20)).ok()
}

/// Reads a quantity in thousandths, in integers: a number with an optional fraction and suffix or exponent.
fn thousandths(text: &str) -> Option<u128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() && !fraction.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let billionths = whole.checked_mul(1_000_000_000)?.checked_add(fraction)?;
    let power = |base: u128, exponent: u32| base.checked_pow(exponent);
    let scale = match suffix {
        "n" => return Some(billionths / 1_000_000_000 / 1_000_000),
        "u" => return Some(billionths / 1_000_000_000 / 1000),
        "m" => return Some(billionths / 1_000_000_000),
        "" => 1,
        "k" => 1000,
        "M" => power(1000, 2)?,
        "G" => power(1000, 3)?,
        "T" => power(1000, 4)?,
        "P" => power(1000, 5)?,
        "Ki" => 1024,
        "Mi" => power(1024, 2)?,
        "Gi" => power(1024, 3)?,
        "Ti" => power(1024, 4)?,
        "Pi" => power(1024, 5)?,
        _ => power(10, suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?,
    };
    billionths.checked_mul(scale).map(|billionths| billionths / 1_000_000)
}

/// What one node has, or has free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) cpu: u32,
    pub(super) memory_mib: u64,
    /// Of the node's model.
    pub(super) gpus: u32,
    pub(super) model: Option<String>,
    pub(super) architecture: String,
}

fn amounts(of: &BTreeMap<String, Quantity>, gpu: &str) -> Amounts {
    let text = |name: &str| of.get(name).map(|quantity| quantity.0.as_str());
    Amounts {
        cpu: text("cpu").and_then(milli).unwrap_or_default(),
        memory_mib: text("memory").and_then(mebibytes).unwrap_or_default(),
        gpus: text(gpu).and_then(|count| count.parse().ok()).unwrap_or_default(),
        ..Amounts::default()
    }
}

/// Returns what each node that takes pods can give, by the node's name.
pub(super) fn nodes(nodes: &[Node], config: &ZoneConfig) -> BTreeMap<String, Amounts> {
    let takes_pods = |node: &&Node| {
        let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default();
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
        let ready = conditions.is_some_and(|all| all.iter().any(|it| it.type_ == "Ready" && it.status == "True"));
        ready && !unschedulable
    };
    let read = |node: &Node| {
        let status = node.status.as_ref()?;
        let label = |name: &str| node.metadata.labels.as_ref()?.get(name).cloned();
        let mut has = amounts(status.allocatable.as_ref()?, &config.kubernetes.gpu_resource);
        has.model = label(&config.kubernetes.gpu_model_label);
        has.architecture = status.node_info.as_ref().map(|info| info.architecture.clone()).unwrap_or_default();
        Some((node.metadata.name.clone()?, has))
    };
    nodes.iter().filter(takes_pods).filter_map(read).collect()
}

/// Returns what a pod holds, until it has ended.
pub(super) fn held(pod: &Pod, config: &ZoneConfig) -> Amounts {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return Amounts::default();
    }
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let mut sum = Amounts::default();
    for container in containers {
        let Some(requests) = container.resources.as_ref().and_then(|it| it.requests.as_ref()) else { continue };
        let one = amounts(requests, &config.kubernetes.gpu_resource);
        sum.cpu = sum.cpu.saturating_add(one.cpu);
        sum.memory_mib = sum.memory_mib.saturating_add(one.memory_mib);
        sum.gpus = sum.gpus.saturating_add(one.gpus);
    }
    sum
}

/// Takes what pods hold off what their nodes have.
pub(super) fn free(
    mut nodes: BTreeMap<String, Amounts>,
    pods: &[Pod],
    config: &ZoneConfig,
) -> BTreeMap<String, Amounts> {
    for pod in pods {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        let Some(has) = node.and_then(|node| nodes.get_mut(node)) else { continue };
        let held = held(pod, config);
        has.cpu = has.cpu.saturating_sub(held.cpu);
        has.memory_mib = has.memory_mib.saturating_sub(held.memory_mib);
        has.gpus = has.gpus.saturating_sub(held.gpus);
    }
    nodes
}

/// Returns the node that a launch fits on best: a launch runs on one node, so sums over nodes would promise too much.
pub(super) fn roomiest(nodes: &BTreeMap<String, Amounts>) -> Amounts {
    nodes.values().max_by_key(|has| (has.cpu, has.memory_mib)).cloned().unwrap_or_default()
}

/// Returns the most GPUs of each configured model that one node has.
pub(super) fn gpus(nodes: &BTreeMap<String, Amounts>, config: &ZoneConfig) -> Vec<FreeGpu> {
    let most = |model: &str| {
        let of_model = nodes.values().filter(|has| has.model.as_deref() == Some(model));
        of_model.map(|has| has.gpus).max().unwrap_or_default()
    };
    config.gpu.iter().map(|gpu| FreeGpu { model: gpu.model.clone(), count: most(&gpu.model) }).collect()
}

/// Returns the configured GPUs, no more of each than a node of the cluster has.
pub(super) fn offered_gpus(nodes: &BTreeMap<String, Amounts>, config: &ZoneConfig) -> Vec<Gpu> {
    let most = gpus(nodes, config);
    let limit = |gpu: Gpu| {
        let most = most.iter().find(|it| it.model == gpu.model).map_or(0, |it| it.count);
        Gpu { count: gpu.count.min(most), ..gpu }
    };
    config.gpus().into_iter().map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_integers() {
        let cores = ["1500m", "2", "0.5", "1e3", "2k", "250000u", "1.0005", ""].map(milli);
        let read = [Some(1500), Some(2000), Some(500), Some(1_000_000), Some(2_000_000), Some(250), Some(1000), None];
        assert_eq!(cores, read);
        let memory = ["4096Mi", "16393216Ki", "2G", "134217728", "1.5Gi", "128e6", "12x", "Mi"].map(mebibytes);
        assert_eq!(memory, [Some(4096), Some(16009), Some(1907), Some(128), Some(1536), Some(122), None, None]);
    }
}
