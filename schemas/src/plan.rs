//! Planning a launch: what is asked for, and every datazone's yes or no (after the IVOA ExecutionBroker draft).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What somebody wants to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    /// The datalab or pipeline: its IRI, `zone/identifier`, or its identifier in this zone.
    pub datalab: String,
    /// The version; the current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The owner's name for the launch; the short name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only this datazone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datazone: Option<String>,
    /// At least this much; the manifest's minimum is the floor and the default.
    #[serde(default)]
    pub resources: Resources,
    /// Data volumes; those the manifest requires are added.
    #[serde(default)]
    pub volumes: Vec<VolumeRequest>,
    /// Datasets to hand over as links.
    #[serde(default)]
    pub datasets: Vec<String>,
    /// Whether the viewer's own space is mounted where the datazone has one; as the manifest says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_space: Option<bool>,
    /// What a pipeline's inputs are, by name; files and folders by their path in the launch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub inputs: BTreeMap<String, serde_json::Value>,
    /// Whether the portal opens the lab as soon as its interface answers.
    #[serde(default)]
    pub open_when_ready: bool,
    /// Whether the lab is removed when it finishes; its logs are kept.
    #[serde(default)]
    pub remove_when_finished: bool,
}

/// An amount of resources; what is absent is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// Processor cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuRange>,
    /// Memory.
    #[serde(rename = "memoryMiB", default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<Range>,
    /// GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuRequest>,
}

/// A range of processor cores; thousandths of a core are the smallest step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CpuRange {
    /// At least.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub min: MilliCpu,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub max: Option<MilliCpu>,
}

/// Processor cores in thousandths; a decimal number of cores in JSON, so planning stays in integers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCpu(pub u32);

impl MilliCpu {
    /// Makes an amount from whole cores.
    pub const fn cores(cores: u32) -> Self {
        Self(cores.saturating_mul(1000))
    }
}

impl std::fmt::Display for MilliCpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(f, "{}", self.0 / 1000)
        } else {
            let fraction = format!("{:03}", self.0 % 1000);
            write!(f, "{}.{}", self.0 / 1000, fraction.trim_end_matches('0'))
        }
    }
}

impl Serialize for MilliCpu {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u32(self.0 / 1000)
        } else {
            serializer.serialize_f64(f64::from(self.0) / 1000.0)
        }
    }
}

impl<'de> Deserialize<'de> for MilliCpu {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let cores = f64::deserialize(deserializer)?;
        if !(0.0..=1_000_000.0).contains(&cores) {
            return Err(serde::de::Error::custom(format!("`{cores}` is not a number of cores from 0 to 1000000")));
        }
        Ok(Self((cores * 1000.0).round() as u32))
    }
}

/// A range of whole amounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// At least.
    pub min: u64,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

/// GPUs asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuRequest {
    /// How many; 0 is none.
    pub count: u32,
    /// Only these models; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Only this model, as a form sends it; added to `models`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only this vendor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Memory a device, at least.
    #[serde(rename = "memoryMiB", default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// CUDA, at least, such as `10.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<String>,
}

/// A data volume asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeRequest {
    /// The volume: its IRI, identifier or short name.
    pub volume: String,
    /// Where to mount it; the volume's own default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// `ro` or `rw`; the volume's own mode when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Whether anything can run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum PlanAnswer {
    /// At least one offer.
    Yes,
    /// Only refusals.
    No,
}

/// The plan over all datazones: each of them is in `offers` or in `refusals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Whether anything can run it.
    pub answer: PlanAnswer,
    /// Best first.
    pub offers: Vec<Offer>,
    /// By datazone.
    pub refusals: Vec<Refusal>,
}

/// A datazone's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// To be given to a launch.
    pub id: String,
    /// The datazone.
    pub datazone: String,
    /// Until when it holds, RFC 3339.
    pub expires_at: String,
    /// What was asked for.
    pub requested: Resources,
    /// What is granted.
    pub offered: Resources,
    /// What will be mounted.
    pub mounts: Vec<Mount>,
    /// Rank: bytes to move first, then free capacity; lower is better.
    pub score: u64,
    /// The reasons in words, most important first.
    pub explanation: Vec<String>,
}

/// A volume as it will be mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// The volume's key: its short name.
    pub volume: String,
    /// The absolute path in the container.
    pub mount_path: String,
    /// `ro` or `rw`.
    pub mode: String,
}

/// A datazone's no, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The datazone.
    pub datazone: String,
    /// Why not; never empty.
    pub reasons: Vec<Reason>,
}

/// Why a datazone cannot run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reason {
    /// A stable code such as `gpu.model`.
    pub code: String,
    /// The reason in words.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_thousandths_inside_and_decimals_outside() {
        let range: CpuRange = serde_json::from_str(r#"{"min":0.5,"max":2}"#).unwrap();
        assert_eq!((range.min, range.max), (MilliCpu(500), Some(MilliCpu::cores(2))));
        assert_eq!(serde_json::to_string(&range).unwrap(), r#"{"min":0.5,"max":2}"#);
        assert_eq!(MilliCpu(1250).to_string(), "1.25");
        assert!(serde_json::from_str::<CpuRange>(r#"{"min":-1}"#).is_err());
    }
}
