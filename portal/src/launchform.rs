//! The launch form's fields, between a query string, a record's needs and a plan request.

use std::collections::BTreeMap;

use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, PlanRequest, Range, Resources, VolumeRequest};
use catalog_schemas::record::RecordView;
use catalog_schemas::volume::{Space, Volume};
use serde_json::{Value, json};

use crate::field;

/// The least a launch asks for when the manifest says nothing, as in the source deck.
const DEFAULT_CPU: MilliCpu = MilliCpu::cores(2);
const DEFAULT_MEMORY_MIB: u64 = 2048;

/// What the names of a workflow's inputs begin with in the form.
pub(crate) const INPUT: &str = "input.";

/// What somebody has filled in; every field as its owner wrote it, so a fault can be shown beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchForm {
    /// The record, as `zone/identifier`.
    pub datalab: String,
    /// The version; the current one when empty.
    pub version: String,
    /// The owner's name for the launch.
    pub name: String,
    /// Only this datazone; any when empty.
    pub datazone: String,
    /// Processor cores, at least.
    pub cpu: String,
    /// MiB of memory, at least.
    pub memory: String,
    /// GPUs.
    pub gpu: String,
    /// Only this GPU model; any when empty.
    pub gpu_model: String,
    /// Keys of volumes.
    pub volumes: Vec<String>,
    /// IRIs of datasets.
    pub datasets: Vec<String>,
    /// What a workflow's inputs are, as they were written: an empty one is not given.
    pub inputs: BTreeMap<String, String>,
    /// Whether the lab opens as soon as it answers.
    pub open: bool,
    /// Whether the lab is removed when it finishes.
    pub remove: bool,
}

impl LaunchForm {
    /// Reads the fields; a form that nobody has filled in yet gets the record's defaults.
    pub fn read(pairs: &[(String, String)], record: &RecordView, volumes: &[Volume]) -> Self {
        let word = |name| field::text(pairs, name).unwrap_or_default().to_owned();
        let mut form = Self {
            datalab: format!("{}/{}", record.zone, record.identifier),
            version: word("version"),
            name: word("name"),
            datazone: word("datazone"),
            cpu: word("cpu"),
            memory: word("memory"),
            gpu: word("gpu"),
            gpu_model: word("gpuModel"),
            volumes: field::all(pairs, "volume"),
            datasets: field::all(pairs, "dataset"),
            inputs: record
                .inputs
                .iter()
                .filter_map(|input| {
                    let value = field::text(pairs, &format!("{INPUT}{}", input.name))?;
                    Some((input.name.clone(), value.to_owned()))
                })
                .collect(),
            open: field::text(pairs, "open").is_some(),
            remove: field::text(pairs, "remove").is_some(),
        };
        // A form that was sent always carries its CPU field; a link from a record page carries only the datalab.
        if field::text(pairs, "cpu").is_none() {
            let least = Least::of(record);
            form.cpu = least.cpu.to_string();
            form.memory = least.memory_mib.to_string();
            form.gpu = least.gpu.to_string();
            let is_chosen = |volume: &&Volume| match volume.kind.as_str() {
                "personal" => record.personal_space != Some(false),
                "team" => record.team_space == Some(true),
                _ => volume.mine,
            };
            form.volumes = volumes.iter().filter(is_chosen).map(|volume| volume.key.clone()).collect();
            form.open = true;
            form.remove = false;
        }
        form
    }

    /// Returns the plan request, or every field that cannot be understood with what it should hold.
    pub fn plan(&self, record: &RecordView, volumes: &[Volume]) -> Result<PlanRequest, Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        let least = Least::of(record);
        let cpu = self.cpu.parse::<f64>().ok().filter(|cores| (0.0..=10_000.0).contains(cores));
        let cpu = cpu.map(|cores| MilliCpu((cores * 1000.0).round() as u32));
        match cpu {
            None => faults.push(("cpu", "Write a number of cores, such as 2.".to_owned())),
            Some(cpu) if cpu < least.cpu => faults.push(("cpu", format!("It needs at least {}.", least.cpu))),
            Some(_) => {}
        }
        let memory = self.memory.parse::<u64>().ok().filter(|mib| *mib <= 1 << 30);
        match memory {
            None => faults.push(("memory", "Write a number of MiB, such as 2048.".to_owned())),
            Some(mib) if mib < least.memory_mib => {
                faults.push(("memory", format!("It needs at least {} MiB.", least.memory_mib)));
            }
            Some(_) => {}
        }
        let gpu = if self.gpu.is_empty() { Some(0) } else { self.gpu.parse::<u32>().ok().filter(|count| *count <= 64) };
        match gpu {
            None => faults.push(("gpu", "Write a number of GPUs, such as 0 or 1.".to_owned())),
            Some(count) if count < least.gpu => faults.push(("gpu", format!("It needs at least {}.", least.gpu))),
            Some(_) => {}
        }
        let mut inputs = BTreeMap::new();
        for input in &record.inputs {
            let Some(text) = self.inputs.get(&input.name) else { continue };
            match value_of(&input.kind, text) {
                Ok(value) => _ = inputs.insert(input.name.clone(), value),
                Err(expected) => faults.push(("inputs", format!("{}: write {expected}.", input.name))),
            }
        }
        let (Some(cpu), Some(memory), Some(gpu), true) = (cpu, memory, gpu, faults.is_empty()) else {
            return Err(faults);
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let own_path = |key: &String| volumes.iter().find(|volume| volume.key == *key)?.my_mount_path.clone();
        Ok(PlanRequest {
            datalab: self.datalab.clone(),
            version: some(&self.version),
            name: some(&self.name),
            datazone: some(&self.datazone),
            resources: Resources {
                cpu: Some(CpuRange { min: cpu, max: None }),
                memory_mib: Some(Range { min: memory, max: None }),
                gpu: (gpu > 0).then(|| GpuRequest {
                    count: gpu,
                    model: some(&self.gpu_model),
                    ..GpuRequest::default()
                }),
            },
            // Somebody's own space goes along where there is one, and keeps nobody from a datazone without.
            personal_space: volumes
                .iter()
                .any(|volume| volume.key == Space::PERSONAL)
                .then(|| self.volumes.iter().any(|key| key == Space::PERSONAL)),
            inputs,
            volumes: self
                .volumes
                .iter()
                .filter(|key| *key != Space::PERSONAL)
                .map(|key| VolumeRequest { volume: key.clone(), mount_path: own_path(key), mode: None })
                .collect(),
            datasets: self.datasets.clone(),
            open_when_ready: self.open,
            remove_when_finished: self.remove,
        })
    }
}

/// Reads an input as its type says, or says what to write.
fn value_of(kind: &str, text: &str) -> Result<Value, &'static str> {
    let bare = kind.trim_end_matches('?');
    if let Some(items) = bare.strip_suffix("[]") {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        return lines.map(|line| value_of(items, line)).collect::<Result<_, _>>().map(Value::Array);
    }
    match bare {
        "int" | "long" => text.parse::<i64>().map(|number| json!(number)).map_err(|_| "a whole number, such as 4"),
        "float" | "double" => {
            let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(Value::Number).ok_or("a number, such as 0.5")
        }
        "boolean" => text.parse::<bool>().map(|truth| json!(truth)).map_err(|_| "true or false"),
        "string" | "enum" | "File" | "Directory" => Ok(json!(text)),
        // A record or one of several types: JSON when it is that, else a text.
        _ => Ok(serde_json::from_str(text).unwrap_or_else(|_| json!(text))),
    }
}

/// The floor that a manifest sets; a form may go above it, never below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Least {
    pub(crate) cpu: MilliCpu,
    pub(crate) memory_mib: u64,
    pub(crate) gpu: u32,
}

impl Least {
    pub(crate) fn of(record: &RecordView) -> Self {
        let needs = record.needs.as_ref();
        Self {
            cpu: needs.and_then(|needs| needs.cpu).map_or(DEFAULT_CPU, |cpu| cpu.min),
            memory_mib: needs.and_then(|needs| needs.memory_mib).map_or(DEFAULT_MEMORY_MIB, |memory| memory.min),
            gpu: needs.and_then(|needs| needs.gpu.as_ref()).map_or(0, |gpu| gpu.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_by_their_type() {
        for (kind, text, expected) in [
            ("int", "4", Ok(json!(4))),
            ("int?", "4.5", Err("a whole number, such as 4")),
            ("double", "0.5", Ok(json!(0.5))),
            ("boolean", "true", Ok(json!(true))),
            ("boolean", "yes", Err("true or false")),
            ("string", "4", Ok(json!("4"))),
            ("File", "/data/user/x.fits", Ok(json!("/data/user/x.fits"))),
            ("File[]", "/data/a\n\n /data/b ", Ok(json!(["/data/a", "/data/b"]))),
            ("int[]", "1\nx", Err("a whole number, such as 4")),
            ("int | string", "4", Ok(json!(4))),
            ("record", r#"{"a": 1}"#, Ok(json!({ "a": 1 }))),
        ] {
            assert_eq!(value_of(kind, text), expected, "{kind} {text}");
        }
    }
}
