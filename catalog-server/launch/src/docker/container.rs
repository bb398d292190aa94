//! The one place where a container's configuration is made: from closed structs, field by field, nothing passed through.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use super::image::Found;
use super::mounts::Source;
use crate::config::{ContainerPolicy, Network, Reach, ZoneConfig};
use crate::labels;
use crate::spec::LaunchSpec;

/// What a container is made from besides its launch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a ZoneConfig,
    pub(super) image: &'a Found,
    pub(super) mounts: &'a [Source],
    pub(super) devices: &'a [String],
}

/// Makes the configuration of a launch's container.
pub(super) fn body(spec: &LaunchSpec, around: &Surroundings<'_>) -> ContainerCreateBody {
    let config = around.config;
    let policy = &config.container;
    let home = home(policy, around.image);
    let port = spec.port.filter(|_| spec.has_interface() && policy.network != Network::None);
    let words = |words: &[String]| {
        let filled: Vec<String> = words.iter().map(|word| spec.filled(word)).collect();
        (!filled.is_empty()).then_some(filled)
    };
    let mut env: Vec<String> = vec![format!("HOME={home}"), format!("ALIDADE_BASE_PATH={}", spec.base_path())];
    if !spec.datasets.is_empty() {
        env.push(format!("ALIDADE_DATASETS={}", spec.datasets.join(" ")));
    }
    env.extend(spec.env.iter().map(|(name, value)| format!("{name}={}", spec.filled(value))));
    let mut labels = HashMap::from([
        (labels::LAUNCH, spec.launch.to_string()),
        (labels::ZONE, config.id.to_string()),
        (labels::INSTANCE, config.instance_label().to_owned()),
        (labels::OWNER, spec.owner_hash.clone()),
        (labels::CPU, spec.cpu.0.to_string()),
        (labels::MEMORY, spec.memory_mib.to_string()),
    ]);
    if !around.devices.is_empty() {
        labels.insert(labels::DEVICES, around.devices.join(" "));
    }
    ContainerCreateBody {
        hostname: Some("lab".to_owned()),
        user: Some(format!("{}:{}", policy.user.uid, policy.user.gid)),
        attach_stdin: Some(false),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        open_stdin: Some(false),
        tty: Some(false),
        exposed_ports: port.map(|port| vec![format!("{port}/tcp")]),
        env: Some(env),
        entrypoint: words(&spec.command),
        cmd: words(&spec.args),
        image: Some(around.image.id.clone()),
        working_dir: around.image.working_dir.is_none().then_some(home.clone()),
        labels: Some(labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        stop_signal: Some("SIGTERM".to_owned()),
        host_config: Some(host_config(spec, around, port, &home)),
        ..Default::default()
    }
}

fn host_config(spec: &LaunchSpec, around: &Surroundings<'_>, port: Option<u16>, home: &str) -> HostConfig {
    let policy = &around.config.container;
    let memory = i64::try_from(spec.memory_mib << 20).unwrap_or(i64::MAX);
    HostConfig {
        // What it may use.
        nano_cpus: Some(i64::from(spec.cpu.0) * 1_000_000),
        memory: Some(memory),
        memory_swap: Some(memory),
        pids_limit: Some(policy.processes.into()),
        shm_size: Some(i64::try_from(policy.shared_memory_mib << 20).unwrap_or(i64::MAX)),
        // A dump of a lab's memory is nobody's business; open files are left to the engine, whose own limit may be lower
        // than any that we could name.
        ulimits: Some(vec![ResourcesUlimits { name: Some("core".to_owned()), soft: Some(0), hard: Some(0) }]),
        device_requests: device_requests(spec, around.devices),
        // What it may touch.
        mounts: Some(mounts(spec, around)),
        tmpfs: Some(writable(spec, policy, home)),
        readonly_rootfs: Some(policy.read_only_root),
        // What it may do.
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        privileged: Some(false),
        ipc_mode: Some("private".to_owned()),
        init: Some(true),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: Some(0) }),
        auto_remove: Some(false),
        // Whom it may reach, and who it.
        network_mode: Some(match &policy.network {
            Network::Bridge(name) => name.clone(),
            Network::None => "none".to_owned(),
        }),
        publish_all_ports: Some(false),
        port_bindings: port.filter(|_| policy.reach == Reach::Published).map(|port| {
            let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
            HashMap::from([(format!("{port}/tcp"), Some(vec![binding]))])
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "5m".to_owned()),
                ("max-file".to_owned(), "1".to_owned()),
            ])),
        }),
        ..Default::default()
    }
}

/// Returns the home: the operator's choice, else the image's own where that can be writable, else one of ours.
fn home(policy: &ContainerPolicy, image: &Found) -> String {
    let below_home = |path: &&String| path.starts_with("/home/") && !path.contains([':', ',']) && !path.contains("..");
    policy
        .home
        .as_ref()
        .or(image.home.as_ref().filter(below_home))
        .or(image.working_dir.as_ref().filter(below_home))
        .map_or_else(|| "/home/lab".to_owned(), |path| path.trim_end_matches('/').to_owned())
}

fn writable(spec: &LaunchSpec, policy: &ContainerPolicy, home: &str) -> HashMap<String, String> {
    let owner = format!("uid={},gid={}", policy.user.uid, policy.user.gid);
    // It is memory of the lab, so what is larger than half of it could only end the lab.
    let home_mib = policy.home_mib.min(spec.memory_mib / 2).max(1);
    let temporary_mib = (spec.memory_mib / 4).max(1);
    let mut paths = HashMap::from([
        ("/tmp".to_owned(), format!("rw,nosuid,nodev,noexec,mode=1777,size={temporary_mib}m")),
        (home.to_owned(), format!("rw,nosuid,nodev,exec,mode=0700,size={home_mib}m,{owner}")),
    ]);
    for path in &policy.writable {
        paths.insert(path.clone(), format!("rw,nosuid,nodev,noexec,mode=0755,size={temporary_mib}m,{owner}"));
    }
    paths
}

fn mounts(spec: &LaunchSpec, around: &Surroundings<'_>) -> Vec<Mount> {
    let files = (!spec.files.is_empty()).then(|| super::files::mount(&spec.launch, true));
    around.mounts.iter().map(bind).chain(files).collect()
}

fn bind(source: &Source) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.path.to_string_lossy().into_owned()),
        target: Some(source.target.clone()),
        read_only: Some(source.read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn device_requests(spec: &LaunchSpec, devices: &[String]) -> Option<Vec<DeviceRequest>> {
    let gpus = spec.gpus.as_ref().filter(|_| !devices.is_empty())?;
    if devices.iter().all(|device| is_cdi(device)) {
        // The engine finds these in its own list of devices; what else they need is written there.
        let (driver, device_ids) = (Some("cdi".to_owned()), Some(devices.to_vec()));
        return Some(vec![DeviceRequest { driver, device_ids, ..Default::default() }]);
    }
    Some(vec![DeviceRequest {
        driver: Some(gpus.vendor.to_ascii_lowercase()),
        device_ids: Some(devices.to_vec()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..Default::default()
    }])
}

/// Says whether a device has a name of the Container Device Interface, such as `nvidia.com/gpu=0`.
pub(super) fn is_cdi(device: &str) -> bool {
    device.split_once('=').is_some_and(|(kind, name)| kind.contains('/') && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use catalog_schemas::id::LaunchId;
    use catalog_schemas::plan::MilliCpu;
    use proptest::prelude::*;

    use super::*;
    use crate::config::{BackendKind, ContainerUser};
    use crate::spec::tests::spec;
    use crate::spec::{Gpus, Image};

    fn found() -> Found {
        Found {
            id: "sha256:0123".to_owned(),
            working_dir: Some("/home/jovyan".to_owned()),
            home: None,
            ..Found::default()
        }
    }

    #[test]
    fn the_container_of_a_launch_is_this_and_nothing_else() {
        let config = ZoneConfig::new("sci-cloud".parse().unwrap(), "SCI-CLOUD", BackendKind::Docker);
        let mut spec = spec();
        spec.cpu = MilliCpu(1500);
        spec.memory_mib = 4096;
        spec.gpus = Some(Gpus { count: 1, vendor: "nvidia".to_owned(), model: "A100".to_owned() });
        spec.args = vec!["start-notebook.py".to_owned(), "--ServerApp.base_url={basePath}".to_owned()];
        spec.env = vec![("JUPYTER_PORT".to_owned(), "{port}".to_owned())];
        let mounts = [
            Source {
                path: PathBuf::from("/srv/volumes/pla"),
                target: "/data/user/pla_legacy".to_owned(),
                read_only: true,
                held: None,
            },
            Source {
                path: PathBuf::from("/srv/home/u"),
                target: "/media/user".to_owned(),
                read_only: false,
                held: None,
            },
        ];
        let devices = ["3".to_owned()];
        let around = Surroundings { config: &config, image: &found(), mounts: &mounts, devices: &devices };
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!("container", body(&spec, &around));
        });
    }

    #[test]
    fn a_device_with_a_cdi_name_is_asked_for_by_that_name() {
        let mut spec = spec();
        spec.gpus = Some(Gpus { count: 2, vendor: "nvidia".to_owned(), model: "A100".to_owned() });
        let devices = ["nvidia.com/gpu=0".to_owned(), "nvidia.com/gpu=mig1:0".to_owned()];
        let request = device_requests(&spec, &devices).unwrap().remove(0);
        assert_eq!((request.driver.as_deref(), request.device_ids.as_deref()), (Some("cdi"), Some(&devices[..])));
        assert_eq!((request.count, request.capabilities), (None, None));
        assert!(!is_cdi("GPU-7f=1") && !is_cdi("0") && !is_cdi("nvidia.com/gpu="));
    }

    fn any_policy() -> impl Strategy<Value = ContainerPolicy> {
        (any::<bool>(), any::<bool>(), 0u32..3, proptest::option::of("/home/[a-z]{1,8}"), 0u64..100_000, any::<bool>())
            .prop_map(|(read_only_root, bridge, uid, home, home_mib, published)| ContainerPolicy {
                user: ContainerUser { uid, gid: 100 },
                read_only_root,
                home,
                home_mib,
                network: if bridge { Network::Bridge("labs".to_owned()) } else { Network::None },
                reach: if published { Reach::Published } else { Reach::Address },
                ..ContainerPolicy::default()
            })
    }

    fn any_spec() -> impl Strategy<Value = LaunchSpec> {
        let words = || proptest::collection::vec(".{0,40}|--privileged|\\{basePath\\}/var/run/docker.sock", 0..4);
        (
            any::<[u8; 16]>(),
            (1u32..1_000_000, 1u64..10_000_000),
            proptest::option::of((1u32..70, "nvidia|amd|all|--gpus", "A100|all")),
            proptest::option::of(any::<u16>()),
            (words(), words()),
            proptest::collection::vec(("[A-Z_]{1,12}|NVIDIA_VISIBLE_DEVICES|LD_PRELOAD", ".{0,20}"), 0..4),
            ("web|headless|host|privileged", ".{0,30}", ".{0,60}"),
        )
            .prop_map(
                |(id, (cpu, memory_mib), gpus, port, (command, args), env, (interface_type, name, reference))| {
                    LaunchSpec {
                        launch: LaunchId::from_bytes(id),
                        owner_hash: name.clone(),
                        name,
                        image: Some(Image { reference, digest: None }),
                        interface_type,
                        cpu: MilliCpu(cpu),
                        memory_mib,
                        gpus: gpus.map(|(count, vendor, model)| Gpus { count, vendor, model }),
                        port,
                        command,
                        args,
                        env,
                        ..spec()
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn no_request_is_ever_given_more_than_a_lab_may_have(
            spec in any_spec(),
            policy in any_policy(),
            mounted in proptest::collection::vec(("/srv/[a-z]{1,8}", "/data/[a-z]{1,8}", any::<bool>()), 0..4),
            devices in proptest::collection::vec("[0-9]", 0..3),
        ) {
            let mut config = ZoneConfig::new("z".parse().unwrap(), "Z", BackendKind::Docker);
            config.container = policy;
            let mounts: Vec<Source> = mounted
                .into_iter()
                .map(|(path, target, read_only)| Source { path: path.into(), target, read_only, held: None })
                .collect();
            // What a stranger's manifest must not say is refused before a container is thought of.
            let refused = spec.check().is_err();
            let forbidden = spec.env.iter().any(|(name, _)| name.starts_with("NVIDIA_") || name.starts_with("LD_"));
            prop_assert!(refused || !forbidden);
            let around = Surroundings { config: &config, image: &found(), mounts: &mounts, devices: &devices };
            let body = body(&spec, &around);
            let host = body.host_config.clone().unwrap();
            prop_assert_eq!(host.privileged, Some(false));
            prop_assert_eq!(host.cap_drop.as_deref(), Some(&["ALL".to_owned()][..]));
            prop_assert_eq!(&host.cap_add, &None);
            prop_assert_eq!(host.security_opt.as_deref(), Some(&["no-new-privileges:true".to_owned()][..]));
            prop_assert_eq!(host.ipc_mode.as_deref(), Some("private"));
            prop_assert!(matches!(host.network_mode.as_deref(), Some("labs" | "none")));
            prop_assert_eq!((&host.pid_mode, &host.uts_mode, &host.userns_mode, &host.cgroupns_mode), (&None, &None, &None, &None));
            prop_assert_eq!((&host.binds, &host.devices, &host.volumes_from, &host.device_cgroup_rules), (&None, &None, &None, &None));
            prop_assert_eq!((&host.runtime, &host.sysctls, &host.group_add, &host.extra_hosts), (&None, &None, &None, &None));
            prop_assert_eq!(host.memory, host.memory_swap);
            prop_assert!(host.memory.unwrap() > 0 && host.nano_cpus.unwrap() > 0 && host.pids_limit.unwrap() > 0);
            let given: Vec<(String, String, bool)> = host
                .mounts
                .unwrap()
                .into_iter()
                .map(|mount| (mount.source.unwrap(), mount.target.unwrap(), mount.read_only.unwrap()))
                .collect();
            let allowed: Vec<(String, String, bool)> = mounts
                .iter()
                .map(|source| (source.path.to_string_lossy().into_owned(), source.target.clone(), source.read_only))
                .collect();
            prop_assert_eq!(given, allowed);
            for request in host.device_requests.unwrap_or_default() {
                prop_assert_eq!(request.count, None, "a count is taken from all devices of the machine");
                prop_assert_eq!(request.device_ids.as_ref(), Some(&devices));
                prop_assert!(!devices.is_empty());
            }
            for binding in host.port_bindings.unwrap_or_default().into_values().flatten().flatten() {
                prop_assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
            }
            prop_assert_eq!(body.user, Some(format!("{}:100", config.container.user.uid)));
            let launch = body.labels.unwrap().remove(labels::LAUNCH);
            prop_assert_eq!(launch, Some(spec.launch.to_string()));
        }
    }
}
