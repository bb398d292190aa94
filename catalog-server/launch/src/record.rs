//! What a record document says about running it: the planner's need, and the part of a spec that the record decides.
//!
//! Documents are valid when they come here; what is absent or of another shape is left out, never guessed.

use catalog_schemas::id::LaunchId;
use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, Offer, Range, Resources};
use serde_json::Value;

use crate::planner::{DEFAULT_CPU_CORES, DEFAULT_MEMORY_MIB, Need, VolumeNeed};
use crate::spec::{Gpus, Image, LaunchSpec, Readiness};

/// The interface that a record has when it says nothing.
const DEFAULT_INTERFACE: &str = "web";

/// Returns what a record document says that it needs.
pub fn need_of(document: &Value) -> Need {
    let needs = &document["needs"];
    let cores = |value: &Value| value.as_f64().filter(|cores| *cores > 0.0).and_then(milli_cpu);
    let cpu = cores(&needs["cpu"]["min"]).map(|min| CpuRange { min, max: cores(&needs["cpu"]["max"]) });
    let memory = &needs["memory"];
    let memory_mib = memory["min"].as_u64().map(|min| Range { min, max: memory["max"].as_u64() });
    Need {
        resources: Resources { cpu, memory_mib, gpu: gpu_of(&needs["gpu"]) },
        interface_type: text(&document["interfaceType"]).unwrap_or_else(|| DEFAULT_INTERFACE.to_owned()),
        architectures: texts(&document["datalabImage"]["architecture"]),
        image: image_of(document),
        volumes: items(&document["volume"]).filter_map(volume_of).collect(),
        allowed_groups: texts(&document["allowedGroup"]),
        allowed_accounts: texts(&document["allowedUser"]),
    }
}

/// Who launches what, for [`spec_of`].
#[derive(Debug, Clone, Copy)]
pub struct Launcher<'a> {
    /// The launch's id.
    pub launch: &'a LaunchId,
    /// The owner's name for it.
    pub name: &'a str,
    /// A hash of the owner's account.
    pub owner_hash: &'a str,
    /// The datalab's name.
    pub datalab_name: &'a str,
}

/// Returns what a backend is asked to run: what the record says, with what the offer grants.
pub fn spec_of(document: &Value, offer: &Offer, launcher: &Launcher<'_>) -> LaunchSpec {
    let runtime = &document["runtime"];
    let offered = &offer.offered;
    let gpus = offered.gpu.as_ref().filter(|gpu| gpu.count > 0).map(|gpu| Gpus {
        count: gpu.count,
        vendor: gpu.vendor.clone().unwrap_or_else(|| "nvidia".to_owned()),
        model: gpu.model.clone().unwrap_or_default(),
    });
    let variable = |item: &Value| Some((text(&item["name"])?, text(&item["value"]).unwrap_or_default()));
    let readiness = &runtime["readiness"];
    let timeout = readiness["timeout"].as_u64().or(readiness["timeoutSeconds"].as_u64());
    LaunchSpec {
        launch: launcher.launch.clone(),
        name: launcher.name.to_owned(),
        datalab_name: launcher.datalab_name.to_owned(),
        owner_hash: launcher.owner_hash.to_owned(),
        image: image_of(document),
        interface_type: text(&document["interfaceType"]).unwrap_or_else(|| DEFAULT_INTERFACE.to_owned()),
        cpu: offered.cpu.map_or(MilliCpu::cores(DEFAULT_CPU_CORES), |cpu| cpu.min),
        memory_mib: offered.memory_mib.map_or(DEFAULT_MEMORY_MIB, |memory| memory.min),
        gpus,
        mounts: offer.mounts.clone(),
        port: items(&runtime["port"]).find_map(Value::as_u64).and_then(|port| u16::try_from(port).ok()),
        entry_path: text(&runtime["path"]).unwrap_or_else(|| "/".to_owned()),
        readiness: Readiness {
            path: text(&readiness["path"]),
            timeout_seconds: timeout
                .and_then(|timeout| u32::try_from(timeout).ok())
                .unwrap_or(Readiness::default().timeout_seconds),
        },
        command: texts(&runtime["command"]),
        args: texts(&runtime["args"]),
        env: items(&runtime["env"]).filter_map(variable).collect(),
    }
}

fn image_of(document: &Value) -> Option<Image> {
    let image = &document["datalabImage"];
    Some(Image { reference: text(&image["reference"])?, digest: text(&image["digest"]) })
}

fn gpu_of(gpu: &Value) -> Option<GpuRequest> {
    let count = gpu["count"].as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0)?;
    Some(GpuRequest {
        count,
        models: texts(&gpu["model"]),
        model: None,
        vendor: texts(&gpu["vendor"]).into_iter().next(),
        memory_mib: gpu["memory"].as_u64(),
        cuda: text(&gpu["runtime"]),
    })
}

fn volume_of(item: &Value) -> Option<VolumeNeed> {
    Some(VolumeNeed {
        // A manifest may name a volume of this catalogue by a URN; its last part is the key.
        volume: text(&item["volume"]).map(|name| match name.strip_prefix("urn:esado:volume:") {
            Some(key) => key.to_owned(),
            None => name,
        })?,
        mount_path: text(&item["mountPath"]),
        mode: text(&item["mode"]),
        required: item["required"].as_bool().unwrap_or(false),
    })
}

fn milli_cpu(cores: f64) -> Option<MilliCpu> {
    // The same rounding as at the edge, where cores are read from JSON.
    serde_json::from_value(Value::from(cores)).ok()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Terms that may be repeated are arrays in a document; a single value is taken as an array of one.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().filter(|item| !item.is_null())
}

fn texts(value: &Value) -> Vec<String> {
    items(value).filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_says_what_it_needs_and_an_offer_what_it_gets() {
        let document = json!({
            "interfaceType": "web",
            "needs": {
                "cpu": {"min": 0.5, "max": 4}, "memory": {"min": 2048},
                "gpu": {"count": 1, "vendor": ["nvidia"], "model": ["A100", "H100"], "memory": 16384, "runtime": "10.0"},
            },
            "datalabImage": {"reference": "quay.io/jupyter/base-notebook:2025", "architecture": ["amd64", "arm64"]},
            "runtime": {
                "port": [8888], "path": "/lab", "readiness": {"path": "/api", "timeout": 90},
                "args": ["start-notebook.py", "--ServerApp.base_url={basePath}"],
                "env": [{"name": "JUPYTER_TOKEN", "value": ""}],
            },
            "volume": [
                {"volume": "urn:esado:volume:pla-legacy", "mountPath": "/data/user/pla_legacy", "mode": "ro", "required": false},
                {"volume": "esa.gaia-dr3", "required": true},
            ],
            "allowedGroup": ["gaia"],
        });
        let need = need_of(&document);
        let expected = Need {
            resources: Resources {
                cpu: Some(CpuRange { min: MilliCpu(500), max: Some(MilliCpu::cores(4)) }),
                memory_mib: Some(Range { min: 2048, max: None }),
                gpu: Some(GpuRequest {
                    count: 1,
                    models: vec!["A100".to_owned(), "H100".to_owned()],
                    model: None,
                    vendor: Some("nvidia".to_owned()),
                    memory_mib: Some(16384),
                    cuda: Some("10.0".to_owned()),
                }),
            },
            interface_type: "web".to_owned(),
            architectures: vec!["amd64".to_owned(), "arm64".to_owned()],
            image: Some(Image { reference: "quay.io/jupyter/base-notebook:2025".to_owned(), digest: None }),
            volumes: vec![
                VolumeNeed {
                    volume: "pla-legacy".to_owned(),
                    mount_path: Some("/data/user/pla_legacy".to_owned()),
                    mode: Some("ro".to_owned()),
                    required: false,
                },
                VolumeNeed { volume: "esa.gaia-dr3".to_owned(), mount_path: None, mode: None, required: true },
            ],
            allowed_groups: vec!["gaia".to_owned()],
            allowed_accounts: Vec::new(),
        };
        assert_eq!(need, expected);

        let offer = Offer {
            id: "o1".to_owned(),
            datazone: "sci-cloud".to_owned(),
            expires_at: "2026-11-22T12:05:00Z".to_owned(),
            requested: need.resources.clone(),
            offered: Resources {
                cpu: Some(CpuRange { min: MilliCpu::cores(4), max: None }),
                memory_mib: Some(Range { min: 2048, max: None }),
                gpu: Some(GpuRequest { count: 1, model: Some("A100".to_owned()), ..GpuRequest::default() }),
            },
            mounts: Vec::new(),
            score: 0,
            explanation: Vec::new(),
        };
        let launch = LaunchId::from_bytes([1; 16]);
        let launcher = Launcher { launch: &launch, name: "mine", owner_hash: "5e88", datalab_name: "Jupyter" };
        let spec = spec_of(&document, &offer, &launcher);
        assert_eq!((spec.cpu, spec.memory_mib, spec.port), (MilliCpu::cores(4), 2048, Some(8888)));
        assert_eq!(spec.gpus, Some(Gpus { count: 1, vendor: "nvidia".to_owned(), model: "A100".to_owned() }));
        assert_eq!(spec.readiness, Readiness { path: Some("/api".to_owned()), timeout_seconds: 90 });
        assert!(spec.keeps_base_path());
        assert_eq!(spec.env, [("JUPYTER_TOKEN".to_owned(), String::new())]);
        assert_eq!(need_of(&json!({})).interface_type, "web", "what says nothing has the defaults");
    }
}
