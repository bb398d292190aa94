//! The life of a launch in the demonstration, driven as the server drives it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod life;

use std::time::Duration;

use axum::body::Body;
use catalog_launch::backend::{Backend, FailureCode, Stage};
use catalog_launch::config::{BackendKind, GpuConfig, VolumeConfig, ZoneConfig};
use catalog_launch::demo::{DemoBackend, Faults};
use catalog_launch::reconcile::{Deadlines, drive};
use catalog_launch::{Endpoint, Gpus, LaunchSpec, LogQuery, Readiness};
use catalog_schemas::launch::LaunchState;
use catalog_schemas::plan::{MilliCpu, Mount};
use futures::StreamExt;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use life::{ENDS, drive_hearing, row};
use tower::ServiceExt;

fn quick() -> Faults {
    Faults { prepare_millis: 10, ready_millis: 30, headless_millis: 50, ..Faults::default() }
}

fn zone(faults: Faults) -> DemoBackend {
    let mut config = ZoneConfig::new("demo".parse().unwrap(), "SCI-CLOUD", BackendKind::Demo);
    config.cpu = Some(MilliCpu::cores(4));
    config.memory_mib = Some(8192);
    config.gpu.push(GpuConfig {
        vendor: "nvidia".to_owned(),
        model: "A100".to_owned(),
        count: 2,
        ..GpuConfig::default()
    });
    config.volume.push(VolumeConfig { volume: "pla-legacy".to_owned(), ..VolumeConfig::default() });
    config.demo = faults;
    DemoBackend::new(&config)
}

fn spec(number: u8) -> LaunchSpec {
    LaunchSpec {
        name: "my <aladin>".to_owned(),
        datalab_name: "Aladin Sky Atlas".to_owned(),
        image: None,
        cpu: MilliCpu(1500),
        memory_mib: 2048,
        gpus: Some(Gpus { count: 1, vendor: "nvidia".to_owned(), model: "A100".to_owned() }),
        mounts: vec![Mount {
            volume: "pla-legacy".to_owned(),
            mount_path: "/data/user/pla_legacy".to_owned(),
            mode: "ro".to_owned(),
        }],
        entry_path: "/lab/tree".to_owned(),
        readiness: Readiness { path: None, timeout_seconds: 5 },
        ..life::spec(number)
    }
}

async fn get(router: &axum::Router, path: &str) -> (StatusCode, String) {
    let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_launch_is_prepared_started_opened_and_stopped() {
    let zone = zone(quick());
    let spec = spec(1);
    let (launch, told) = drive_hearing(&zone, &spec, row(&spec, LaunchState::Requested), &ENDS).await;
    assert_eq!(launch.state, LaunchState::Ready, "{launch:?}");
    assert_eq!(launch.granted, Some(spec.resources()));
    assert_eq!(launch.access_url.as_deref(), Some(format!("/lab/{}/lab/tree", spec.launch).as_str()));
    let pulls = told.iter().filter(|line| line.starts_with("pull ")).count();
    assert_eq!(pulls, 10);
    let rest: Vec<&str> = told.iter().map(String::as_str).filter(|line| !line.starts_with("pull ")).collect();
    assert_eq!(
        rest,
        ["a datazone is chosen", "the image is fetched", "mount", "the container is started", "the interface answers"]
    );

    let capacity = zone.capacity().await.unwrap();
    assert_eq!((capacity.free_cpu, capacity.free_memory_mib, capacity.sessions), (MilliCpu(2500), 6144, 1));
    assert_eq!(capacity.free_gpus[0].count, 1);

    let Some(Endpoint::Handler(router)) = zone.endpoint(&spec.launch).await.unwrap() else { panic!("no page") };
    for path in ["/".to_owned(), "/lab/tree".to_owned(), spec.base_path(), format!("{}lab/tree", spec.base_path())] {
        let (status, page) = get(&router, &path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(page.contains("<b>DEMO</b>") && page.contains("my &lt;aladin&gt;") && page.contains("SCI-CLOUD"));
        assert!(
            page.contains("1.5")
                && page.contains("2 GiB")
                && page.contains("<code>/data/user/pla_legacy</code>, read only")
        );
        assert!(!page.contains("href=\"/") && !page.contains("action=\"/") && !page.contains("<script"));
    }
    assert!(get(&router, "/lab/tree").await.1.contains("action=\"../note\""));
    assert_eq!(get(&router, "/nothing").await.0, StatusCode::NOT_FOUND);
    let note = Request::post(format!("{}note", spec.base_path())).body(Body::from("note=a+%3Cb%3E")).unwrap();
    let response = router.clone().oneshot(note).await.unwrap();
    assert_eq!((response.status(), &response.headers()["location"]), (StatusCode::SEE_OTHER, &"./".parse().unwrap()));
    assert!(get(&router, "/").await.1.contains("a &lt;b&gt;</textarea>"));
    assert!(get(&router, "/log").await.1.contains("mounted pla-legacy at /data/user/pla_legacy (ro)"));

    let mut stopping = launch;
    stopping.state = LaunchState::Stopping;
    let (ended, _) = drive_hearing(&zone, &spec, stopping, &[LaunchState::Cancelled]).await;
    assert!(ended.ended.is_some() && ended.access_url.is_none());
    assert_eq!(zone.list().await.unwrap(), []);
    assert_eq!(zone.capacity().await.unwrap().free_cpu, MilliCpu::cores(4));
    zone.stop(&spec.launch).await.unwrap();
    assert_eq!(zone.remove(&spec.launch).await.unwrap(), [], "stopping and removing again do nothing");
}

#[tokio::test]
async fn every_fault_ends_in_its_code() {
    let failing = |fail_at, fail_with| Faults { fail_at: Some(fail_at), fail_with, ..quick() };
    let cases = [
        (failing(Stage::Prepare, None), "prepare", "image.pull_failed"),
        (failing(Stage::Prepare, Some(FailureCode::ImageNotFound)), "prepare", "image.not_found"),
        (failing(Stage::Start, Some(FailureCode::GpuUnavailable)), "start", "gpu.unavailable"),
        (failing(Stage::Ready, None), "ready", "ready.timeout"),
        (failing(Stage::Run, None), "start", "exit.nonzero"),
        (failing(Stage::Run, Some(FailureCode::MemoryExceeded)), "start", "memory.exceeded"),
        (Faults { grants_less: true, ..quick() }, "start", "resources.not_granted"),
    ];
    for (number, (faults, stage, code)) in cases.into_iter().enumerate() {
        let zone = zone(faults);
        let mut spec = spec(u8::try_from(number).unwrap());
        spec.readiness.timeout_seconds = 0;
        if code != "ready.timeout" {
            spec.readiness.timeout_seconds = 5;
        }
        let (launch, _) = drive_hearing(&zone, &spec, row(&spec, LaunchState::Requested), &ENDS).await;
        let failure = launch.failure.expect(code);
        assert_eq!((failure.stage.as_str(), failure.code.as_str()), (stage, code));
        assert!(!failure.cause.is_empty() && !failure.next_action.is_empty());
        assert_eq!(
            failure.log.is_empty(),
            matches!(code, "image.pull_failed" | "image.not_found" | "gpu.unavailable"),
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_pull_that_stalls_is_given_up_at_its_deadline() {
    let zone = zone(Faults { prepare_millis: 600_000, ..quick() });
    let spec = spec(15);
    let mut launch = row(&spec, LaunchState::Requested);
    launch.state = LaunchState::Preparing;
    let deadlines = Deadlines { prepare: jiff::SignedDuration::from_millis(100), ..Deadlines::default() };
    let update = drive(&zone, &spec, &launch, Timestamp::now(), &deadlines, &|_| {}).await;
    let failure = update.launch.failure.unwrap();
    assert_eq!((failure.stage.as_str(), failure.code.as_str()), ("prepare", "prepare.timeout"));
}

#[tokio::test]
async fn a_zone_that_is_down_is_asked_again_and_a_running_lab_is_not_given_up() {
    let zone = zone(Faults { down: true, ..quick() });
    let spec = spec(9);
    let mut launch = row(&spec, LaunchState::Requested);
    launch.state = LaunchState::Preparing;
    let update = drive(&zone, &spec, &launch, Timestamp::now(), &Deadlines::default(), &|_| {}).await;
    assert_eq!((update.launch.state, update.changed), (LaunchState::Preparing, false));
    let long_ago = "2026-01-01T00:00:00Z".parse().unwrap();
    let update = drive(&zone, &spec, &launch, long_ago, &Deadlines::default(), &|_| {}).await;
    assert_eq!(update.launch.failure.unwrap().code, "engine.unreachable");
    launch.state = LaunchState::Running;
    let update = drive(&zone, &spec, &launch, long_ago, &Deadlines::default(), &|_| {}).await;
    assert_eq!(update.launch.state, LaunchState::Running);
    assert!(zone.capacity().await.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_server_that_comes_back_finds_its_labs_started_anew() {
    let spec = spec(10);
    let (launch, _) = drive_hearing(&zone(quick()), &spec, row(&spec, LaunchState::Requested), &ENDS).await;
    let restarted = zone(quick());
    let (launch, _) = drive_hearing(&restarted, &spec, launch, &ENDS).await;
    assert_eq!(launch.state, LaunchState::Ready);
    assert_eq!(restarted.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_zone_refuses_and_a_headless_lab_completes() {
    let zone = zone(quick());
    let mut first = spec(11);
    first.cpu = MilliCpu(3000);
    assert_eq!(
        drive_hearing(&zone, &first, row(&first, LaunchState::Requested), &ENDS).await.0.state,
        LaunchState::Ready
    );
    let second = spec(12);
    let (refused, _) = drive_hearing(&zone, &second, row(&second, LaunchState::Requested), &ENDS).await;
    assert_eq!(refused.failure.unwrap().code, "resources.unavailable");
    let mut third = spec(13);
    (third.interface_type, third.cpu, third.gpus) = ("headless".to_owned(), MilliCpu(500), None);
    let (launch, told) = drive_hearing(&zone, &third, row(&third, LaunchState::Requested), &ENDS).await;
    assert_eq!(launch.state, LaunchState::Completed);
    assert!(told.contains(&"it runs".to_owned()), "{told:?}");
}

#[tokio::test]
async fn a_log_is_followed_until_the_end_and_cut_to_its_tail() {
    let zone = zone(quick());
    let spec = spec(14);
    zone.start(&spec).await.unwrap();
    let follow = LogQuery { follow: true, tail: Some(1), ..LogQuery::default() };
    let followed = tokio::spawn(zone.logs(&spec.launch, follow).map(|line| line.unwrap().text).collect::<Vec<_>>());
    tokio::time::sleep(Duration::from_millis(50)).await;
    zone.stop(&spec.launch).await.unwrap();
    assert_eq!(followed.await.unwrap(), ["listening", "asked to stop"]);
    let since = LogQuery { since: Some(Timestamp::MAX), ..LogQuery::default() };
    assert_eq!(zone.logs(&spec.launch, since).count().await, 0);
}
