//! The one place where a cluster's objects are made: from closed structs, field by field, nothing passed through.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, KeyToPath,
    LocalObjectReference, PersistentVolumeClaimVolumeSource, Pod, PodSecurityContext, PodSpec, ResourceRequirements,
    SeccompProfile, SecurityContext, Service, ServicePort, ServiceSpec, Toleration, Volume, VolumeMount,
};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::backend::{BackendError, FailureCode, Stage};
use crate::config::{ContainerPolicy, VolumeMode, ZoneConfig};
use crate::labels;
use crate::spec::{FILES_PATH, LaunchSpec};
use catalog_schemas::volume::{Space, check_mount_path};

/// The name of the container in every lab's pod.
pub(super) const CONTAINER: &str = "lab";

/// The port that a lab's service listens on.
const SERVICE_PORT: i32 = 80;

/// How long a lab may take to end by itself when asked to.
const GRACE_SECONDS: i64 = 10;

/// A volume that may be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimed {
    claim: String,
    sub_path: Option<String>,
    target: String,
    read_only: bool,
}

/// Finds the claim of every volume of a launch.
pub(super) fn claims(spec: &LaunchSpec, config: &ZoneConfig, stage: Stage) -> Result<Vec<Claimed>, BackendError> {
    let refuse = |code, cause: String| Err(BackendError::new(stage, code, cause));
    let mut claims = Vec::with_capacity(spec.mounts.len());
    for mount in &spec.mounts {
        if let Err(invalid) = check_mount_path(&mount.mount_path) {
            return refuse(FailureCode::MountForbidden, invalid.to_string());
        }
        if let Some(space) = Space::of_key(&mount.volume) {
            let folder = config.space.folder(space, spec.on_behalf_of.as_deref());
            let Some((claim, path)) = folder.and_then(|(kind, name)| Some((kind.claim.clone()?, kind.path.join(name))))
            else {
                return refuse(FailureCode::MountMissing, format!("the datazone has no place for `{}`", mount.volume));
            };
            // The cluster makes the folder when it is not there yet.
            let sub_path = Some(path.to_string_lossy().into_owned());
            claims.push(Claimed { claim, sub_path, target: mount.mount_path.clone(), read_only: mount.mode != "rw" });
            continue;
        }
        let held = config.volume.iter().find(|volume| volume.volume == mount.volume);
        let Some((held, claim)) = held.and_then(|held| Some((held, held.claim.clone()?))) else {
            return refuse(FailureCode::MountMissing, format!("the datazone does not hold `{}`", mount.volume));
        };
        let writes = mount.mode == "rw";
        if writes && held.mode != VolumeMode::Rw {
            return refuse(FailureCode::MountForbidden, format!("`{}` is read-only", mount.volume));
        }
        let sub_path = held.path.to_string_lossy().into_owned();
        let sub_path = Some(sub_path).filter(|path| !path.is_empty());
        claims.push(Claimed { claim, sub_path, target: mount.mount_path.clone(), read_only: !writes });
    }
    Ok(claims)
}

/// Makes the labels that every object of a launch has.
fn labels_of(spec: &LaunchSpec, config: &ZoneConfig) -> BTreeMap<String, String> {
    let pairs = [
        (labels::LAUNCH, spec.launch.to_string()),
        (labels::ZONE, config.id.to_string()),
        (labels::INSTANCE, config.instance_label().to_owned()),
        (labels::OWNER, label_value(&spec.owner_hash)),
        (labels::CPU, spec.cpu.0.to_string()),
        (labels::MEMORY, spec.memory_mib.to_string()),
        ("app.kubernetes.io/managed-by", "alidade".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A label's value is short and plain, or the cluster refuses the object as a whole.
fn label_value(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text: String = text.chars().filter(plain).take(63).collect();
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// Makes the pod of a launch.
pub(super) fn pod(spec: &LaunchSpec, image: &str, claims: &[Claimed], config: &ZoneConfig) -> Pod {
    let (policy, cluster) = (&config.container, &config.kubernetes);
    let home = policy.home.clone().unwrap_or_else(|| "/home/lab".to_owned());
    let (volumes, mounts) = volumes(spec, claims, policy, &home);
    let gpus = spec.gpus.as_ref();
    let toleration = Toleration {
        key: Some(cluster.gpu_resource.clone()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoSchedule".to_owned()),
        ..Default::default()
    };
    Pod {
        metadata: ObjectMeta {
            name: Some(spec.launch.to_string()),
            labels: Some(labels_of(spec, config)),
            ..Default::default()
        },
        spec: Some(PodSpec {
            restart_policy: Some("Never".to_owned()),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            // Nothing of the cluster is shown to a lab.
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            service_account_name: cluster.service_account.clone(),
            image_pull_secrets: cluster
                .pull_secret
                .as_ref()
                .map(|name| vec![LocalObjectReference { name: name.clone() }]),
            security_context: Some(PodSecurityContext {
                run_as_user: Some(policy.user.uid.into()),
                run_as_group: Some(policy.user.gid.into()),
                run_as_non_root: Some(policy.user.uid != 0),
                fs_group: Some(policy.user.gid.into()),
                fs_group_change_policy: Some("OnRootMismatch".to_owned()),
                seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..Default::default() }),
                ..Default::default()
            }),
            node_selector: gpus.map(|gpus| BTreeMap::from([(cluster.gpu_model_label.clone(), gpus.model.clone())])),
            runtime_class_name: gpus.and(cluster.gpu_runtime_class.clone()),
            tolerations: gpus.map(|_| vec![toleration]),
            containers: vec![container(spec, image, mounts, config, &home)],
            volumes: Some(volumes),
            ..Default::default()
        }),
        status: None,
    }
}

fn container(spec: &LaunchSpec, image: &str, mounts: Vec<VolumeMount>, config: &ZoneConfig, home: &str) -> Container {
    let words = |words: &[String]| {
        // A cluster replaces `$(NAME)` by itself; a doubled dollar stands for one.
        let filled: Vec<String> = words.iter().map(|word| spec.filled(word).replace("$(", "$$(")).collect();
        (!filled.is_empty()).then_some(filled)
    };
    let variable = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.replace("$(", "$$(")),
        value_from: None,
    };
    let mut env = vec![variable("HOME", home), variable("ALIDADE_BASE_PATH", &spec.base_path())];
    if !spec.datasets.is_empty() {
        env.push(variable("ALIDADE_DATASETS", &spec.datasets.join(" ")));
    }
    env.extend(spec.env.iter().map(|(name, value)| variable(name, &spec.filled(value))));
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: words(&spec.command),
        args: words(&spec.args),
        env: Some(env),
        ports: spec.port.filter(|_| spec.has_interface()).map(|port| {
            vec![ContainerPort {
                name: Some("interface".to_owned()),
                container_port: port.into(),
                protocol: Some("TCP".to_owned()),
                ..Default::default()
            }]
        }),
        resources: Some(resources(spec, config)),
        security_context: Some(SecurityContext {
            privileged: Some(false),
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(config.container.read_only_root),
            capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
            ..Default::default()
        }),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(mounts),
        ..Default::default()
    }
}

/// What is asked for is also the limit, so that a lab gets what was offered and no more.
fn resources(spec: &LaunchSpec, config: &ZoneConfig) -> ResourceRequirements {
    let mut amounts = BTreeMap::from([
        ("cpu".to_owned(), Quantity(format!("{}m", spec.cpu.0))),
        ("memory".to_owned(), Quantity(format!("{}Mi", spec.memory_mib))),
    ]);
    if let Some(gpus) = &spec.gpus {
        amounts.insert(config.kubernetes.gpu_resource.clone(), Quantity(gpus.count.to_string()));
    }
    ResourceRequirements { requests: Some(amounts.clone()), limits: Some(amounts), claims: None }
}

fn volumes(
    spec: &LaunchSpec,
    claims: &[Claimed],
    policy: &ContainerPolicy,
    home: &str,
) -> (Vec<Volume>, Vec<VolumeMount>) {
    let empty = |name: String, mebibytes: u64, in_memory: bool| Volume {
        name,
        empty_dir: Some(EmptyDirVolumeSource {
            medium: in_memory.then(|| "Memory".to_owned()),
            size_limit: Some(Quantity(format!("{mebibytes}Mi"))),
        }),
        ..Default::default()
    };
    let mount = |name: String, path: &str| VolumeMount { name, mount_path: path.to_owned(), ..Default::default() };
    let temporary_mib = (spec.memory_mib / 4).max(1);
    let mut volumes = vec![
        empty("home".to_owned(), policy.home_mib.max(1), false),
        empty("tmp".to_owned(), temporary_mib, false),
        // It is memory and counts as the lab's, so half of that is the most it can hold.
        empty("shm".to_owned(), policy.shared_memory_mib.min(spec.memory_mib / 2).max(1), true),
    ];
    let mut mounts =
        vec![mount("home".to_owned(), home), mount("tmp".to_owned(), "/tmp"), mount("shm".to_owned(), "/dev/shm")];
    for (number, path) in policy.writable.iter().enumerate() {
        volumes.push(empty(format!("writable-{number}"), temporary_mib, false));
        mounts.push(mount(format!("writable-{number}"), path));
    }
    if !spec.files.is_empty() {
        volumes.push(files_volume(spec));
        mounts.push(VolumeMount { read_only: Some(true), ..mount("files".to_owned(), FILES_PATH) });
    }
    // A claim that holds several volumes is one volume of the pod, mounted several times.
    let mut names: BTreeMap<&str, (String, bool)> = BTreeMap::new();
    for claimed in claims {
        let number = names.len();
        let entry = names.entry(&claimed.claim).or_insert_with(|| (format!("claim-{number}"), true));
        entry.1 &= claimed.read_only;
    }
    for claimed in claims {
        let (name, _) = &names[claimed.claim.as_str()];
        mounts.push(VolumeMount {
            name: name.clone(),
            mount_path: claimed.target.clone(),
            read_only: Some(claimed.read_only),
            sub_path: claimed.sub_path.clone(),
            ..Default::default()
        });
    }
    let mut claims: Vec<_> = names.into_iter().collect();
    claims.sort_by(|(_, (one, _)), (_, (other, _))| one.cmp(other));
    volumes.extend(claims.into_iter().map(|(claim, (name, read_only))| Volume {
        name,
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.to_owned(),
            read_only: Some(read_only),
        }),
        ..Default::default()
    }));
    (volumes, mounts)
}

fn files_volume(spec: &LaunchSpec) -> Volume {
    let item = |(number, file): (usize, &crate::spec::SpecFile)| KeyToPath {
        key: file_key(number),
        path: file.path.clone(),
        mode: None,
    };
    Volume {
        name: "files".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: spec.launch.to_string(),
            items: Some(spec.files.iter().enumerate().map(item).collect()),
            default_mode: Some(0o444),
            optional: Some(false),
        }),
        ..Default::default()
    }
}

/// Keys hold no slash, so files are numbered and the pod says what each is called.
fn file_key(number: usize) -> String {
    format!("file-{number}")
}

/// Makes the object that holds the files of a launch. Its pod waits for it, and takes it along when it goes.
pub(super) fn files(spec: &LaunchSpec, config: &ZoneConfig, pod: &Pod) -> Option<ConfigMap> {
    let bytes = |(number, file): (usize, &crate::spec::SpecFile)| {
        (file_key(number), ByteString(file.bytes().unwrap_or_default()))
    };
    (!spec.files.is_empty()).then(|| ConfigMap {
        metadata: of_pod(spec, config, pod),
        immutable: Some(true),
        binary_data: Some(spec.files.iter().enumerate().map(bytes).collect()),
        data: None,
    })
}

/// Makes the policy of all labs of this server: only what is no lab reaches them, and they reach neither one another nor
/// the networks that the operator names.
pub(super) fn network_policy(config: &ZoneConfig) -> NetworkPolicy {
    let own = LabelSelector {
        match_labels: Some(BTreeMap::from([(labels::INSTANCE.to_owned(), config.instance_label().to_owned())])),
        ..Default::default()
    };
    let no_lab = LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: labels::LAUNCH.to_owned(),
            operator: "DoesNotExist".to_owned(),
            values: None,
        }]),
        ..Default::default()
    };
    let others = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        pod_selector: Some(no_lab),
        ..Default::default()
    };
    let (six, four): (Vec<String>, Vec<String>) =
        config.kubernetes.unreachable.iter().cloned().partition(|network| network.contains(':'));
    let world = |cidr: &str, except: Vec<String>| NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.to_owned(), except: Some(except).filter(|it| !it.is_empty()) }),
        ..Default::default()
    };
    // Who is no pod, such as this server beside the cluster, is an address.
    let servers = config.kubernetes.server_networks.iter().map(|network| world(network, Vec::new()));
    let names = |protocol: &str| NetworkPolicyPort {
        port: Some(IntOrString::Int(53)),
        protocol: Some(protocol.to_owned()),
        ..Default::default()
    };
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(format!("alidade-{}", config.id)),
            labels: Some(BTreeMap::from([
                (labels::NETWORK.to_owned(), "labs".to_owned()),
                (labels::INSTANCE.to_owned(), config.instance_label().to_owned()),
                ("app.kubernetes.io/managed-by".to_owned(), "alidade".to_owned()),
            ])),
            ..Default::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(own),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(std::iter::once(others).chain(servers).collect()),
                ports: None,
            }]),
            egress: Some(vec![
                NetworkPolicyEgressRule { ports: Some(vec![names("UDP"), names("TCP")]), to: None },
                NetworkPolicyEgressRule { ports: None, to: Some(vec![world("0.0.0.0/0", four), world("::/0", six)]) },
            ]),
        }),
    }
}

/// Makes the head of an object that belongs to a launch's pod and goes with it.
fn of_pod(spec: &LaunchSpec, config: &ZoneConfig, pod: &Pod) -> ObjectMeta {
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: spec.launch.to_string(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        ..Default::default()
    };
    ObjectMeta {
        name: Some(spec.launch.to_string()),
        labels: Some(labels_of(spec, config)),
        owner_references: Some(vec![owner]),
        ..Default::default()
    }
}

/// Makes the service of a launch: the fixed address of its interface. It goes when its pod goes.
pub(super) fn service(spec: &LaunchSpec, config: &ZoneConfig, pod: &Pod) -> Option<Service> {
    let port = spec.port.filter(|_| spec.has_interface())?;
    Some(Service {
        metadata: of_pod(spec, config, pod),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(BTreeMap::from([(labels::LAUNCH.to_owned(), spec.launch.to_string())])),
            ports: Some(vec![ServicePort {
                name: Some("interface".to_owned()),
                port: SERVICE_PORT,
                target_port: Some(IntOrString::Int(port.into())),
                protocol: Some("TCP".to_owned()),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        status: None,
    })
}

#[cfg(test)]
mod tests {
    use catalog_schemas::plan::{MilliCpu, Mount};
    use proptest::prelude::*;

    use super::*;
    use crate::config::{BackendKind, SpaceConfig, VolumeConfig};
    use crate::spec::tests::spec;
    use crate::spec::{Gpus, SpecFile};

    fn zone() -> ZoneConfig {
        let mut config = ZoneConfig::new("sci-cloud".parse().unwrap(), "SCI-CLOUD", BackendKind::Kubernetes);
        let volume = |key: &str, path: &str, mode| VolumeConfig {
            volume: key.to_owned(),
            path: path.into(),
            claim: Some("archive".to_owned()),
            mode,
            ..VolumeConfig::default()
        };
        config.volume = vec![volume("pla", "planck/pla", VolumeMode::Ro), volume("team", "team", VolumeMode::Rw)];
        config.space.personal = Some(SpaceConfig { path: "users".into(), claim: Some("homes".to_owned()) });
        config
    }

    fn full() -> LaunchSpec {
        let mount = |volume: &str, path: &str, mode: &str| Mount {
            volume: volume.to_owned(),
            mount_path: path.to_owned(),
            mode: mode.to_owned(),
        };
        LaunchSpec {
            cpu: MilliCpu(1500),
            memory_mib: 4096,
            gpus: Some(Gpus { count: 2, vendor: "nvidia".to_owned(), model: "NVIDIA-A100-SXM4-40GB".to_owned() }),
            args: vec!["start-notebook.py".to_owned(), "--ServerApp.base_url={basePath}".to_owned()],
            env: vec![("JUPYTER_PORT".to_owned(), "{port}".to_owned()), ("SHOWN".to_owned(), "$(HOME)".to_owned())],
            mounts: vec![
                mount("pla", "/data/user/pla_legacy", "ro"),
                mount("team", "/team/hdbscan", "rw"),
                mount(Space::PERSONAL, Space::PERSONAL_PATH, "rw"),
            ],
            on_behalf_of: Some("ann".to_owned()),
            files: vec![SpecFile::new("inputs.json", b"{}"), SpecFile::new("package/main.cwl", b"cwlVersion: v1.2")],
            ..spec()
        }
    }

    #[test]
    fn every_object_of_a_launch_is_this_and_nothing_else() {
        let mut config = zone();
        config.kubernetes.pull_secret = Some("registry".to_owned());
        config.kubernetes.gpu_runtime_class = Some("nvidia".to_owned());
        let spec = full();
        let claims = claims(&spec, &config, Stage::Start).unwrap();
        let mut pod = pod(&spec, "lab@sha256:0123", &claims, &config);
        pod.metadata.uid = Some("uid-of-the-pod".to_owned());
        let service = service(&spec, &config, &pod).unwrap();
        let (files, policy) = (files(&spec, &config, &pod).unwrap(), network_policy(&config));
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!("pod", pod);
            insta::assert_json_snapshot!("service", service);
            insta::assert_json_snapshot!("files", files);
            insta::assert_json_snapshot!("network_policy", policy);
        });
        // Kubernetes' own schemas agree, without a word that they do not know.
        let objects = [
            ("pod", serde_json::to_value(&pod).unwrap()),
            ("service", serde_json::to_value(&service).unwrap()),
            ("files", serde_json::to_value(&files).unwrap()),
            ("network_policy", serde_json::to_value(&policy).unwrap()),
        ];
        for (name, object) in objects {
            let Some(findings) = schema_findings(&object) else { return };
            assert_eq!(findings, "", "{name}");
            let mut wrong = object.clone();
            wrong["metadata"]["nmae"] = serde_json::json!("x");
            assert!(schema_findings(&wrong).unwrap().contains("nmae"), "a schema that finds nothing says nothing");
        }
    }

    /// Holds an object against the schemas of the oldest and of a recent Kubernetes that `tests/setup.sh` installs.
    fn schema_findings(object: &serde_json::Value) -> Option<String> {
        let chosen = std::env::var_os("ALIDADE_TEST_CLIENTS").map(std::path::PathBuf::from);
        let usual = || Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cache/alidade-tests"));
        let schemas = chosen.or_else(usual)?.join("kubernetes");
        if !schemas.join("kubernetes_validate").is_dir() {
            eprintln!("SKIPPED: {} has no schemas of Kubernetes; tests/setup.sh installs them", schemas.display());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("object.json");
        std::fs::write(&file, object.to_string()).unwrap();
        let mut command = std::process::Command::new("python3");
        command.args(["-m", "kubernetes_validate", "--strict", "--quiet", "-k", "1.25", "-k", "1.33"]).arg(&file);
        let output = command.env("PYTHONPATH", &schemas).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
        Some(said)
    }

    #[test]
    fn volumes_are_claims_that_the_operator_named() {
        let config = zone();
        let outcome = |volume: &str, path: &str, mode: &str| {
            let mut spec = spec();
            let (volume, mount_path, mode) = (volume.to_owned(), path.to_owned(), mode.to_owned());
            spec.mounts.push(Mount { volume, mount_path, mode });
            claims(&spec, &config, Stage::Start).map(|mut claims| claims.remove(0).claim).map_err(|error| error.code)
        };
        assert_eq!(outcome("pla", "/data/x", "ro"), Ok("archive".to_owned()));
        assert_eq!(outcome("pla", "/data/x", "rw"), Err(FailureCode::MountForbidden));
        assert_eq!(outcome("pla", "/etc/x", "ro"), Err(FailureCode::MountForbidden));
        assert_eq!(outcome("gaia", "/data/x", "ro"), Err(FailureCode::MountMissing));
    }

    proptest! {
        #[test]
        fn no_request_is_ever_given_more_than_a_lab_may_have(
            words in proptest::collection::vec(".{0,40}|--privileged|\\$\\(SECRET\\)", 0..4),
            env in proptest::collection::vec(("[A-Z_]{1,12}", ".{0,20}|\\$\\(HOME\\)"), 0..4),
            (cpu, memory_mib) in (1u32..1_000_000, 1u64..10_000_000),
            gpus in proptest::option::of((1u32..70, "[a-z]{1,9}", ".{0,20}")),
            (interface_type, owner_hash, image) in ("web|headless|host", ".{0,90}", ".{0,60}"),
            port in proptest::option::of(any::<u16>()),
        ) {
            let gpus = gpus.map(|(count, vendor, model)| Gpus { count, vendor, model });
            let spec = LaunchSpec {
                command: words.clone(), args: words, env, cpu: MilliCpu(cpu), memory_mib, gpus, interface_type, owner_hash, port, ..spec()
            };
            let config = zone();
            let pod = pod(&spec, &image, &[], &config);
            let inner = pod.spec.unwrap();
            let host = (inner.host_ipc, inner.host_network, inner.host_pid, inner.host_users);
            prop_assert_eq!(host, (None, None, None, None));
            prop_assert_eq!(inner.automount_service_account_token, Some(false));
            prop_assert_eq!(inner.restart_policy.as_deref(), Some("Never"));
            prop_assert_eq!(inner.init_containers.is_none() && inner.ephemeral_containers.is_none(), true);
            prop_assert_eq!(inner.containers.len(), 1);
            let around = inner.security_context.unwrap();
            prop_assert_eq!(around.run_as_non_root, Some(true));
            prop_assert_eq!(around.seccomp_profile.unwrap().type_, "RuntimeDefault");
            prop_assert_eq!((around.sysctls, around.supplemental_groups), (None, None));
            let lab = &inner.containers[0];
            let within = lab.security_context.clone().unwrap();
            prop_assert_eq!((within.privileged, within.allow_privilege_escalation), (Some(false), Some(false)));
            prop_assert_eq!(within.capabilities.unwrap(), Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) });
            prop_assert_eq!((within.run_as_user, within.proc_mount), (None, None));
            prop_assert!(lab.env_from.is_none() && lab.lifecycle.is_none() && lab.volume_devices.is_none());
            let text = serde_json::to_string(&lab.env).unwrap();
            prop_assert!(!text.replace("$$(", "").contains("$("), "nothing is read from the cluster: {}", text);
            let resources = lab.resources.clone().unwrap();
            prop_assert_eq!(&resources.requests, &resources.limits);
            let asked = spec.gpus.as_ref().map(|gpus| Quantity(gpus.count.to_string()));
            prop_assert_eq!(resources.limits.unwrap().get("nvidia.com/gpu").cloned(), asked);
            for volume in inner.volumes.unwrap() {
                let only_empty = Volume { name: volume.name.clone(), empty_dir: volume.empty_dir.clone(), ..Default::default() };
                prop_assert_eq!(volume, only_empty, "nothing was asked for, so nothing is mounted");
            }
            for value in pod.metadata.labels.unwrap().values() {
                prop_assert!(value.len() <= 63 && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
            }
        }
    }
}
