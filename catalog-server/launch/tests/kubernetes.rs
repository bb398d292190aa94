//! Labs on a cluster: a stateful fake of its API, on which every step is seen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod cluster;
mod life;

use std::sync::Mutex;
use std::time::Duration;

use catalog_launch::config::VolumeConfig;
use catalog_launch::kubernetes::KubernetesBackend;
use catalog_launch::reconcile::{Deadlines, drive};
use catalog_launch::{Backend, BackendKind, Gpus, Image, LaunchSpec, LogQuery, Observed, SpecFile, ZoneConfig};
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::{Launch, LaunchState};
use catalog_schemas::plan::{MilliCpu, Mount};
use catalog_schemas::volume::Space;
use cluster::Cluster;
use futures::StreamExt;
use jiff::Timestamp;
use life::{drive_to, row};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn zone(cluster: &Cluster) -> ZoneConfig {
    let mut config = ZoneConfig::new("sci-cloud".parse().unwrap(), "SCI-CLOUD", BackendKind::Kubernetes);
    config.endpoint = Some(format!("http://{}", cluster.address));
    config.namespace = Some("labs".to_owned());
    config.volume = vec![VolumeConfig {
        volume: "pla".to_owned(),
        claim: Some("archive".to_owned()),
        path: "planck".into(),
        ..VolumeConfig::default()
    }];
    config.gpu = vec![catalog_launch::config::GpuConfig {
        vendor: "nvidia".to_owned(),
        model: "A100".to_owned(),
        count: 8,
        memory_mib: 40_960,
        ..Default::default()
    }];
    config
}

fn backend(config: &ZoneConfig) -> KubernetesBackend {
    // It can only fail when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    KubernetesBackend::new(config).unwrap()
}

fn spec(number: u8) -> LaunchSpec {
    LaunchSpec {
        image: Some(Image { reference: "quay.io/lab:1".to_owned(), digest: None }),
        memory_mib: 512,
        mounts: vec![Mount {
            volume: "pla".to_owned(),
            mount_path: "/data/user/pla".to_owned(),
            mode: "ro".to_owned(),
        }],
        ..life::spec(number)
    }
}

fn node(name: &str, cpu: &str, memory: &str, gpus: u32, ready: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": if gpus > 0 { json!({"nvidia.com/gpu.product": "A100"}) } else { json!({}) }},
        "spec": {},
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "nvidia.com/gpu": gpus.to_string()},
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
                "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": ""
            }
        }
    })
}

fn container(state: &Value) -> Value {
    json!([{"name": "lab", "image": "quay.io/lab:1", "imageID": format!("quay.io/lab@sha256:{}", "ab".repeat(32)),
            "ready": true, "restartCount": 0, "state": state}])
}

fn running() -> Value {
    json!({"status": {"phase": "Running", "containerStatuses": container(&json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}))}})
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"status": {"phase": "Pending", "containerStatuses": container(&json!({"waiting": {"reason": reason, "message": message}}))}})
}

/// Plays the kubelet: patches the pod as soon as it is there.
async fn play(cluster: Cluster, name: String, patches: Vec<Value>) {
    tokio::time::timeout(PATIENCE, async {
        while cluster.get("pods", &name).is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    for patch in patches {
        cluster.patch("pods", &name, &patch);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_is_a_pod_with_a_service_until_it_is_stopped() {
    let cluster = Cluster::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    cluster.serve_labs_at(listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, axum::Router::new().fallback(|| async { "a lab" })).into_future());
    let backend = backend(&zone(&cluster));
    let spec = spec(1);
    let name = spec.launch.to_string();
    let creating = waiting("ContainerCreating", "");
    let kubelet = tokio::spawn(play(cluster.clone(), name.clone(), vec![creating, running()]));
    let told = Mutex::new(Vec::new());
    let prepared = backend.prepare(&spec, &|progress| told.lock().unwrap().push(progress.to_string())).await.unwrap();
    kubelet.await.unwrap();
    assert_eq!(prepared.digest, Some(format!("sha256:{}", "ab".repeat(32))), "the tag's meaning is recorded");
    assert!(told.lock().unwrap().contains(&"image and volumes are prepared".to_owned()), "{told:?}");

    // A driver that finds the pod adopts it; nothing is made twice.
    let launch = drive_to(&backend, &spec, row(&spec, LaunchState::Preparing), &[LaunchState::Ready]).await;
    assert_eq!(launch.granted, Some(spec.resources()));
    assert_eq!((cluster.count("pods"), cluster.count("services")), (1, 1));
    assert_eq!(cluster.count("networkpolicies"), 1);
    assert_eq!(cluster.asked("POST"), 3, "one policy, one pod and one service were ever asked for");
    let pod = cluster.get("pods", &name).unwrap();
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][3]["subPath"], "planck");
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][3]["readOnly"], true);

    cluster.log(&name, "2026-01-01T00:00:01Z hello\n2026-01-01T00:00:02Z bye\n");
    let tail = LogQuery { tail: Some(1), ..LogQuery::default() };
    let lines: Vec<_> = backend.logs(&spec.launch, tail).map(|line| line.unwrap()).collect().await;
    assert_eq!((lines.len(), lines[0].text.as_str(), lines[0].at.as_deref()), (1, "bye", Some("2026-01-01T00:00:02Z")));
    assert_eq!(backend.list().await.unwrap().iter().filter(|it| it.running).count(), 1);

    // Stopping ends its time, so that the log can still be read; removing keeps the log.
    backend.stop(&spec.launch).await.unwrap();
    backend.stop(&spec.launch).await.unwrap();
    assert_eq!(cluster.get("pods", &name).unwrap()["spec"]["activeDeadlineSeconds"], 1);
    let ended = json!({"status": {"phase": "Failed", "reason": "DeadlineExceeded", "containerStatuses": container(&json!({"running": null, "terminated": {"exitCode": 143, "reason": "Error"}}))}});
    cluster.patch("pods", &name, &ended);
    let over =
        drive_to(&backend, &spec, Launch { state: LaunchState::Stopping, ..launch }, &[LaunchState::Cancelled]).await;
    assert!(over.failure.is_none(), "{over:?}");
    assert_eq!((cluster.count("pods"), cluster.count("services")), (0, 0));
    assert_eq!(backend.status(&spec.launch).await.unwrap(), Observed::Absent);
    assert!(backend.remove(&spec.launch).await.unwrap().is_empty(), "removing again is the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_its_files_and_its_owners_space_and_takes_the_files_along() {
    let cluster = Cluster::start().await;
    let mut config = zone(&cluster);
    config.kubernetes.network_policy = false;
    config.space.personal =
        Some(catalog_launch::config::SpaceConfig { path: "users".into(), claim: Some("homes".to_owned()) });
    let backend = backend(&config);
    let mut spec = spec(9);
    spec.interface_type = "headless".to_owned();
    spec.on_behalf_of = Some("ann@zone-b".to_owned());
    spec.files = vec![SpecFile::new("inputs.json", b"{}"), SpecFile::new("package/main.cwl", b"class: Workflow")];
    let personal = Space::Personal;
    spec.mounts = vec![Mount { volume: personal.key(), mount_path: personal.mount_path(), mode: "rw".to_owned() }];
    let name = spec.launch.to_string();
    let kubelet = tokio::spawn(play(cluster.clone(), name.clone(), vec![running()]));
    backend.prepare(&spec, &|_| {}).await.unwrap();
    kubelet.await.unwrap();
    backend.start(&spec).await.unwrap();
    let counts = || ["pods", "configmaps", "services", "networkpolicies"].map(|kind| cluster.count(kind));
    assert_eq!(counts(), [1, 1, 0, 0]);
    let files = cluster.get("configmaps", &name).unwrap();
    assert_eq!(files["binaryData"]["file-1"], "Y2xhc3M6IFdvcmtmbG93");
    assert_eq!(files["immutable"], true);
    let pod = cluster.get("pods", &name).unwrap();
    let mounts = &pod["spec"]["containers"][0]["volumeMounts"];
    let of = |path: &str| mounts.as_array().unwrap().iter().find(|mount| mount["mountPath"] == path).unwrap().clone();
    assert_eq!(of("/workflow")["readOnly"], true);
    assert_eq!(of(&personal.mount_path())["subPath"], "users/ann@zone-b");
    backend.remove(&spec.launch).await.unwrap();
    assert_eq!(counts(), [0, 0, 0, 0], "the files go with the pod");

    // What a volume's claim is, is what is said of the volume; who may not see claims says nothing.
    assert_eq!(backend.verify().await, [("pla".to_owned(), Err("its claim is not there".to_owned()))]);
    cluster.put("persistentvolumeclaims", json!({"metadata": {"name": "archive"}, "status": {"phase": "Pending"}}));
    assert_eq!(backend.verify().await, [("pla".to_owned(), Err("its claim is pending".to_owned()))]);
    cluster.patch("persistentvolumeclaims", "archive", &json!({"status": {"phase": "Bound"}}));
    assert_eq!(backend.verify().await, [("pla".to_owned(), Ok(()))]);
    cluster.forbid("persistentvolumeclaims");
    assert!(backend.verify().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_says_ends_in_the_right_code() {
    let cluster = Cluster::start().await;
    let backend = backend(&zone(&cluster));
    let ended = |code: i64, reason: &str, message: &str| json!({"status": {"phase": "Failed", "containerStatuses": container(&json!({"terminated": {"exitCode": code, "reason": reason, "message": message}}))}});
    let unscheduled = |message: &str| json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}});
    let cases: Vec<(Value, &str, &str)> = vec![
        (waiting("ImagePullBackOff", "Back-off pulling image"), "prepare", "image.pull_failed"),
        (waiting("ErrImagePull", "manifest unknown"), "prepare", "image.not_found"),
        (waiting("InvalidImageName", "couldn't parse image name"), "prepare", "image.not_found"),
        (
            waiting("CreateContainerError", "exec: \"x\": executable file not found in $PATH"),
            "start",
            "command.not_found",
        ),
        (
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
            "start",
            "spec.refused",
        ),
        (unscheduled("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."), "prepare", "gpu.unavailable"),
        (unscheduled("0/3 nodes are available: 3 Insufficient cpu."), "prepare", "resources.unavailable"),
        (unscheduled("persistentvolumeclaim \"archive\" not found"), "prepare", "mount.missing"),
        (ended(137, "OOMKilled", ""), "start", "memory.exceeded"),
        (ended(1, "Error", "Traceback"), "start", "exit.nonzero"),
        (ended(127, "StartError", "no such file"), "start", "command.not_found"),
        (
            json!({"status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}}),
            "run",
            "container.evicted",
        ),
    ];
    for (number, (patch, stage, code)) in cases.into_iter().enumerate() {
        let spec = spec(u8::try_from(number).unwrap() + 10);
        let kubelet = tokio::spawn(play(cluster.clone(), spec.launch.to_string(), vec![patch]));
        let over = drive_to(&backend, &spec, row(&spec, LaunchState::Preparing), &[LaunchState::Failed]).await;
        kubelet.await.unwrap();
        let failure = over.failure.unwrap();
        assert_eq!((failure.stage.as_str(), failure.code.as_str()), (stage, code), "{failure:?}");
        assert!(!failure.next_action.is_empty() && !failure.cause.is_empty());
    }
    // What a warning of the cluster says while the pod waits counts too.
    let spec = spec(40);
    cluster.put("events", json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e1"}, "type": "Warning", "reason": "FailedMount", "count": 1,
        "message": "MountVolume.SetUp failed: no such file or directory", "involvedObject": {"name": spec.launch},
    }));
    let over = drive_to(&backend, &spec, row(&spec, LaunchState::Preparing), &[LaunchState::Failed]).await;
    assert_eq!(over.failure.unwrap().code, "mount.missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_away_is_asked_again_and_gives_each_lab_once() {
    let cluster = Cluster::start().await;
    let backend = backend(&zone(&cluster));
    let spec = spec(1);
    cluster.set_down(true);
    let error = backend.start(&spec).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let update =
        drive(&backend, &spec, &row(&spec, LaunchState::Preparing), Timestamp::now(), &Deadlines::default(), &|_| {})
            .await;
    assert_eq!((update.launch.state, update.launch.failure), (LaunchState::Preparing, None));
    cluster.set_down(false);
    // Ten at once: whoever comes second adopts.
    let starts = (0..10).map(|_| backend.start(&spec));
    assert!(futures::future::join_all(starts).await.into_iter().all(|started| started.is_ok()));
    assert_eq!((cluster.count("pods"), cluster.count("services")), (1, 1));
    // Another server's pod of the same name is not touched.
    let mut other = zone(&cluster);
    other.instance = Some("another".to_owned());
    let error = KubernetesBackend::new(&other).unwrap().start(&spec).await.unwrap_err();
    assert_eq!(error.code.as_str(), "name.taken");
    // Less than asked for is a failure: an admission that halves memory is noticed.
    let less =
        json!({"spec": {"containers": [{"name": "lab", "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}}}]}});
    cluster.patch("pods", spec.launch.as_str(), &less);
    cluster.patch("pods", spec.launch.as_str(), &running());
    let over = drive_to(&backend, &spec, row(&spec, LaunchState::Starting), &[LaunchState::Failed]).await;
    assert_eq!(over.failure.unwrap().code, "resources.not_granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn free_capacity_is_that_of_one_node_and_of_the_operators_share() {
    let cluster = Cluster::start().await;
    cluster.put("nodes", node("big", "16", "64Gi", 4, true));
    cluster.put("nodes", node("small", "4", "8Gi", 0, true));
    cluster.put("nodes", node("broken", "64", "512Gi", 8, false));
    let config = zone(&cluster);
    let backend = backend(&config);
    let capability = backend.capability().await.unwrap();
    assert_eq!((capability.cpu, capability.memory_mib), (MilliCpu::cores(16), 65_536));
    assert_eq!((capability.gpus[0].count, capability.architectures), (4, vec!["amd64".to_owned()]));
    let mut spec = spec(1);
    spec.gpus = Some(Gpus { count: 1, vendor: "nvidia".to_owned(), model: "A100".to_owned() });
    backend.start(&spec).await.unwrap();
    cluster.patch("pods", spec.launch.as_str(), &json!({"spec": {"nodeName": "big"}}));
    let capacity = backend.capacity().await.unwrap();
    assert_eq!((capacity.free_cpu, capacity.free_memory_mib, capacity.sessions), (MilliCpu(15_500), 65_024, 1));
    assert_eq!(capacity.free_gpus[0].count, 3);
    let granted = backend.start(&spec).await.unwrap().granted.gpu.unwrap();
    assert_eq!((granted.count, granted.model.as_deref(), granted.vendor.as_deref()), (1, Some("A100"), Some("nvidia")));

    // A server that may not see the nodes goes by what its operator set aside, or says that it cannot know.
    cluster.forbid("nodes");
    assert!(backend.capability().await.unwrap_err().cause.contains("names no `cpu`"));
    let shared = ZoneConfig { cpu: Some(MilliCpu::cores(2)), memory_mib: Some(4096), ..config };
    let capacity = KubernetesBackend::new(&shared).unwrap().capacity().await.unwrap();
    assert_eq!((capacity.free_cpu, capacity.free_memory_mib), (MilliCpu(1500), 3584));
    assert_eq!(capacity.free_gpus[0].count, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_heard_and_a_forgotten_version_is_listed_again() {
    let cluster = Cluster::start().await;
    let backend = backend(&zone(&cluster));
    let (one, two) = (spec(1), spec(2));
    backend.start(&one).await.unwrap();
    let mut changes = backend.changes();
    async fn next(changes: &mut (impl futures::Stream<Item = LaunchId> + Unpin)) -> LaunchId {
        tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap()
    }
    assert_eq!(next(&mut changes).await, one.launch, "what is there at the beginning");
    backend.start(&two).await.unwrap();
    assert_eq!(next(&mut changes).await, two.launch);
    // The versions are forgotten while something changes and something goes: both are told after the new list.
    cluster.patch("pods", two.launch.as_str(), &running());
    cluster.remove("pods", one.launch.as_str());
    cluster.forget();
    let mut heard = vec![next(&mut changes).await, next(&mut changes).await];
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), 2, "{heard:?}");
    // A cut connection is taken up again.
    cluster.set_down(true);
    cluster.set_down(false);
    cluster.patch("pods", two.launch.as_str(), &json!({"status": {"phase": "Succeeded"}}));
    assert_eq!(next(&mut changes).await, two.launch);
}
