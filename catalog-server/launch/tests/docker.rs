//! Labs on a real Docker engine that the test starts itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "a skipped test says so loudly")]

mod engine;
mod life;
mod registry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_launch::backend::{Backend, BackendError, FailureCode, Observed};
use catalog_launch::config::{BackendKind, GpuConfig, VolumeConfig, VolumeMode, ZoneConfig};
use catalog_launch::reconcile::{Deadlines, drive};
use catalog_launch::{Endpoint, Gpus, Image, LaunchSpec, LogQuery, open};
use catalog_schemas::launch::LaunchState;
use catalog_schemas::plan::{MilliCpu, Mount};
use engine::Engine;
use futures::StreamExt;
use jiff::Timestamp;
use life::{ENDS, drive_to, row};

fn zone(engine: &Engine) -> ZoneConfig {
    let held = engine.folder().join("volumes/pla");
    std::fs::create_dir_all(&held).unwrap();
    std::fs::write(held.join("planck.fits"), "SIMPLE  =                    T\n").unwrap();
    let mut config = ZoneConfig::new("sci-cloud".parse().unwrap(), "SCI-CLOUD", BackendKind::Docker);
    config.endpoint = Some(engine.endpoint());
    config.volume.push(VolumeConfig { volume: "pla-legacy".to_owned(), path: held, ..VolumeConfig::default() });
    config.volume.push(VolumeConfig {
        volume: "gone".to_owned(),
        path: engine.folder().join("volumes/gone"),
        mode: VolumeMode::Rw,
        ..VolumeConfig::default()
    });
    config
}

fn spec(number: u8, script: &str) -> LaunchSpec {
    LaunchSpec {
        command: vec!["/bin/sh".to_owned(), "-c".to_owned()],
        args: vec![script.to_owned()],
        env: vec![("LAB_BASE".to_owned(), "{basePath}".to_owned())],
        ..life::spec(number)
    }
}

async fn log(backend: &dyn Backend, spec: &LaunchSpec) -> Vec<String> {
    backend.logs(&spec.launch, LogQuery::default()).map(|line| line.unwrap().text).collect().await
}

/// Reads `name=value` lines of a log.
fn facts(log: &[String]) -> BTreeMap<String, String> {
    let pairs = log.iter().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_runs_with_exactly_what_it_was_granted() {
    let Some(engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &["WORKDIR /home/lab"]);
    let zone = open(&zone(&engine), None).unwrap();
    let before = zone.capacity().await.unwrap();

    let mut spec = spec(
        1,
        "echo user=$(id -u):$(id -g); \
         echo memory=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null); \
         echo swap=$(cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes 2>/dev/null); \
         echo quota=$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null); \
         echo max=$(cat /sys/fs/cgroup/cpu.max 2>/dev/null); \
         echo capabilities=$(grep CapEff /proc/self/status | awk '{print $2}'); \
         echo privileges=$(grep NoNewPrivs /proc/self/status | awk '{print $2}'); \
         echo volume=$(cat /data/user/pla/planck.fits); \
         echo written=$(touch /data/user/pla/x 2>&1); \
         echo root=$(touch /x 2>&1); \
         echo home=$(touch $HOME/x 2>&1 && echo $HOME yes); \
         echo temporary=$(touch /tmp/x 2>&1 && echo yes); \
         echo other=$(ls /data/user); \
         echo socket=$(ls /var/run/docker.sock 2>&1); \
         echo base=$LAB_BASE; \
         echo said on stderr >&2; \
         mkdir -p /tmp/www$LAB_BASE; \
         echo hello from the lab > /tmp/www${LAB_BASE}index.html; exec /bin/httpd -f -p 8888 -h /tmp/www",
    );
    let mounted = |volume: &str, mode: &str| Mount {
        volume: volume.to_owned(),
        mount_path: "/data/user/pla".to_owned(),
        mode: mode.to_owned(),
    };
    spec.mounts = vec![mounted("pla-legacy", "ro")];
    let begun = Instant::now();
    let launch = drive_to(zone.as_ref(), &spec, row(&spec, LaunchState::Requested), &ENDS).await;
    let took = begun.elapsed();
    let lines = log(zone.as_ref(), &spec).await;
    assert_eq!(launch.state, LaunchState::Ready, "{launch:?} {lines:?}");
    eprintln!("request to ready: {took:?}");
    assert_eq!(launch.granted, Some(spec.resources()));

    let facts = facts(&lines);
    let fact = |name: &str| facts.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!(fact("user"), "1000:100");
    assert_eq!(fact("memory"), (64 << 20).to_string());
    assert!(["", "67108864"].contains(&fact("swap")), "{}", fact("swap"));
    assert!(fact("quota") == "50000" || fact("max") == "50000 100000", "{facts:?}");
    assert_eq!(fact("capabilities"), "0000000000000000");
    assert_eq!(fact("privileges"), "1");
    assert_eq!(fact("volume"), "SIMPLE = T");
    assert!(fact("written").contains("Read-only file system"), "{facts:?}");
    assert!(fact("root").contains("Read-only file system"), "{facts:?}");
    assert_eq!((fact("home"), fact("temporary")), ("/home/lab yes", "yes"));
    assert_eq!(fact("other"), "pla", "only what was asked for is mounted");
    assert!(fact("socket").contains("No such file"), "{facts:?}");
    assert_eq!(fact("base"), spec.base_path());
    assert!(lines.contains(&"said on stderr".to_owned()));

    let Some(Endpoint::Tcp(address)) = zone.endpoint(&spec.launch).await.unwrap() else { panic!("no address") };
    assert!(address.ip().is_loopback());
    let during = zone.capacity().await.unwrap();
    assert_eq!(before.free_cpu.0 - during.free_cpu.0, 500);
    assert_eq!(before.free_memory_mib - during.free_memory_mib, 64);
    assert_eq!(during.sessions, 1);

    // What the engine says that it enforces, not what it was asked for.
    let (_, enforced) = engine.run_docker(&["inspect", spec.launch.as_str(), "--format", "{{json .HostConfig}}"]);
    let enforced: serde_json::Value = serde_json::from_str(&enforced).unwrap();
    let mut compared = enforced.clone();
    for differs in ["CgroupnsMode", "Runtime", "MaskedPaths", "ReadonlyPaths", "PortBindings"] {
        // These are the engine's own choices, which differ between its releases.
        compared.as_object_mut().unwrap().remove(differs);
    }
    let compared = significant(compared);
    let folder = engine.folder().display().to_string();
    let text = serde_json::to_string_pretty(&compared).unwrap().replace(&folder, "FOLDER");
    insta::with_settings!({ prepend_module_to_snapshot => false }, { insta::assert_snapshot!("inspect", text) });
    assert!(enforced["Devices"].as_array().is_none_or(Vec::is_empty) && enforced["DeviceRequests"].is_null());

    // Starting what runs adopts it; another server's labs are not ours.
    assert_eq!(zone.start(&spec).await.unwrap().granted, spec.resources());
    let mut other = self::zone(&engine);
    other.instance = Some("another".to_owned());
    let other = open(&other, None).unwrap();
    assert_eq!((zone.list().await.unwrap().len(), other.list().await.unwrap().len()), (1, 0));
    assert_eq!(other.start(&spec).await.unwrap_err().code, FailureCode::NameTaken);

    let mut stopping = launch;
    stopping.state = LaunchState::Stopping;
    let ended = drive_to(zone.as_ref(), &spec, stopping, &[LaunchState::Cancelled]).await;
    assert!(ended.ended.is_some());
    assert_eq!(zone.status(&spec.launch).await.unwrap(), Observed::Absent);
    zone.stop(&spec.launch).await.unwrap();
    assert_eq!(zone.remove(&spec.launch).await.unwrap(), []);
    assert_eq!(zone.capacity().await.unwrap().free_cpu, before.free_cpu);

    // Two networks of the labs' name, as two servers may have made at once, are one again before the next start.
    assert!(engine.run_docker(&["network", "rm", "alidade"]).0);
    for number in 1..=2 {
        // The engine's own client asks first whether there is one, so the engine is asked directly.
        let body = format!(
            "{{\"Name\": \"alidade\", \"Driver\": \"bridge\", \"Options\": {{\"com.docker.network.bridge.name\": \"ald{number}\"}}}}"
        );
        let socket = engine.endpoint().replace("unix://", "");
        let made = std::process::Command::new("curl")
            .args(["-sS", "--unix-socket", &socket, "-H", "content-type: application/json", "-d", &body])
            .arg("http://engine/networks/create")
            .output();
        assert!(made.is_ok_and(|made| made.status.success()));
    }
    // A volume that was not asked for is not there.
    let mut without = self::spec(2, "ls /data; exec /bin/httpd -f -p 8888 -h /tmp");
    without.readiness.path = Some("/".to_owned());
    without.interface_type = "headless".to_owned();
    without.args = vec!["ls /data".to_owned()];
    let launch = drive_to(zone.as_ref(), &without, row(&without, LaunchState::Requested), &ENDS).await;
    assert_eq!(launch.state, LaunchState::Completed, "{launch:?}");
    assert_eq!(log(zone.as_ref(), &without).await, Vec::<String>::new());
    let networks = engine.run_docker(&["network", "ls", "-q", "--filter", "name=^alidade$"]).1;
    assert_eq!(networks.lines().count(), 1, "{networks}");
    let removed = zone.remove(&without.launch).await.unwrap();
    assert_eq!(removed, []);
}

/// What is said by a part of an inspect: without what is only a default, of which every release has more.
fn significant(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let is_default = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty() || items.iter().all(|item| item.as_i64() == Some(0)),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    };
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().map(|(name, value)| (name, significant(value)));
            let sorted: BTreeMap<String, Value> = kept.filter(|(_, value)| !is_default(value)).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(significant).collect()),
        other => other,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_has_its_code_in_seconds() {
    let Some(engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &[]);
    let mut config = zone(&engine);
    config.gpu.push(GpuConfig {
        vendor: "nvidia".to_owned(),
        model: "A100".to_owned(),
        count: 1,
        ..GpuConfig::default()
    });
    let zone = open(&config, None).unwrap();
    let mut cases: Vec<(LaunchSpec, &str)> = Vec::new();
    let mut case = |script: &str, code: &'static str, change: &dyn Fn(&mut LaunchSpec)| {
        let mut spec = spec(u8::try_from(10 + cases.len()).unwrap(), script);
        change(&mut spec);
        cases.push((spec, code));
    };
    case("echo going to die; exit 3", "exit.nonzero", &|_| {});
    case("exit 0", "exit.early", &|_| {});
    case("x=x; while true; do x=$x$x; done", "memory.exceeded", &|spec| spec.memory_mib = 16);
    case("sleep 60", "ready.timeout", &|spec| spec.readiness.timeout_seconds = 2);
    case("", "command.not_found", &|spec| spec.command = vec!["/bin/nothing".to_owned()]);
    case("", "image.not_found", &|spec| {
        // Nothing listens there, so no registry can know it.
        spec.image = Some(Image { reference: "127.0.0.1:1/no/such:1".to_owned(), digest: None });
    });
    case("sleep 60", "gpu.unavailable", &|spec| {
        spec.gpus = Some(Gpus { count: 1, vendor: "nvidia".to_owned(), model: "A100".to_owned() });
    });
    case("sleep 60", "resources.unavailable", &|spec| spec.cpu = MilliCpu::cores(4096));
    case("sleep 60", "mount.missing", &|spec| {
        let (volume, mount_path) = ("gone".to_owned(), "/data/gone".to_owned());
        spec.mounts = vec![Mount { volume, mount_path, mode: "ro".to_owned() }];
    });
    case("sleep 60", "mount.forbidden", &|spec| {
        let (volume, mount_path) = ("pla-legacy".to_owned(), "/data/pla".to_owned());
        spec.mounts = vec![Mount { volume, mount_path, mode: "rw".to_owned() }];
    });
    case("sleep 60", "spec.refused", &|spec| spec.env.push(("LD_PRELOAD".to_owned(), "x".to_owned())));
    for (spec, code) in &cases {
        let begun = Instant::now();
        let launch = drive_to(zone.as_ref(), spec, row(spec, LaunchState::Requested), &ENDS).await;
        let failure = launch.failure.clone().unwrap_or_else(|| panic!("{code}: {launch:?}"));
        let expected = if *code == "image.not_found" { "image.pull_failed" } else { code };
        assert_eq!(failure.code, expected, "{failure:?}");
        assert!(!failure.cause.is_empty() && !failure.next_action.is_empty());
        assert!(begun.elapsed() < Duration::from_secs(20), "{code} took {:?}", begun.elapsed());
        if *code == "exit.nonzero" {
            assert_eq!(failure.log, ["going to die"]);
        }
        _ = zone.remove(&spec.launch).await.unwrap();
    }
    let missing: BackendError = open(
        &{
            let mut c = config.clone();
            c.endpoint = Some("unix:///nowhere.sock".to_owned());
            c
        },
        None,
    )
    .unwrap()
    .capacity()
    .await
    .unwrap_err();
    assert_eq!((missing.code, missing.is_transient()), (FailureCode::EngineUnreachable, true));
    assert_eq!(zone.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_comes_back_with_its_labs() {
    let Some(mut engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &[]);
    let zone: Arc<dyn Backend> = open(&zone(&engine), None).unwrap();
    let mut spec = spec(30, "exec /bin/httpd -f -p 8888 -h /");
    spec.env.clear();
    spec.entry_path = "/etc/passwd".to_owned();
    let launch = drive_to(zone.as_ref(), &spec, row(&spec, LaunchState::Requested), &ENDS).await;
    assert_eq!(launch.state, LaunchState::Ready, "{launch:?}");
    engine.kill();
    let update = drive(zone.as_ref(), &spec, &launch, Timestamp::now(), &Deadlines::default(), &|_| {}).await;
    assert_eq!((update.launch.state, update.changed), (LaunchState::Ready, false));
    assert_eq!(zone.status(&spec.launch).await.unwrap_err().code, FailureCode::EngineUnreachable);
    engine.restart();
    let update = drive(zone.as_ref(), &spec, &launch, Timestamp::now(), &Deadlines::default(), &|_| {}).await;
    assert_eq!(update.launch.state, LaunchState::Ready);
    assert_eq!(zone.list().await.unwrap().len(), 1);
    assert_eq!(zone.start(&spec).await.unwrap().granted, spec.resources(), "adopted, not doubled");
    let mut stopping = update.launch;
    stopping.state = LaunchState::Stopping;
    drive_to(zone.as_ref(), &spec, stopping, &[LaunchState::Cancelled]).await;
    assert_eq!(zone.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pulled_once_and_runs_by_its_digest_whatever_the_tag_says_later() {
    let Some(engine) = Engine::start() else { return };
    engine.import_busybox("first:1", &["ENV WHICH=first"]);
    engine.import_busybox("second:1", &["ENV WHICH=second"]);
    let first = registry::Image::of(&engine, "first:1");
    let second = registry::Image::of(&engine, "second:1");
    let registry = registry::serve(first.clone()).await;
    for image in ["first:1", "second:1"] {
        assert!(engine.run_docker(&["rmi", image]).0);
    }
    let mut config = zone(&engine);
    config.registries = vec![format!("{}/", registry.name())];
    let zone = open(&config, None).unwrap();
    let mut spec = spec(40, "echo which=$WHICH");
    spec.interface_type = "headless".to_owned();
    let reference = |name: &str| Some(Image { reference: format!("{}/{name}", registry.name()), digest: None });

    spec.image = reference("lab:1");
    let told = std::sync::Mutex::new(Vec::new());
    let prepared = zone.prepare(&spec, &|progress| told.lock().unwrap().push(progress.to_string())).await.unwrap();
    assert_eq!(prepared.digest.as_deref(), Some(first.digest.as_str()));
    let told = told.into_inner().unwrap();
    assert_eq!(told[told.len() - 2..], ["pull 100 %".to_owned(), "mount".to_owned()], "{told:?}");

    // The tag moves; what was recorded still runs.
    registry.show(second);
    spec.image.as_mut().unwrap().digest = prepared.digest;
    let launch = drive_to(zone.as_ref(), &spec, row(&spec, LaunchState::Requested), &ENDS).await;
    assert_eq!(launch.state, LaunchState::Completed, "{launch:?}");
    assert_eq!(log(zone.as_ref(), &spec).await, ["which=first"]);

    // The engine has the first under the tag, so a launch that is not pinned runs what is there and records it.
    for (number, name, code) in [(41, "nothing:1", "image.not_found"), (42, "lab:9", "image.not_found")] {
        let mut missing = self::spec(number, "");
        missing.image = reference(name);
        let launch = drive_to(zone.as_ref(), &missing, row(&missing, LaunchState::Requested), &ENDS).await;
        assert_eq!(launch.failure.unwrap().code, code);
    }
    let mut elsewhere = self::spec(43, "");
    elsewhere.image = Some(Image { reference: "elsewhere.example/lab:1".to_owned(), digest: None });
    let launch = drive_to(zone.as_ref(), &elsewhere, row(&elsewhere, LaunchState::Requested), &ENDS).await;
    assert_eq!(launch.failure.unwrap().code, "image.registry_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_at_any_moment_of_a_start_leaves_one_lab_and_nothing_else() {
    let Some(mut engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &[]);
    let zone: Arc<dyn Backend> = open(&zone(&engine), None).unwrap();
    for (round, wait) in [0u64, 60, 150, 260, 400].into_iter().enumerate() {
        let mut spec = spec(u8::try_from(50 + round).unwrap(), "exec /bin/httpd -f -p 8888 -h /");
        (spec.entry_path, spec.env) = ("/etc/passwd".to_owned(), Vec::new());
        let starting = {
            let (zone, spec) = (zone.clone(), spec.clone());
            tokio::spawn(async move { zone.start(&spec).await })
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        engine.kill();
        let first = starting.await.unwrap();
        assert!(
            first.as_ref().is_ok_and(|started| started.granted == spec.resources())
                || first.as_ref().is_err_and(BackendError::is_transient),
            "{wait} ms: {first:?}"
        );
        engine.restart();
        // The row still says what it said before the crash.
        let mut launch = row(&spec, LaunchState::Requested);
        launch.state = LaunchState::Starting;
        let launch = drive_to(zone.as_ref(), &spec, launch, &ENDS).await;
        assert_eq!(launch.state, LaunchState::Ready, "{wait} ms: {launch:?}");
        let (_, containers) = engine.run_docker(&["ps", "-aq"]);
        assert_eq!(containers.lines().count(), 1, "{wait} ms");
        let mut stopping = launch;
        stopping.state = LaunchState::Stopping;
        drive_to(zone.as_ref(), &spec, stopping, &[LaunchState::Cancelled]).await;
        assert_eq!(zone.capacity().await.unwrap().sessions, 0);
    }
}
