//! What a backend may be asked to run: a closed struct, so that nothing else can be asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog_schemas::id::LaunchId;
use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, Mount, Offer, Range, Resources};
use catalog_schemas::variable::may_be_set;
use serde::{Deserialize, Serialize};

use crate::backend::{BackendError, FailureCode, Stage};

/// Stands in arguments and environment values for the path that the lab is opened at, such as `/lab/l0…/`.
pub const BASE_PATH: &str = "{basePath}";

/// Stands in arguments for the port that the lab must listen on.
pub const PORT: &str = "{port}";

/// Where the files of a launch lie in its container, read-only.
pub const FILES_PATH: &str = "/workflow";

/// The most files that a launch brings along, and the most bytes of all of them: they go into the ledger, over the wire
/// to other servers and, in a cluster, into one object of at most 1 MiB.
pub const MOST_FILES: usize = 256;

/// See [`MOST_FILES`].
pub const MOST_FILE_BYTES: usize = 512 << 10;

/// One launch as a backend sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LaunchSpec {
    /// The launch's id: the container's name and label.
    pub launch: LaunchId,
    /// The owner's name for it.
    pub name: String,
    /// The datalab's name, for the demonstration's page.
    pub datalab_name: String,
    /// The datalab's IRI.
    #[serde(default)]
    pub datalab: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// The owner's account, for another server that runs it in their name; no label and no log has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Datasets that its owner chose, by IRI: handed over as links in `ALIDADE_DATASETS`, with blanks between them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// A hash of the owner's account, for the labels; never the account itself.
    pub owner_hash: String,
    /// Its image; only a demonstration runs without one.
    pub image: Option<Image>,
    /// `web`, `desktop`, `vm`, `terminal` or `headless`.
    pub interface_type: String,
    /// Processor cores.
    pub cpu: MilliCpu,
    /// Memory; swap is part of it.
    #[serde(rename = "memoryMiB")]
    pub memory_mib: u64,
    /// GPUs.
    pub gpus: Option<Gpus>,
    /// Volumes by key; the backend knows where they lie.
    pub mounts: Vec<Mount>,
    /// The port that its interface listens on; absent for a headless one.
    pub port: Option<u16>,
    /// The path opened when it is ready, relative to its base path.
    pub entry_path: String,
    /// How to know that it is ready.
    pub readiness: Readiness,
    /// Replaces the image's entry point unless empty.
    pub command: Vec<String>,
    /// Replaces the image's command unless empty.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Files that it brings along, such as a workflow and its inputs: below [`FILES_PATH`], read-only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SpecFile>,
}

/// A small file that a launch brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpecFile {
    /// Its path below [`FILES_PATH`].
    pub path: String,
    /// What it holds, in base64.
    pub content: String,
}

impl SpecFile {
    /// Makes a file.
    pub fn new(path: impl Into<String>, bytes: &[u8]) -> Self {
        Self { path: path.into(), content: BASE64.encode(bytes) }
    }

    /// Returns what it holds; nothing when that is not base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        BASE64.decode(&self.content).ok()
    }

    /// Says whether its path stays below the folder.
    fn is_plain(&self) -> bool {
        self.path.len() <= 255
            && !self.path.contains(['\0', '\\', ':'])
            && self.path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
    }
}

/// An image by reference and, when known, by digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Such as `docker.io/library/busybox:1.36`.
    pub reference: String,
    /// Such as `sha256:…`; what is run when present, whatever the tag says by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// GPUs of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gpus {
    /// How many; never 0.
    pub count: u32,
    /// Such as `nvidia`.
    pub vendor: String,
    /// Such as `A100`.
    pub model: String,
}

/// How to know that a lab's interface answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Readiness {
    /// The path to ask for, relative to the base path; the entry path when absent.
    pub path: Option<String>,
    /// How long it may take from the start of the container.
    pub timeout_seconds: u32,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { path: None, timeout_seconds: 120 }
    }
}

impl Image {
    /// Returns the repository without tag and digest: what a registry is asked for.
    pub fn repository(&self) -> &str {
        let name = self.reference.split('@').next().unwrap_or(&self.reference);
        match name.rsplit_once(':') {
            // A colon before a slash belongs to the registry's port.
            Some((repository, tag)) if !tag.contains('/') => repository,
            _ => name,
        }
    }

    /// Returns the tag, `latest` when none is written.
    pub fn tag(&self) -> &str {
        let name = self.reference.split('@').next().unwrap_or(&self.reference);
        name.strip_prefix(self.repository()).and_then(|rest| rest.strip_prefix(':')).unwrap_or("latest")
    }

    /// Returns the digest, be it known or written in the reference.
    pub fn pinned(&self) -> Option<&str> {
        self.digest.as_deref().or_else(|| self.reference.split_once('@').map(|(_, digest)| digest))
    }

    /// Returns the name to run: by digest when there is one.
    pub fn name(&self) -> String {
        match self.pinned() {
            Some(digest) => format!("{}@{digest}", self.repository()),
            None => format!("{}:{}", self.repository(), self.tag()),
        }
    }
}

impl LaunchSpec {
    /// Returns the spec with what an offer grants: CPU, memory, GPUs and mounts.
    #[must_use]
    pub fn with_offer(mut self, offer: &Offer) -> Self {
        let offered = &offer.offered;
        self.cpu = offered.cpu.map_or(self.cpu, |cpu| cpu.min);
        self.memory_mib = offered.memory_mib.map_or(self.memory_mib, |memory| memory.min);
        self.gpus = offered.gpu.as_ref().filter(|gpu| gpu.count > 0).map(|gpu| Gpus {
            count: gpu.count,
            vendor: gpu.vendor.clone().unwrap_or_default(),
            model: gpu.model.clone().unwrap_or_default(),
        });
        self.mounts = offer.mounts.clone();
        self
    }

    /// Returns the path that the proxy serves the lab at, with a slash at both ends.
    pub fn base_path(&self) -> String {
        format!("/lab/{}/", self.launch)
    }

    /// Says whether the lab was told its base path, so the proxy passes the path on as it is instead of stripping it.
    pub fn keeps_base_path(&self) -> bool {
        self.command
            .iter()
            .chain(&self.args)
            .chain(self.env.iter().map(|(_, value)| value))
            .any(|text| text.contains(BASE_PATH))
    }

    /// Returns the path to probe, as the lab sees it.
    pub fn probe_path(&self) -> String {
        self.path_in_lab(self.readiness.path.as_deref().unwrap_or(&self.entry_path))
    }

    /// Returns a path relative to the base path as the lab sees it.
    pub fn path_in_lab(&self, path: &str) -> String {
        let path = path.trim_start_matches('/');
        if self.keeps_base_path() { format!("{}{path}", self.base_path()) } else { format!("/{path}") }
    }

    /// Says whether there is an interface to wait for.
    pub fn has_interface(&self) -> bool {
        self.interface_type != "headless" && self.port.is_some()
    }

    /// Returns a text with the base path and the port put in.
    pub fn filled(&self, text: &str) -> String {
        let text = text.replace(BASE_PATH, &self.base_path());
        self.port.map_or_else(|| text.clone(), |port| text.replace(PORT, &port.to_string()))
    }

    /// Returns what is asked for in the words of a plan.
    pub fn resources(&self) -> Resources {
        Resources {
            cpu: Some(CpuRange { min: self.cpu, max: Some(self.cpu) }),
            memory_mib: Some(Range { min: self.memory_mib, max: Some(self.memory_mib) }),
            gpu: self.gpus.as_ref().map(|gpus| GpuRequest {
                count: gpus.count,
                model: Some(gpus.model.clone()),
                vendor: Some(gpus.vendor.clone()),
                ..GpuRequest::default()
            }),
        }
    }

    /// Checks what a stranger could have written: the command, the environment, amounts.
    ///
    /// # Errors
    ///
    /// Refuses with `spec.refused` and the offending name; values are not repeated, as they may be secret.
    pub fn check(&self) -> Result<(), BackendError> {
        let refuse = |cause: String| Err(BackendError::new(Stage::Start, FailureCode::SpecRefused, cause));
        if self.cpu.0 == 0 || self.memory_mib == 0 {
            return refuse("a launch needs some CPU and some memory".to_owned());
        }
        if self.gpus.as_ref().is_some_and(|gpus| gpus.count == 0 || gpus.count > 64) {
            return refuse("the number of GPUs must be from 1 to 64".to_owned());
        }
        if self.command.len() + self.args.len() > 128 {
            return refuse("the command has more than 128 words".to_owned());
        }
        if self.command.iter().chain(&self.args).any(|word| word.len() > 8192 || word.contains('\0')) {
            return refuse("a word of the command is longer than 8192 bytes or holds a NUL".to_owned());
        }
        if self.datasets.len() > 64 || self.datasets.iter().any(|it| it.len() > 1024 || it.contains([' ', '\0', '\n']))
        {
            return refuse("there are more than 64 datasets, or one is no IRI".to_owned());
        }
        self.check_files().or_else(refuse)?;
        if self.env.len() > 64 {
            return refuse("there are more than 64 environment variables".to_owned());
        }
        for (name, value) in &self.env {
            if !may_be_set(name) {
                let name: String = name.chars().take(80).collect();
                return refuse(format!("the environment variable `{name}` must not be set"));
            }
            if value.len() > 8192 || value.contains('\0') {
                return refuse(format!("the value of `{name}` is longer than 8192 bytes or holds a NUL"));
            }
        }
        Ok(())
    }

    fn check_files(&self) -> Result<(), String> {
        if self.files.len() > MOST_FILES {
            return Err(format!("it brings along more than {MOST_FILES} files"));
        }
        let mut paths: Vec<&str> = Vec::with_capacity(self.files.len());
        let mut total = 0;
        for file in &self.files {
            let name: String = file.path.chars().take(120).collect();
            if !file.is_plain() || paths.contains(&file.path.as_str()) {
                return Err(format!("it brings along `{name}` twice, or that is no path of a file"));
            }
            paths.push(&file.path);
            total += file.bytes().ok_or_else(|| format!("what `{name}` holds is not base64"))?.len();
        }
        if total > MOST_FILE_BYTES {
            return Err(format!("the files that it brings along have more than {} KiB", MOST_FILE_BYTES >> 10));
        }
        Ok(())
    }
}

/// Checks that the operator allows the image's registry.
pub(crate) fn check_registry(image: &Image, allowed: &[String]) -> Result<(), BackendError> {
    if allowed.is_empty() || allowed.iter().any(|prefix| image.reference.starts_with(prefix.as_str())) {
        return Ok(());
    }
    let cause = format!("images of `{}` may not be run there", image.repository());
    Err(BackendError::new(Stage::Prepare, FailureCode::ImageRegistryRefused, cause))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn spec() -> LaunchSpec {
        LaunchSpec {
            launch: LaunchId::from_bytes([7; 16]),
            name: "my aladin".to_owned(),
            datalab_name: "Aladin Sky Atlas".to_owned(),
            datalab: String::new(),
            version: String::new(),
            on_behalf_of: None,
            datasets: Vec::new(),
            owner_hash: "5e884898".to_owned(),
            image: Some(Image { reference: "lab:1".to_owned(), digest: None }),
            interface_type: "web".to_owned(),
            cpu: MilliCpu(500),
            memory_mib: 64,
            gpus: None,
            mounts: Vec::new(),
            port: Some(8888),
            entry_path: "/".to_owned(),
            readiness: Readiness::default(),
            command: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn files_stay_below_their_folder_and_are_few() {
        let check = |files: &[(&str, usize)]| {
            let file = |(path, size): &(&str, usize)| SpecFile::new(*path, &vec![b'x'; *size]);
            LaunchSpec { files: files.iter().map(file).collect(), ..spec() }.check().is_ok()
        };
        assert!(check(&[("inputs.json", 2), ("package/pipeline/main.cwl", 1000)]));
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\0b", "a\\b", &"a".repeat(256)] {
            assert!(!check(&[(bad, 1)]), "{bad}");
        }
        assert!(!check(&[("a", 1), ("a", 1)]) && !check(&[("a", MOST_FILE_BYTES + 1)]));
    }

    #[test]
    fn references_are_taken_apart_and_run_by_digest() {
        let image = |reference: &str, digest: Option<&str>| {
            let image = Image { reference: reference.to_owned(), digest: digest.map(str::to_owned) };
            (image.repository().to_owned(), image.tag().to_owned(), image.name())
        };
        let parts = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(image("lab", None), parts("lab", "latest", "lab:latest"));
        assert_eq!(image("host:5000/a/lab:1.2", None), parts("host:5000/a/lab", "1.2", "host:5000/a/lab:1.2"));
        assert_eq!(image("host:5000/lab", None), parts("host:5000/lab", "latest", "host:5000/lab:latest"));
        assert_eq!(image("lab:1", Some("sha256:ab")), parts("lab", "1", "lab@sha256:ab"));
        assert_eq!(image("lab:1@sha256:cd", None), parts("lab", "1", "lab@sha256:cd"));
    }

    #[test]
    fn only_harmless_variables_may_be_set() {
        let mut refused = spec();
        refused.env.push(("LD_PRELOAD".to_owned(), "secret".to_owned()));
        let error = refused.check().unwrap_err();
        assert_eq!(error.code, FailureCode::SpecRefused);
        assert_eq!(error.cause, "the environment variable `LD_PRELOAD` must not be set");
    }

    #[test]
    fn an_offer_decides_what_is_granted() {
        let offered = Resources {
            cpu: Some(CpuRange { min: MilliCpu::cores(4), max: None }),
            memory_mib: Some(Range { min: 2048, max: None }),
            gpu: Some(GpuRequest {
                count: 1,
                model: Some("A100".to_owned()),
                vendor: Some("nvidia".to_owned()),
                ..GpuRequest::default()
            }),
        };
        let mounts = vec![Mount {
            volume: "pla-legacy".to_owned(),
            mount_path: "/data/user/pla_legacy".to_owned(),
            mode: "ro".to_owned(),
        }];
        let offer = Offer {
            id: "o1".to_owned(),
            datazone: "sci-cloud".to_owned(),
            expires_at: "2026-11-22T12:05:00Z".to_owned(),
            requested: Resources::default(),
            offered,
            mounts: mounts.clone(),
            score: 0,
            explanation: Vec::new(),
        };
        let expected = LaunchSpec {
            cpu: MilliCpu::cores(4),
            memory_mib: 2048,
            gpus: Some(Gpus { count: 1, vendor: "nvidia".to_owned(), model: "A100".to_owned() }),
            mounts,
            ..spec()
        };
        assert_eq!(spec().with_offer(&offer), expected);
    }

    #[test]
    fn a_lab_that_knows_its_base_path_keeps_it() {
        let mut spec = spec();
        spec.entry_path = "lab/tree".to_owned();
        assert_eq!(spec.probe_path(), "/lab/tree");
        spec.args = vec!["--base-url={basePath}".to_owned(), "--port={port}".to_owned()];
        assert!(spec.keeps_base_path());
        assert_eq!(spec.probe_path(), format!("/lab/{}/lab/tree", spec.launch));
        assert_eq!(spec.filled(&spec.args[1]), "--port=8888");
    }

    #[test]
    fn only_allowed_registries_are_asked() {
        let image = Image { reference: "quay.io/jupyter/base-notebook:2025".to_owned(), digest: None };
        assert!(check_registry(&image, &[]).is_ok());
        assert!(check_registry(&image, &["quay.io/jupyter/".to_owned()]).is_ok());
        let error = check_registry(&image, &["ghcr.io/".to_owned()]).unwrap_err();
        assert_eq!(error.code, FailureCode::ImageRegistryRefused);
    }
}
