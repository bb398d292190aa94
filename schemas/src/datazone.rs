//! Datazones: where launches can go, what they can hold and what is free.

use serde::{Deserialize, Serialize};

use crate::plan::MilliCpu;

/// A datazone as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Datazone {
    /// Its id, such as `sci-cloud`.
    pub id: String,
    /// Its name, such as `SCI-CLOUD`.
    pub name: String,
    /// Whether it only demonstrates: nothing is really run there.
    pub demo: bool,
    /// The most it could ever offer to one launch.
    pub capability: Capability,
    /// What is free now; absent when it cannot be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// `up`, `down` or `unknown`.
    pub health: String,
    /// Why it is not up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Where its files can be managed, when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_service: Option<String>,
}

/// A static ceiling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Capability {
    /// Processor cores.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub cpu: MilliCpu,
    /// Memory.
    #[serde(rename = "memoryMiB")]
    pub memory_mib: u64,
    /// GPUs by model.
    #[serde(default)]
    pub gpus: Vec<Gpu>,
    /// Processor architectures: `amd64`, `arm64`.
    pub architectures: Vec<String>,
    /// Interfaces: `web`, `desktop`, `vm`, `terminal`, `headless`.
    pub interfaces: Vec<String>,
    /// Keys of the volumes held.
    #[serde(default)]
    pub volumes: Vec<String>,
}

/// GPUs of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gpu {
    /// Such as `nvidia`.
    pub vendor: String,
    /// Such as `A100`.
    pub model: String,
    /// How many.
    pub count: u32,
    /// Memory a device.
    #[serde(rename = "memoryMiB", default)]
    pub memory_mib: u64,
    /// The newest CUDA that its driver runs, such as `12.4`; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<String>,
}

/// What is in use and free at one moment; stale is unknown, never zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Free processor cores.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub free_cpu: MilliCpu,
    /// Free memory.
    #[serde(rename = "freeMemoryMiB")]
    pub free_memory_mib: u64,
    /// Free GPUs by model.
    #[serde(default)]
    pub free_gpus: Vec<FreeGpu>,
    /// Launches running.
    pub sessions: u32,
    /// When it was observed, RFC 3339.
    pub observed_at: String,
}

/// Free GPUs of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FreeGpu {
    /// The model.
    pub model: String,
    /// How many are free.
    pub count: u32,
}

/// All datazones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Datazones {
    /// In the order of the configuration.
    pub datazones: Vec<Datazone>,
}
