//! The launch form's fields, between a query string, a record's needs and a plan request.

use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, PlanRequest, Range, Resources, VolumeRequest};
use catalog_schemas::record::RecordView;
use catalog_schemas::volume::Volume;

use crate::field;

/// The least a launch asks for when the manifest says nothing, as in the source deck.
const DEFAULT_CPU: MilliCpu = MilliCpu::cores(2);
const DEFAULT_MEMORY_MIB: u64 = 2048;

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
            open: field::text(pairs, "open").is_some(),
            remove: field::text(pairs, "remove").is_some(),
        };
        // A form that was sent always carries its CPU field; a link from a record page carries only the datalab.
        if field::text(pairs, "cpu").is_none() {
            let least = Least::of(record);
            form.cpu = least.cpu.to_string();
            form.memory = least.memory_mib.to_string();
            form.gpu = least.gpu.to_string();
            form.volumes = volumes.iter().filter(|volume| volume.mine).map(|volume| volume.key.clone()).collect();
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
            volumes: self
                .volumes
                .iter()
                .map(|key| VolumeRequest { volume: key.clone(), mount_path: own_path(key), mode: None })
                .collect(),
            datasets: self.datasets.clone(),
            open_when_ready: self.open,
            remove_when_finished: self.remove,
        })
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
