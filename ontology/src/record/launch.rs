//! What a launch needs of a record: resources, volumes, and how the container is started.

use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, Range, Resources};
use catalog_schemas::record::VolumeNeed;

use super::Record;
use super::value::Value;
use crate::manifest::image_reference;
use crate::terms::{Kind, Table};

/// How a datalab's container is started; private, except for the digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runtime {
    /// The image as the manifest gives it, `registry/repository:tag`.
    pub reference: String,
    /// The digest, resolved at publishing or given in the reference.
    pub digest: Option<String>,
    /// `web`, `desktop`, `vm`, `terminal` or `headless`.
    pub interface: String,
    /// The ports on which it listens, the interface's first.
    pub ports: Vec<u16>,
    /// The URL path that is opened when it is ready.
    pub path: Option<String>,
    /// How readiness is seen.
    pub readiness: Option<Readiness>,
    /// Replaces the image's entry point.
    pub command: Vec<String>,
    /// The arguments.
    pub args: Vec<String>,
    /// Names and values of environment variables.
    pub env: Vec<(String, String)>,
    /// The user id to run as, when the platform says so.
    pub user: Option<u32>,
    /// What the launcher should know, such as the login of a virtual machine, in the language asked for.
    pub startup_hint: Option<String>,
}

/// How readiness is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The path that answers when it is ready.
    pub path: String,
    /// How long to wait for it.
    pub timeout_seconds: u32,
}

impl Runtime {
    /// Returns the reference to launch: by digest where there is one, so that what was published is what runs.
    pub fn pinned(&self) -> String {
        match (&self.digest, image_reference(&self.reference)) {
            (Some(digest), Some(reference)) => format!("{}@{digest}", reference.name),
            _ => self.reference.clone(),
        }
    }
}

impl Record {
    /// Returns how to start the container; none when the record names no image.
    pub fn runtime(&self, language: &str) -> Option<Runtime> {
        let reference = self.string("datalabImage.reference")?.to_owned();
        let own = image_reference(&reference).and_then(|parts| parts.digest);
        let list = |key: &str| {
            let texts = self.values(key).into_iter().find_map(|value| match value {
                Value::List(texts) => Some(texts.clone()),
                _ => None,
            });
            texts.unwrap_or_default()
        };
        let readiness = self.nodes("runtime.readiness").into_iter().next().and_then(|node| {
            let timeout = node.integer("timeout").or_else(|| default(self.kind, "runtime.readiness.timeout"));
            Some(Readiness {
                path: node.text("path")?.to_owned(),
                timeout_seconds: timeout.and_then(|t| u32::try_from(t).ok()).unwrap_or(120),
            })
        });
        Some(Runtime {
            digest: own.or_else(|| self.string("datalabImage.digest").map(str::to_owned)),
            reference,
            interface: self.string("interfaceType").unwrap_or("headless").to_owned(),
            ports: self.integers("runtime.port").into_iter().filter_map(|port| u16::try_from(port).ok()).collect(),
            path: self.string("runtime.path").map(str::to_owned),
            readiness,
            command: list("runtime.command"),
            args: list("runtime.args"),
            env: self
                .nodes("runtime.env")
                .into_iter()
                .filter_map(|node| {
                    Some((node.text("name")?.to_owned(), node.text("value").unwrap_or_default().to_owned()))
                })
                .collect(),
            user: self.integer("runtime.user").and_then(|user| u32::try_from(user).ok()),
            startup_hint: self.text("startupHint", language).map(str::to_owned),
        })
    }

    /// Returns what a launch needs; a datalab that does not say gets the defaults of the term table.
    pub fn needs(&self) -> Resources {
        let root = if self.kind == Kind::Pipeline { "requirements" } else { "needs" };
        let key = |name: &str| format!("{root}.{name}");
        let cores = |name: &str| self.string(&key(name)).and_then(milli);
        let mebibytes = |name: &str| self.integer(&key(name)).and_then(|number| u64::try_from(number).ok());
        let least = cores("cpu.min")
            .or_else(|| default(self.kind, &key("cpu.min")).and_then(|cores| milli(&cores.to_string())));
        let memory = mebibytes("memory.min")
            .or_else(|| default(self.kind, &key("memory.min")).and_then(|n| u64::try_from(n).ok()));
        let count = self.integer(&key("gpu.count")).and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
        Resources {
            cpu: least.map(|min| CpuRange { min, max: cores("cpu.max") }),
            memory_mib: memory.map(|min| Range { min, max: mebibytes("memory.max") }),
            gpu: (count > 0).then(|| GpuRequest {
                count,
                models: self.strings(&key("gpu.model")).into_iter().map(str::to_owned).collect(),
                model: None,
                vendor: self.string(&key("gpu.vendor")).map(str::to_owned),
                memory_mib: mebibytes("gpu.memory"),
                cuda: self.string(&key("gpu.runtime")).map(str::to_owned),
            }),
        }
    }

    /// Returns the volumes it asks for; where no path is given, the volume's own default holds and the path is empty.
    pub fn volumes(&self) -> Vec<VolumeNeed> {
        let need = |node: &super::Fields| {
            Some(VolumeNeed {
                volume: node.text("volume")?.to_owned(),
                name: None,
                mount_path: node.text("mountPath").unwrap_or_default().to_owned(),
                mode: node.text("mode").unwrap_or("ro").to_owned(),
                required: node.boolean("required").unwrap_or(true),
            })
        };
        self.nodes("volume").into_iter().filter_map(need).collect()
    }
}

/// Returns the default of a term with whole numbers.
fn default(kind: Kind, key: &str) -> Option<i64> {
    Table::get().by_key(kind, key)?.default.as_deref()?.parse().ok()
}

/// Returns a canonical decimal as thousandths; validation has seen to its three digits.
fn milli(text: &str) -> Option<MilliCpu> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let thousandths: u32 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(MilliCpu(whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(thousandths)?))
}
