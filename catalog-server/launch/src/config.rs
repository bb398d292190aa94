//! A datazone as `alidade.toml` describes it, and the way from there to a backend.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use catalog_schemas::datazone::Gpu;
use catalog_schemas::id::ZoneId;
use catalog_schemas::plan::MilliCpu;
use catalog_schemas::volume::Space;
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::demo::{DemoBackend, Faults};
use crate::docker::DockerBackend;
use crate::error::Error;
use crate::kubernetes::KubernetesBackend;
use crate::planner::{HeldVolume, ImagePolicy, Policy};
use crate::remote::RemoteBackend;
use crate::remote::signing::Identity;

/// A `[[datazone]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZoneConfig {
    /// Its id, such as `sci-cloud`.
    pub id: ZoneId,
    /// Its name, such as `SCI-CLOUD`.
    pub name: String,
    /// What runs its labs.
    pub backend: BackendKind,
    /// Where its engine is, such as `unix:///var/run/docker.sock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Processor cores for labs; all that the engine has when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<MilliCpu>,
    /// Memory for labs; all that the engine has when absent.
    #[serde(rename = "memoryMiB", default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// GPUs for labs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpu: Vec<GpuConfig>,
    /// Replicas of catalogue volumes held there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume: Vec<VolumeConfig>,
    /// Where accounts and teams keep their own files.
    #[serde(default, skip_serializing_if = "Spaces::is_empty")]
    pub space: Spaces,
    /// Directories beneath which volumes may lie, whatever links lead there. When empty, every volume's path must be
    /// free of symbolic links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_roots: Vec<PathBuf>,
    /// Where its files can be managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_service: Option<String>,
    /// Which images may run; `any` for docker and `notNeeded` for demo when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImagePolicy>,
    /// Beginnings of image references that may be pulled, such as `quay.io/jupyter/`; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<String>,
    /// The kinds of interface it serves; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<String>>,
    /// Launches at once an account may have there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_per_account: Option<u32>,
    /// GPUs at once an account may have there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus_per_account: Option<u32>,
    /// Only members of these groups may launch there; everybody when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_groups: Vec<String>,
    /// For how many seconds an observed capacity holds.
    #[serde(default = "default_capacity_seconds")]
    pub capacity_seconds: i64,
    /// Tells the labs of this server from those of another on the same engine; the zone's id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// How containers are made.
    #[serde(default)]
    pub container: ContainerPolicy,
    /// The context of the kubeconfig, for kubernetes; the current one, or the cluster that this server runs in, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace of the labs, for kubernetes; the context's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The base URL of the other server, for remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The datazone's id at the other server; the same as here when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_zone: Option<String>,
    /// How a cluster names what is its own choice.
    #[serde(default)]
    pub kubernetes: ClusterPolicy,
    /// How a demonstration behaves.
    #[serde(default)]
    pub demo: Faults,
}

fn default_capacity_seconds() -> i64 {
    60
}

/// What runs a zone's labs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// A Docker engine.
    Docker,
    /// A Kubernetes cluster.
    Kubernetes,
    /// A zone of another server.
    Remote,
    /// A demonstration in this process.
    Demo,
}

impl BackendKind {
    /// Returns the word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
            Self::Remote => "remote",
            Self::Demo => "demo",
        }
    }
}

/// GPUs of one model in a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuConfig {
    /// Such as `nvidia`.
    pub vendor: String,
    /// Such as `A100`.
    pub model: String,
    /// How many.
    pub count: u32,
    /// Memory a device.
    #[serde(rename = "memoryMiB", default)]
    pub memory_mib: u64,
    /// The newest CUDA that its driver runs, such as `12.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<String>,
    /// The engine's names of the devices, as many as `count`; numbered through all models from 0 when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
}

/// A replica of a catalogue volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeConfig {
    /// The volume's key.
    pub volume: String,
    /// Where it lies on the engine's machine; a demonstration needs none.
    #[serde(default)]
    pub path: PathBuf,
    /// The persistent volume claim that holds it, for kubernetes; `path` is then the folder within it, the root when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Whether it may be written to.
    #[serde(default)]
    pub mode: VolumeMode,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_size: Option<u64>,
    /// The version of its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_version: Option<String>,
}

/// Where accounts and teams keep their own files: each gets a folder of its own beneath.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spaces {
    /// A folder for each account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<SpaceConfig>,
    /// A folder for each team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<SpaceConfig>,
}

/// One kind of space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpaceConfig {
    /// The folder on the engine's machine, or within the claim; a demonstration needs none.
    #[serde(default)]
    pub path: PathBuf,
    /// The persistent volume claim that holds it, for kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
}

impl Spaces {
    /// Returns what holds such a space, and the name of its folder there; nothing when the zone has none.
    pub fn folder<'a>(&'a self, space: Space<'a>, account: Option<&'a str>) -> Option<(&'a SpaceConfig, &'a str)> {
        match space {
            Space::Personal => {
                // An account's name is plain, but it came over the wire when another server asks.
                let account = account.filter(|name| Space::of_key(&Space::Team(name).key()).is_some())?;
                Some((self.personal.as_ref()?, account))
            }
            Space::Team(team) => Some((self.team.as_ref()?, team)),
        }
    }

    /// Lists the keys of the kinds that there are.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        let personal = self.personal.as_ref().map(|_| Space::PERSONAL);
        personal.into_iter().chain(self.team.as_ref().map(|_| Space::TEAMS))
    }

    fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }

    fn all(&self) -> impl Iterator<Item = &SpaceConfig> {
        self.personal.iter().chain(&self.team)
    }
}

/// Whether a replica may be written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeMode {
    /// Only read.
    #[default]
    Ro,
    /// Read and written.
    Rw,
}

/// How containers are made. The defaults are strict; what cannot be loosened here cannot be loosened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ContainerPolicy {
    /// The user and group of the lab's processes; public Jupyter images are made for 1000:100.
    pub user: ContainerUser,
    /// Whether the image's files are read-only; the home, `/tmp` and `writable` stay writable.
    pub read_only_root: bool,
    /// The lab's home, writable and empty at the start; the image's own when absent.
    pub home: Option<String>,
    /// The most that the home may hold; it is memory, and counts as the lab's.
    #[serde(rename = "homeMiB")]
    pub home_mib: u64,
    /// Further paths that are writable and empty at the start, for images that need them, such as `/run`.
    pub writable: Vec<String>,
    /// Processes and threads at once.
    pub processes: u32,
    /// The most that `/dev/shm` may hold; browsers and PyTorch need more than the engine's own 64.
    #[serde(rename = "sharedMemoryMiB")]
    pub shared_memory_mib: u64,
    /// The network of the labs.
    pub network: Network,
    /// How this server reaches a lab.
    pub reach: Reach,
}

impl Default for ContainerPolicy {
    fn default() -> Self {
        Self {
            user: ContainerUser { uid: 1000, gid: 100 },
            read_only_root: true,
            home: None,
            home_mib: 1024,
            writable: Vec::new(),
            processes: 1024,
            shared_memory_mib: 256,
            network: Network::Bridge("alidade".to_owned()),
            reach: Reach::Published,
        }
    }
}

/// How a cluster names what is its own choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterPolicy {
    /// The resource that counts GPUs.
    pub gpu_resource: String,
    /// The nodes' label that names the model of their GPUs; its value is compared with `model` of a `[[datazone.gpu]]`.
    pub gpu_model_label: String,
    /// The runtime class of labs with GPUs, when the cluster needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_runtime_class: Option<String>,
    /// The service account of the labs, whose token they are not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The secret with which images are pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_secret: Option<String>,
    /// How long the scheduler may look for a node.
    pub schedule_seconds: i64,
    /// Whether this server keeps a network policy for its labs, so that none of them reaches another; `false` when the
    /// operator has one.
    pub network_policy: bool,
    /// Networks from which this server reaches labs, in CIDR notation, when it is no pod of the cluster.
    pub server_networks: Vec<String>,
    /// Networks that labs do not reach, in CIDR notation: by default the one from which clouds give credentials away.
    pub unreachable: Vec<String>,
}

impl Default for ClusterPolicy {
    fn default() -> Self {
        Self {
            gpu_resource: "nvidia.com/gpu".to_owned(),
            gpu_model_label: "nvidia.com/gpu.product".to_owned(),
            gpu_runtime_class: None,
            service_account: None,
            pull_secret: None,
            schedule_seconds: 60,
            network_policy: true,
            server_networks: Vec::new(),
            unreachable: vec!["169.254.0.0/16".to_owned()],
        }
    }
}

/// The user and group of a lab's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerUser {
    /// The user; 0 is root and must be chosen knowingly: some public images only start as root.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// The network of a zone's labs. The machine's own network cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Network {
    /// A bridge of that name, made when it does not exist, on which labs do not see one another.
    Bridge(String),
    /// None at all, for headless labs.
    None,
}

/// How this server reaches a lab.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// By a port that the engine opens on 127.0.0.1 of its machine.
    #[default]
    Published,
    /// By the container's own address, for a server on the engine's machine or in the same network; nothing is opened.
    Address,
}

/// Opens a zone. The engine need not answer yet. Only a remote zone needs the identity of this server.
///
/// # Errors
///
/// Says what in the configuration cannot be, and that a kind of backend is not part of this build.
pub fn open(config: &ZoneConfig, identity: Option<&Identity>) -> Result<Arc<dyn Backend>, Error> {
    config.check()?;
    match config.backend {
        BackendKind::Demo => Ok(Arc::new(DemoBackend::new(config))),
        BackendKind::Docker => Ok(Arc::new(DockerBackend::new(config)?)),
        BackendKind::Kubernetes => Ok(Arc::new(KubernetesBackend::new(config)?)),
        BackendKind::Remote => match identity {
            Some(identity) => Ok(Arc::new(RemoteBackend::new(config, identity)?)),
            None => Err(Error::Configuration {
                zone: config.id.to_string(),
                problem: "a remote datazone needs this server's own key, and none is given".to_owned(),
            }),
        },
    }
}

impl ZoneConfig {
    /// Makes the configuration of a zone with defaults for everything else.
    pub fn new(id: ZoneId, name: impl Into<String>, backend: BackendKind) -> Self {
        Self {
            id,
            name: name.into(),
            backend,
            endpoint: None,
            cpu: None,
            memory_mib: None,
            gpu: Vec::new(),
            volume: Vec::new(),
            space: Spaces::default(),
            volume_roots: Vec::new(),
            file_service: None,
            images: None,
            registries: Vec::new(),
            interfaces: None,
            sessions_per_account: None,
            gpus_per_account: None,
            allowed_groups: Vec::new(),
            capacity_seconds: default_capacity_seconds(),
            instance: None,
            container: ContainerPolicy::default(),
            context: None,
            url: None,
            remote_zone: None,
            namespace: None,
            kubernetes: ClusterPolicy::default(),
            demo: Faults::default(),
        }
    }

    /// Says whether nothing is really run there.
    pub fn is_demo(&self) -> bool {
        self.backend == BackendKind::Demo
    }

    /// Returns what the planner needs to know of its operator's wishes.
    pub fn policy(&self) -> Policy {
        let default = if self.is_demo() { ImagePolicy::NotNeeded } else { ImagePolicy::Any };
        Policy {
            images: self.images.unwrap_or(default),
            // No backend of this build copies volumes, so none may promise to.
            copies_volumes: false,
            sessions_per_account: self.sessions_per_account,
            gpus_per_account: self.gpus_per_account,
            allowed_groups: self.allowed_groups.clone(),
        }
    }

    /// Returns the volumes held, as the planner needs to know them.
    pub fn held_volumes(&self) -> BTreeMap<String, HeldVolume> {
        let held =
            |volume: &VolumeConfig| HeldVolume { byte_size: volume.byte_size, writable: volume.mode == VolumeMode::Rw };
        let spaces = self.space.keys().map(|key| (key.to_owned(), HeldVolume { byte_size: None, writable: true }));
        self.volume.iter().map(|volume| (volume.volume.clone(), held(volume))).chain(spaces).collect()
    }

    /// Lists what can be mounted there in the words of a capability: volumes, and kinds of spaces.
    pub fn mountable(&self) -> Vec<String> {
        let spaces = self.space.keys().map(str::to_owned);
        self.volume.iter().map(|volume| volume.volume.clone()).chain(spaces).collect()
    }

    /// Returns the GPUs in the words of a capability.
    pub fn gpus(&self) -> Vec<Gpu> {
        let gpu = |gpu: &GpuConfig| Gpu {
            vendor: gpu.vendor.clone(),
            model: gpu.model.clone(),
            count: gpu.count,
            memory_mib: gpu.memory_mib,
            cuda: gpu.cuda.clone(),
        };
        self.gpu.iter().map(gpu).collect()
    }

    /// Returns the kinds of interface served.
    pub fn served_interfaces(&self) -> Vec<String> {
        let all = || ["web", "desktop", "vm", "terminal", "headless"].map(str::to_owned).to_vec();
        self.interfaces.clone().unwrap_or_else(all)
    }

    /// Returns the label by which this server knows its own labs.
    pub fn instance_label(&self) -> &str {
        self.instance.as_deref().unwrap_or(self.id.as_str())
    }

    fn check(&self) -> Result<(), Error> {
        let fail = |problem: String| Err(Error::Configuration { zone: self.id.to_string(), problem });
        let mut models: Vec<&str> = self.gpu.iter().map(|gpu| gpu.model.as_str()).collect();
        models.sort_unstable();
        if let Some(pair) = models.windows(2).find(|pair| pair[0] == pair[1]) {
            return fail(format!("`gpu` names the model `{}` twice", pair[0]));
        }
        for gpu in &self.gpu {
            if !gpu.devices.is_empty() && gpu.devices.len() != gpu.count as usize {
                return fail(format!("`gpu` `{}` names {} devices, not {}", gpu.model, gpu.devices.len(), gpu.count));
            }
        }
        let mut keys: Vec<&str> = self.volume.iter().map(|volume| volume.volume.as_str()).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return fail(format!("`volume` names `{}` twice", pair[0]));
        }
        if self.backend != BackendKind::Demo && self.space.personal.is_some() && self.space.personal == self.space.team
        {
            // A team may have the name of an account.
            return fail("`space.personal` and `space.team` are the same folder".to_owned());
        }
        if self.backend == BackendKind::Kubernetes {
            for volume in &self.volume {
                if volume.claim.is_none() {
                    let name = &volume.volume;
                    return fail(format!("the volume `{name}` names no `claim`, which is where a cluster holds it"));
                }
                if volume.path.components().any(|part| !matches!(part, Component::Normal(_))) {
                    let name = &volume.volume;
                    return fail(format!("`path` of the volume `{name}` is a folder of its claim, such as `gaia/dr3`"));
                }
            }
            for space in self.space.all() {
                if space.claim.is_none() || space.path.components().any(|part| !matches!(part, Component::Normal(_))) {
                    return fail(
                        "a `space` names its `claim`, and as `path` a folder of it, such as `homes`".to_owned(),
                    );
                }
            }
        }
        if self.backend == BackendKind::Docker {
            let elsewhere = |endpoint: &String| {
                let local = ["unix://", "tcp://127.", "http://127.", "tcp://localhost", "http://localhost"];
                !local.iter().any(|beginning| endpoint.starts_with(beginning))
            };
            if self.container.reach == Reach::Published && self.endpoint.as_ref().is_some_and(elsewhere) {
                let problem = "the engine is on another machine, whose published ports this server does not reach; \
                               route the labs' network here and set `container.reach` to `address`";
                return fail(problem.to_owned());
            }
            for volume in &self.volume {
                if let Err(problem) = check_source(&volume.path) {
                    return fail(format!("`path` of the volume `{}` {problem}", volume.volume));
                }
            }
            for space in self.space.all() {
                if let Err(problem) = check_source(&space.path) {
                    return fail(format!("`path` of a `space` {problem}"));
                }
            }
            for path in self.container.writable.iter().chain(&self.container.home) {
                if let Err(problem) = check_writable(path) {
                    return fail(format!("`{path}` cannot be made writable: {problem}"));
                }
            }
        }
        Ok(())
    }
}

/// Checks the words of a volume's path on the engine's machine; what lies there is looked at before every launch.
pub(crate) fn check_source(path: &Path) -> Result<(), &'static str> {
    // What steers the machine or the engine is never a volume, whatever the configuration says.
    const NEVER: [&str; 9] = ["/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var/lib/docker", "/var/run"];
    if !path.is_absolute() {
        return Err("must be absolute");
    }
    let mut parts = path.components();
    if parts.next() != Some(Component::RootDir) || parts.any(|part| !matches!(part, Component::Normal(_))) {
        return Err("must hold no `..`");
    }
    if path == Path::new("/") || NEVER.iter().any(|never| path.starts_with(never)) {
        return Err("lies where the machine or the engine is steered from");
    }
    Ok(())
}

fn check_writable(path: &str) -> Result<(), &'static str> {
    let inner = Path::new(path);
    let normal = path.starts_with('/')
        && path.len() > 1
        && path[1..].split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains([':', ',']);
    if !normal {
        return Err("it must be absolute and normalised, without colon and comma");
    }
    if ["/proc", "/sys", "/dev", "/etc", "/bin", "/lib", "/usr", "/sbin"].iter().any(|never| inner.starts_with(never)) {
        return Err("it is the system's");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ZoneConfig, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_example_of_the_design_is_read() {
        let config = parse(
            r#"
            id = "sci-cloud"
            name = "SCI-CLOUD"
            backend = "docker"
            endpoint = "unix:///var/run/docker.sock"
            cpu = 16
            memoryMiB = 65536
            [[gpu]]
            vendor = "nvidia"
            model = "A100"
            count = 4
            memoryMiB = 40960
            [[volume]]
            volume = "pla-legacy"
            path = "/srv/volumes/pla_legacy"
            mode = "ro"
            [container]
            readOnlyRoot = false
            network = { bridge = "labs" }
            "#,
        )
        .unwrap();
        assert_eq!(config.cpu, Some(MilliCpu::cores(16)));
        assert_eq!(config.gpus()[0].memory_mib, 40960);
        assert_eq!(config.policy().images, ImagePolicy::Any);
        assert_eq!(config.container.network, Network::Bridge("labs".to_owned()));
        assert_eq!(config.container.user, ContainerUser { uid: 1000, gid: 100 });
        assert!(open(&config, None).is_ok(), "the engine need not answer yet");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key() {
        assert!(
            parse("id='a'\nname='A'\nbackend='demo'\ncolour='red'").unwrap_err().contains("unknown field `colour`")
        );
        assert!(parse("id='a'\nname='A'\nbackend='podman'").unwrap_err().contains("unknown variant"));
        assert!(parse("id='A B'\nname='A'\nbackend='demo'").unwrap_err().contains("not a zone id"));
        assert!(parse("id='a'\nname='A'\nbackend='docker'\ncontainer.network='host'").is_err());
        let refused = |text: &str| open(&parse(text).unwrap(), None).unwrap_err().to_string();
        assert_eq!(
            refused("id='k'\nname='K'\nbackend='kubernetes'\n[[volume]]\nvolume='v'\npath='/srv/v'"),
            "datazone `k`: the volume `v` names no `claim`, which is where a cluster holds it"
        );
        assert_eq!(
            refused("id='d'\nname='D'\nbackend='docker'\n[[volume]]\nvolume='v'\npath='/srv/../etc'"),
            "datazone `d`: `path` of the volume `v` must hold no `..`"
        );
        let both = "id='d'\nname='D'\nbackend='docker'\nspace.personal.path='/srv/x'\nspace.team.path='/srv/x'";
        assert!(refused(both).contains("are the same folder"));
        assert!(refused("id='d'\nname='D'\nbackend='docker'\nspace.team.path='/etc'").contains("`path` of a `space`"));
        assert!(
            refused("id='k'\nname='K'\nbackend='kubernetes'\nspace.team.path='/srv'").contains("names its `claim`")
        );
        let elsewhere = "id='d'\nname='D'\nbackend='docker'\nendpoint='tcp://engine.example:2375'";
        assert!(refused(elsewhere).contains("the engine is on another machine"));
        assert!(open(&parse(&format!("{elsewhere}\ncontainer.reach='address'")).unwrap(), None).is_ok());
        for path in ["/", "/etc/passwd", "/var/run/docker.sock", "srv/volumes", ""] {
            let text = format!("id='d'\nname='D'\nbackend='docker'\n[[volume]]\nvolume='v'\npath='{path}'");
            assert!(refused(&text).contains("`path` of the volume `v`"), "{path}");
        }
        assert!(refused("id='d'\nname='D'\nbackend='docker'\ncontainer.writable=['/etc/x']").contains("the system's"));
    }
}
